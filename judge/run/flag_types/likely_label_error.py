"""Engagement alone puts the pair in another grade."""

from judge.run.flag_types import Bools, FlagType, PairEvidence


def _rule(evidence: PairEvidence) -> tuple[Bools, Bools]:
    return evidence.suspect & (evidence.impressions > 0), evidence.others


FLAG_TYPE = FlagType(
    name="likely_label_error",
    meaning="engagement alone, without the label, puts it in another grade",
    needs="confident learning on what engagement says without the pair's own label",
    order=50,
    rule=_rule,
)
