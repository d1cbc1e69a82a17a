"""What an audit takes for granted of a log, checked by the log itself. Where it is not so, flags are held back.

Checks of fit (`audit.engagement.checks`) ask whether the model describes the events; these ask whether they are events
that could tell anything: of these products, of what was shown, and of where it stood.
"""

import numpy as np

from audit.engagement.aggregate import Aggregated
from audit.engagement.checks import Check, engagement_types
from audit.engagement.counts import Searches
from audit.engagement.examination import Examination
from audit.engagement.labelled import Labelled

CLICKED = 0.6
"""The share of impressions with a click above which what was not clicked cannot have been logged."""
QUERIES, APART = 5, 1.64
"""Queries with products of the lowest and of the highest grade from which on their clicks are compared, and by how many
standard errors the highest has to be ahead."""
UNTOLD = 0.5
"""The share of impressions at positions whose examination cannot be told from which on what is left is a few places."""
DOUBLED = 0.05
"""Above this share of results that share their position with another of the same search, positions are not ranks."""
PLACES = ("ignored_but_relevant",)
"""Flags that say that shoppers looked and passed over."""


def check_log(
    labelled: Labelled, aggregated: Aggregated, examination: Examination, searches: Searches | None
) -> tuple[Check, ...]:
    """What can be checked of a log; nothing where no graded pair was shown. `searches` are null where counts are."""
    if not labelled.impressions.sum() > 0:
        return ()
    found = (
        _shown(labelled),
        _follows(labelled),
        _placed(labelled, aggregated, examination),
        _moved(labelled),
        _ranked(searches),
    )
    return tuple(check for check in found if check)


def _shown(labelled: Labelled) -> Check:
    share = float(labelled.clicks.sum() / labelled.impressions.sum())
    words = f"{share:.0%} of the impressions of graded pairs were clicked"
    if share <= CLICKED:
        return Check("results without clicks", True, words)
    fix = "log every result that was shown, not only those that were clicked"
    return Check("results without clicks", False, f"{words}: what was passed over is missing", fix, engagement_types())


def _follows(labelled: Labelled) -> Check | None:
    """Whether products of the highest grade are clicked more than those of the lowest, query by query.

    By the terms of Mantel and Haenszel 1959, "Statistical Aspects of the Analysis of Data From Retrospective Studies of
    Disease", their spread over queries taken as it is.
    """
    queries = int(labelled.index.max()) + 1
    ends = [labelled.grade == grade for grade in (labelled.grade.min(), labelled.grade.max())]
    clicks, idle = [], []
    for end in ends:
        hits = np.bincount(labelled.index[end], labelled.debiased_clicks[end], minlength=queries)
        clicks.append(hits)
        idle.append(np.maximum(np.bincount(labelled.index[end], labelled.examined[end], minlength=queries) - hits, 0))
    total = clicks[0] + clicks[1] + idle[0] + idle[1]
    both = (clicks[0] + idle[0] > 0) & (clicks[1] + idle[1] > 0)
    if both.sum() < QUERIES or labelled.grade.min() == labelled.grade.max():
        return None
    ahead = (clicks[1] * idle[0] - clicks[0] * idle[1])[both] / total[both]
    spread = float(np.sqrt((ahead**2).sum()))
    low, high = (c[both].sum() / (c + i)[both].sum() for c, i in zip(clicks, idle, strict=True))
    words = f"{high:.1%} of the examined impressions of the highest grade are clicked, {low:.1%} of the lowest"
    if ahead.sum() > APART * spread:
        return Check("clicks follow grades", True, words)
    words += f", in {int(both.sum()):,} queries that have both: grades and clicks tell nothing of each other"
    fix = (
        "see that the events have the run's ids and that a higher grade means more relevant; if so, compare the labels "
        "with people's grades (judge agree): they may be no better than chance"
    )
    if not labelled.clicks.any():
        words, fix = "no graded pair was clicked", "see that clicks are in the events, under a name that is read"
    return Check("clicks follow grades", False, words, fix, engagement_types())


def _placed(labelled: Labelled, aggregated: Aggregated, examination: Examination) -> Check:
    several = np.bincount(labelled.index[labelled.impressions > 0]).max(initial=0) > 1
    if aggregated.placed and not (several and len(examination.curve) == 1):
        return Check("positions", True, f"results stood at {len(examination.curve):,} positions")
    words = "the counts have no positions" if not aggregated.placed else "all results stood at one position"
    fix = "give the position at which each result was shown"
    return Check("positions", False, f"{words}: whether anybody looked is not known", fix, PLACES)


def _moved(labelled: Labelled) -> Check | None:
    """Null where all impressions are used, as usual."""
    share = float(labelled.unused.sum() / labelled.impressions.sum())
    if share <= UNTOLD:
        return None
    words = f"{share:.0%} of the impressions are at positions that no ranking ties to others"
    fix = "let rankings vary a little, so that products are shown at more than one position"
    return Check("rankings that vary", False, f"{words}: what is left is of a few places", fix, engagement_types())


def _ranked(searches: Searches | None) -> Check | None:
    if searches is None or not searches.doubled:
        return None
    words = f"{searches.doubled:.0%} of the results share their position with another result of the same search"
    if searches.doubled <= DOUBLED:
        return Check("one result a position", True, words)
    fix = "count positions through all results of a search, not anew on every page or shelf"
    return Check("one result a position", False, f"{words}: where they stood is not known", fix, PLACES)
