"""People gave another grade."""

from judge.run.flag_types import Bools, FlagType, PairEvidence


def _rule(evidence: PairEvidence) -> tuple[Bools, Bools]:
    return (evidence.people >= 0) & (evidence.people != evidence.grade), evidence.others


FLAG_TYPE = FlagType(
    name="judge_against_people",
    meaning="people gave another grade, and engagement does not side with the label",
    needs="`--people RATINGS` gives another grade, and the evidence does not side with the label. It takes one grade a "
    "pair: of several raters' make one first, `judge aggregate ratings.csv --out grades.parquet`",
    order=40,
    by_people=True,
    rule=_rule,
)
