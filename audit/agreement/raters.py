"""Each rater: how far they agree, which way they lean, how fast they are, whether they drift, where they are alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from audit.agreement.alternative import mean_below
from audit.agreement.segments import clustered_difference
from judge.ratings.panel import Panel, commonest
from judge.statistics.agreement import agreement_measures, headline
from judge.statistics.dawid_skene import DawidSkene, RatingMatrix, dawid_skene
from judge.statistics.discoveries import corrected
from judge.statistics.intervals import Estimate, by_query, by_query_index, confusion_by_query, each_by_query
from judge.statistics.multi_rater import unit_counts
from judge.statistics.shares import hits_by_query

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
    bias_q: float | None
    """The p-value of no bias (two-sided, errors clustered by query), corrected for the number of raters by Benjamini
    and Hochberg 1995: of many who do not lean, some seem to. Null where the bias has no interval."""
    leans: Sequence[Leniency]
    seconds: float | None
    """Median seconds between two ratings, breaks of ten minutes or more left out. Null without times."""
    drift: Estimate
    """Accuracy against the reference in the later half of their ratings less that in the earlier half."""
    drift_q: float | None
    """As `bias_q`, of no fall (one-sided)."""
    quarters: Sequence[float | None]
    """Accuracy in each quarter of their ratings, by time."""
    confusion: Sequence[Sequence[float] | None] | None
    """Dawid-Skene: the probability that they give the column's grade where the row's is true; null for a row that rests
    on less than half a pair."""
    true_pairs: Sequence[float] | None
    """Dawid-Skene: how many of their pairs are expected to have each true grade, which is what a row rests on."""
    alone: Sequence[Alone]


def report_raters(panel: Panel) -> list[RaterReport]:
    """One report a rater, those who agree least with the others first."""
    several = len(panel.raters) >= 2
    model = dawid_skene(RatingMatrix.of_table(panel.grades, panel.values)) if several else None
    votes = unit_counts(panel.grades, panel.values)
    found = [_report(panel, index, votes - _votes(own, panel.values), model) for index, own in enumerate(panel.grades)]
    q_bias, q_drift = (corrected(each) for each in ([r.bias_q for r in found], [r.drift_q for r in found]))
    found = [replace(r, bias_q=b, drift_q=d) for r, b, d in zip(found, q_bias, q_drift, strict=True)]
    return sorted(found, key=lambda r: -1.0 if r.with_others.value is None else r.with_others.value)


def _votes(own: Floats, values: Sequence[int]) -> Floats:
    """One rater's votes, shape (units, K)."""
    return np.asarray(own[:, None] == np.array(values), dtype=np.float64)


def _report(panel: Panel, index: int, votes: Floats, model: DawidSkene | None) -> RaterReport:
    """`votes` are those of all others, shape (units, K)."""
    own, others = panel.grades[index], commonest(votes, panel.values)
    gold = panel.gold
    lonely = "there is no other rater" if len(panel.raters) < 2 else "no pair has a majority of others"
    accuracy, kappa = _agreement(panel, own, others, lonely)
    no_gold = "the file has no adjudicated grade" if gold is None else "the rater shares no pair with gold"
    gold_accuracy, gold_kappa = _agreement(panel, own, others * np.nan if gold is None else gold, no_gold)
    reference = others if gold is None else gold
    drift, drift_p, quarters = _drift(panel, index, reference)
    leaning, both = bias(panel, own, reference), ~np.isnan(own) & ~np.isnan(reference)
    below = None if leaning.interval is None else mean_below((own - reference)[both], panel.queries[both], 0.0)
    return RaterReport(
        rater=panel.raters[index],
        n=int((~np.isnan(own)).sum()),
        with_others=accuracy,
        kappa_others=kappa,
        with_gold=gold_accuracy,
        kappa_gold=gold_kappa,
        bias=leaning,
        bias_q=None if below is None else 2 * min(below, 1 - below),
        leans=leans(own, reference, panel.values),
        seconds=_pace(panel.times[index]),
        drift=drift,
        drift_q=drift_p,
        quarters=quarters,
        confusion=None if model is None else _errors(model.confusion[index], model.true_pairs[index]),
        true_pairs=None if model is None else model.true_pairs[index].tolist(),
        alone=_alone(own, votes, panel.values),
    )


def _errors(confusion: Floats, pairs: Floats) -> list[list[float] | None]:
    """Rows that rest on half a pair or more: of others the model has nothing, and they would all look like chance."""
    return [row.tolist() if n >= 0.5 else None for row, n in zip(confusion, pairs, strict=True)]


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


def _drift(panel: Panel, index: int, reference: Floats) -> tuple[Estimate, float | None, list[float | None]]:
    """The drift, the p-value of no fall, and the quarters."""
    own, times = panel.grades[index], panel.times[index]
    usable = np.flatnonzero(~np.isnan(own) & ~np.isnan(reference) & ~np.isnan(times))
    if len(usable) < 8:
        why = "the file has no times" if np.isnan(times).all() else "fewer than eight timed pairs have a reference"
        return Estimate(None, None, None, why), None, []
    order = usable[np.argsort(times[usable], kind="stable")]
    hit = (own[order] == reference[order]).astype(np.float64)
    late = np.arange(len(order)) >= len(order) / 2

    def change(times: Floats) -> Floats:
        counts = [times[..., half].sum(axis=-1) for half in (late, ~late)]
        hits = [times[..., half] @ hit[half] for half in (late, ~late)]
        with np.errstate(invalid="ignore"):
            return np.asarray(hits[0] / counts[0] - hits[1] / counts[1])

    quarters = [float(part.mean()) for part in np.array_split(hit, 4)]
    every, query = np.unique(panel.queries[order], return_inverse=True)
    halves = [hits_by_query(query[half], hit[half], len(every)) for half in (late, ~late)]
    found = by_query_index(panel.queries[order], change, resamples=500)
    difference, p = clustered_difference(np.stack(halves, axis=1))
    fall = None if p is None or found.interval is None else p / 2 if difference < 0 else 1 - p / 2
    return found, fall, list(quarters)


def _alone(own: Floats, votes: Floats, values: Sequence[int]) -> list[Alone]:
    united = (votes.sum(axis=1) >= 2) & ((votes > 0).sum(axis=1) == 1)
    one = np.array(values)[votes.argmax(axis=1)]
    found = np.flatnonzero(united & ~np.isnan(own) & (own != one))
    far = sorted(found, key=lambda unit: -abs(own[unit] - one[unit]))
    return [Alone(int(unit), int(own[unit]), int(one[unit])) for unit in far]
