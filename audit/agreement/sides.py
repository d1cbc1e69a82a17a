"""Who is compared, and with whom: people as they graded, their majority, gold, and runs."""

from collections.abc import Sequence
from itertools import combinations

from audit.agreement.comparison import GradedSide
from judge.errors import InputError
from judge.ratings.panel import Panel, majority, mean_rating

MOST_RATERS = 8
"""Beyond so many raters, each is compared with the others' majority alone, not with each of them."""


def gold_name(panel: Panel) -> str:
    """What the adjudicated grade is called."""
    return panel.gold_name or "gold"


def people_sides(panel: Panel) -> list[GradedSide]:
    """Each rater, with their means where anybody gave some."""
    means = [None] * len(panel.raters) if panel.means is None else panel.means
    return [GradedSide(*each) for each in zip(panel.raters, panel.grades, means, strict=True)]


def majority_side(panel: Panel) -> GradedSide:
    """The commonest grade; of a single rater, what they gave."""
    people = people_sides(panel)
    if len(people) == 1:
        return people[0]
    return GradedSide("majority", majority(panel.grades), None if panel.means is None else mean_rating(panel.means))


def check_reference(wanted: str | None, runs: int) -> None:
    """Refuse a reference where no run is compared with it: people are compared with each other.

    Raises:
        InputError: One is named, and no run.
    """
    if wanted is not None and not runs:
        raise InputError(
            f"--reference {wanted}: is what a run is compared with, and none is named",
            "name one with --run RUN, or leave it out: raters are compared with each other and with gold",
        )


def reference_side(panel: Panel, wanted: str | None) -> GradedSide:
    """Who the user names: unless anybody is named gold, without gold the majority.

    Raises:
        InputError: There is no such rater.
    """
    if panel.gold is not None and wanted in (None, "gold", panel.gold_name):
        return GradedSide(gold_name(panel), panel.gold, panel.gold_mean)
    if wanted in panel.raters:
        return people_sides(panel)[panel.raters.index(str(wanted))]
    if wanted in (None, "majority"):
        return majority_side(panel)
    known = ", ".join([*(["gold"] if panel.gold is not None else []), "majority", *panel.raters])
    raise InputError(f"--reference {wanted}: there is no such rater", f"name one of {known}")


def compared_sides(
    panel: Panel, people: Sequence[GradedSide], runs: Sequence[GradedSide]
) -> list[tuple[GradedSide, GradedSide]]:
    """Each run with gold, majority, every rater and every other run; each rater with gold and each other."""
    gold = [] if panel.gold is None else [reference_side(panel, "gold")]
    vote = [majority_side(panel)] if len(people) > 1 else []
    some = people if len(people) <= MOST_RATERS else []
    sides = [(reference, run) for run in runs for reference in (*gold, *vote, *some)]
    sides += [*combinations(runs, 2)]
    sides += [(reference, person) for person in people for reference in gold]
    return [*sides, *combinations(some, 2)]
