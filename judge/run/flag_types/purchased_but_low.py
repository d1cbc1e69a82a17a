"""More carts or purchases than the grade explains."""

from judge.run.flag_types import Bools, FlagType, PairEvidence


def _rule(evidence: PairEvidence) -> tuple[Bools, Bools]:
    bought = evidence.purchases + evidence.carts > 0
    return bought & (evidence.grade < evidence.grades - 1), evidence.above


FLAG_TYPE = FlagType(
    name="purchased_but_low",
    meaning="put into carts or bought more than its grade explains",
    needs="carts or purchases, below the highest grade, and the evidence is for a higher one",
    order=10,
    rule=_rule,
)
