"""Each rater: how far they agree, which way they lean, how fast they are, whether they drift, where they are alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from judge.ratings.panel import Panel, majority
from judge.statistics.agreement import agreement_measures, headline
from judge.statistics.dawid_skene import RatingMatrix, dawid_skene
from judge.statistics.intervals import Estimate, by_query, by_query_index, confusion_by_query, each_by_query

Floats = npt.NDArray[np.float64]

BREAK = 600.0
"""Seconds between two ratings from which on the rater was away, not slow."""


@dataclass(frozen=True)
class Leniency:
    """Which way somebody errs on the pairs of one reference grade."""

    grade: int
    n: int
    lenient: float | None
    """Share graded higher than the reference."""
    strict: float | None
    """Share graded lower."""


@dataclass(frozen=True)
class Alone:
    """A pair where all others, at least two, gave one grade and this rater another."""

    unit: int
    grade: int
    others: int


@dataclass(frozen=True)
class RaterReport:
    """What can be said of one rater. Undefined figures say why."""

    rater: str
    n: int
    with_others: Estimate
    """Accuracy against the others' majority; pairs without one are left out."""
    kappa_others: Estimate
    """Quadratic kappa against the same."""
    with_gold: Estimate
    kappa_gold: Estimate
    bias: Estimate
    """Mean grade less the reference's: above 0 is too lenient. The reference is gold, or the others' majority."""
    leans: Sequence[Leniency]
    seconds: float | None
    """Median seconds between two ratings, breaks of ten minutes or more left out. Null without times."""
    drift: Estimate
    """Accuracy against the reference in the later half of their ratings less that in the earlier half."""
    quarters: Sequence[float | None]
    """Accuracy in each quarter of their ratings, by time."""
    confusion: Sequence[Sequence[float]] | None
    """Dawid-Skene: the probability that they give the column's grade where the row's is true."""
    alone: Sequence[Alone]


def report_raters(panel: Panel) -> list[RaterReport]:
    """One report a rater, those who agree least with the others first."""
    several = len(panel.raters) >= 2
    errors = dawid_skene(RatingMatrix.of_table(panel.grades, panel.values)).confusion if several else None
    found = [_report(panel, index, None if errors is None else errors[index]) for index in range(len(panel.raters))]
    return sorted(found, key=lambda r: -1.0 if r.with_others.value is None else r.with_others.value)


def _report(panel: Panel, index: int, errors: Floats | None) -> RaterReport:
    own, others = panel.grades[index], majority(panel.others(index))
    gold = panel.gold
    lonely = "there is no other rater" if len(panel.raters) < 2 else "no pair has a majority of others"
    accuracy, kappa = _agreement(panel, own, others, lonely)
    no_gold = "the file has no adjudicated grade" if gold is None else "the rater shares no pair with gold"
    gold_accuracy, gold_kappa = _agreement(panel, own, others * np.nan if gold is None else gold, no_gold)
    reference = others if gold is None else gold
    drift, quarters = _drift(panel, index, reference)
    return RaterReport(
        rater=panel.raters[index],
        n=int((~np.isnan(own)).sum()),
        with_others=accuracy,
        kappa_others=kappa,
        with_gold=gold_accuracy,
        kappa_gold=gold_kappa,
        bias=bias(panel, own, reference),
        leans=leans(own, reference, panel.values),
        seconds=_pace(panel.times[index]),
        drift=drift,
        quarters=quarters,
        confusion=None if errors is None else errors.tolist(),
        alone=_alone(panel, index),
    )


def _agreement(panel: Panel, own: Floats, reference: Floats, reason: str) -> tuple[Estimate, Estimate]:
    both = ~np.isnan(own) & ~np.isnan(reference)
    if not both.any():
        return (Estimate(None, None, None, reason),) * 2
    matrices = confusion_by_query(panel.queries[both], reference[both], own[both], panel.values)
    wanted = [agreement_measures()["accuracy"], headline()]
    total = matrices.sum(axis=0)
    found = each_by_query(matrices, {k: f for measure in wanted for k, f in measure.of_confusion(panel.values).items()})
    accuracy, kappa = (found[measure.name].because(measure.reason(total)) for measure in wanted)
    return accuracy, kappa


def bias(panel: Panel, own: Floats, reference: Floats) -> Estimate:
    """Mean of own grade less the reference's, in grades, over the pairs that both graded."""
    both = ~np.isnan(own) & ~np.isnan(reference)
    if not both.any():
        return Estimate(None, None, None, "no pair has both grades")
    scale = np.array(panel.values, dtype=np.float64)
    gap = scale[None, :] - scale[:, None]
    matrices = confusion_by_query(panel.queries[both], reference[both], own[both], panel.values)
    return by_query(matrices, lambda c: (c * gap).sum(axis=(-2, -1)) / c.sum(axis=(-2, -1)), best=False)


def leans(own: Floats, reference: Floats, values: Sequence[int]) -> list[Leniency]:
    """Shares graded too high and too low, by the reference's grade; null for a grade without pairs."""
    found = []
    for value in values:
        given = own[(reference == value) & ~np.isnan(own)]
        high, low = (float(np.mean(x)) if len(given) else None for x in (given > value, given < value))
        found.append(Leniency(value, len(given), high, low))
    return found


def _pace(times: Floats) -> float | None:
    gaps = np.diff(np.sort(times[~np.isnan(times)]))
    worked = gaps[(gaps > 0) & (gaps < BREAK)]
    return float(np.median(worked)) if len(worked) else None


def _drift(panel: Panel, index: int, reference: Floats) -> tuple[Estimate, list[float | None]]:
    own, times = panel.grades[index], panel.times[index]
    usable = np.flatnonzero(~np.isnan(own) & ~np.isnan(reference) & ~np.isnan(times))
    if len(usable) < 8:
        why = "the file has no times" if np.isnan(times).all() else "fewer than eight timed pairs have a reference"
        return Estimate(None, None, None, why), []
    order = usable[np.argsort(times[usable], kind="stable")]
    hit = (own[order] == reference[order]).astype(np.float64)
    late = np.arange(len(order)) >= len(order) / 2

    def change(times: Floats) -> Floats:
        counts = [times[..., half].sum(axis=-1) for half in (late, ~late)]
        hits = [times[..., half] @ hit[half] for half in (late, ~late)]
        with np.errstate(invalid="ignore"):
            return np.asarray(hits[0] / counts[0] - hits[1] / counts[1])

    quarters = [float(part.mean()) for part in np.array_split(hit, 4)]
    return by_query_index(panel.queries[order], change, resamples=500), list(quarters)


def _alone(panel: Panel, index: int) -> list[Alone]:
    own, others = panel.grades[index], panel.others(index)
    if len(others) < 2:
        return []
    one, lowest = np.nan_to_num(others, nan=-np.inf).max(axis=0), np.nan_to_num(others, nan=np.inf).min(axis=0)
    united = ((~np.isnan(others)).sum(axis=0) >= 2) & (lowest == one)
    found = np.flatnonzero(united & ~np.isnan(own) & (own != one))
    far = sorted(found, key=lambda unit: -abs(own[unit] - one[unit]))
    return [Alone(int(unit), int(own[unit]), int(one[unit])) for unit in far]
