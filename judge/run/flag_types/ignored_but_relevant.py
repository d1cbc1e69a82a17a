"""Fewer clicks than the grade explains, though shoppers looked."""

import numpy as np

from judge.run.flag_types import Bools, FlagType, PairEvidence

IGNORED = 20.0
"""Examined impressions in searches with clicks, below which going unclicked says nothing."""


def _rule(evidence: PairEvidence) -> tuple[Bools, Bools]:
    live = evidence.live_examined
    enough = np.where(np.isnan(live), evidence.examined, live) >= IGNORED
    fewer = evidence.debiased_clicks < np.nan_to_num(evidence.expected_clicks)
    # Nor do the clicks that were set aside make up for it, had every impression been looked at.
    fewest = evidence.most_clicks < np.nan_to_num(evidence.most_expected)
    return enough & fewer & fewest & (evidence.grade > 0), evidence.below


FLAG_TYPE = FlagType(
    name="ignored_but_relevant",
    meaning="seen often in searches with clicks, and passed over",
    needs=f"at least {IGNORED:g} examined impressions in searches where something was clicked, fewer clicks than the "
    "grade explains",
    order=30,
    rule=_rule,
)
