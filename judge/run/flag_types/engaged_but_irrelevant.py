"""Clicks on what was labelled with the lowest grade."""

from judge.run.flag_types import Bools, FlagType, PairEvidence


def _rule(evidence: PairEvidence) -> tuple[Bools, Bools]:
    return (evidence.clicks > 0) & (evidence.grade == 0), evidence.above


FLAG_TYPE = FlagType(
    name="engaged_but_irrelevant",
    meaning="labelled with the lowest grade, yet clicked as better results are",
    needs="the lowest grade, clicks, and the evidence is for a higher one",
    order=20,
    rule=_rule,
)
