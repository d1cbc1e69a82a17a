"""What pairs of a grade usually get, in words that need no model: both sides of a flag."""

from collections.abc import Mapping

import numpy as np

from audit.engagement.counts import Floats, Ints
from audit.engagement.flags import Weighed
from audit.engagement.labelled import Labelled
from audit.engagement.trials import PER
from judge.records import Flag, counted
from judge.words.guideline import Guideline

ACTIONS = {"carts": "cart", "purchases": "purchase"}


def usual(labelled: Labelled, weighed: Weighed) -> dict[str, Floats]:
    """Clicks, carts and purchases that each pair would get in its query if its grade were k, shape (N, K).

    NaN where nothing was learned, or nobody looked.
    """
    counts = labelled.examined, labelled.clicks, labelled.carts
    found = {"clicks": weighed.clicks.expected * labelled.examined[:, None]}
    for action in ACTIONS:
        per: Ints = getattr(labelled.trials, action)
        trials = labelled.trials.counted(action, counts)
        found[action] = np.full(weighed.posterior.shape, np.nan)
        for kind, channel in getattr(weighed, action).items():
            rows = np.flatnonzero(per == PER.index(kind))
            found[action][rows] = channel.expected * trials[rows][:, None]
    return found


def in_words(flag: Flag, gets: Mapping[str, Floats], guideline: Guideline) -> str:
    """What shoppers did with a flagged product, next to what products of its label's and of the likeliest grade get.

    Args:
        flag: The flag.
        gets: By `usual`, those of its pair: shape (K,).
        guideline: Names the grades.
    """
    grades = {grade.value: (at, grade.name) for at, grade in enumerate(guideline.grades)}
    (label, name), (likeliest, other) = grades[flag.grade], grades[flag.suggested_grade]
    looked, clicks = flag.examined_impressions, flag.clicks
    said = f"Shown {counted(flag.impressions, 'time')}"
    said += "" if round(looked) >= flag.impressions else f", about {looked:,.0f} seen"
    said += f": {counted(clicks, 'click')}"
    if flag.examined_clicks is not None and clicks - flag.examined_clicks >= 0.5:
        said += f" ({amount(flag.examined_clicks)} beyond trust in the place)"
    usual_clicks, likelier = gets["clicks"][[label, likeliest]]
    if not np.isnan(usual_clicks):
        between = "" if flag.expected_low is None else f" ({flag.expected_low:,} to {flag.expected_high:,})"
        said += f", where {name} products get {amount(usual_clicks)}{between} and {other} ones {amount(likelier)}"
    for action, noun in ACTIONS.items():
        count, (few, many) = getattr(flag, action), gets[action][[label, likeliest]]
        if count or max(few, many) >= 1:
            both = "" if np.isnan(few) else f" ({amount(few)} and {amount(many)})"
            said += f"; {counted(count, noun)}{both}"
    return said + "."


def amount(value: float) -> str:
    """A number that is an expectation: whole from 10 on, else with one digit."""
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}".removesuffix(".0")
