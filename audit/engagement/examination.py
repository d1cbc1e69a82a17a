"""Where people looked: click models compared on held-out impressions, and the curve of the best one with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audit.engagement.browsing import fit_browsing
from audit.engagement.clickmodels import MODELS, NEEDS_SEARCHES, WIDTH, ClickModel, contexts, perplexity
from audit.engagement.counts import Cells, Floats, Ints, Searches

RESAMPLES = 30
DRAWN = 200
"""Queries in a resample, at most."""
TOLD_BY_CLICKS = ("cascade", "dynamic Bayesian")
"""Models in which the clicks above say what was looked at. In all others, user browsing too, a position's examination
may grow by what its pairs' attractiveness shrinks, unless a pair was shown elsewhere too."""
BRIDGE = 30.0
"""Impressions that the pairs shown at two positions must have together at either, for the two to be compared."""
CHUNK = 20_000
HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Examination at one position, relative to the most examined one; null with a reason where it cannot be told."""

    position: int
    examined: float | None
    low: float | None
    high: float | None
    impressions: int
    clicks: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Examination:
    """What the data say of where people looked."""

    model: ClickModel
    perplexities: Mapping[str, float | None]
    """Of each model on held-out impressions; null for one that needs single searches where only counts are known."""
    base_perplexity: float | None
    """Of one click rate for everything."""
    curve: tuple[CurvePoint, ...]
    note: str | None
    """What cannot be told, and why."""

    def table(self) -> tuple[list[int], list[int], list[float | None], list[float]]:
        """Columns `position, last, seen, trust` of every context; `seen` is null where it cannot be told."""
        known = [None if np.isnan(value) else float(value) for value in self.model.examined]
        keys = range(len(known))
        trust = np.nan_to_num(self.model.trusted).tolist()
        return [k // WIDTH for k in keys], [k % WIDTH for k in keys], known, trust


def examine(cells: Cells, searches: Searches | None, seed: int = 0) -> Examination:
    """Fit the click models, pick the one that predicts held-out impressions best, and draw its curve.

    Args:
        cells: Counts to fit to; `last` is 0 throughout where searches are not known.
        searches: Single searches, or null.
        seed: Of the split and of the intervals.
    """
    rng = np.random.default_rng(seed)
    scores, base = _compare(cells, searches, rng)
    ranked = sorted((value, name) for name, value in scores.items() if value is not None and not np.isnan(value))
    name = ranked[0][1] if ranked else "position-based"
    pairs = int(cells.pair.max(initial=-1)) + 1
    if name == "dynamic Bayesian":
        assert searches is not None
        model = fit_browsing(searches, int(searches.pair.max()) + 1).table(searches)
    else:
        model = MODELS[name](cells, pairs)
    apart: Ints = np.zeros(0, dtype=np.int64)
    note = None
    if name not in TOLD_BY_CLICKS:
        apart = unconnected(cells)
        if len(apart):
            model = _without(model, apart)
            listed = ", ".join(map(str, apart[:12])) + (" …" if len(apart) > 12 else "")
            where = "position" if len(apart) == 1 else "positions"
            note = (
                f"examination at {where} {listed} cannot be told from relevance: what was shown there "
                f"was shown fewer than {BRIDGE:.0f} times at any other; vary the ranking a little, or bring more events"
            )
    return Examination(model, scores, base, _curve(cells, searches, (model, apart), rng), note)


def unconnected(cells: Cells) -> Ints:
    """Positions that no chain of pairs shown at several positions ties to the one shown most; ascending."""
    root = list(range(WIDTH))

    def find(x: int) -> int:
        while root[x] != x:
            x = root[x]
        return x

    for a, b in np.argwhere(_bridges(cells) >= BRIDGE):
        root[find(int(a))] = find(int(b))
    total = np.bincount(cells.position, cells.impressions, minlength=WIDTH)
    used = np.flatnonzero(total)
    if not len(used):
        return used
    groups = np.array([find(int(p)) for p in used])
    weight = np.bincount(groups, total[used], minlength=WIDTH)
    apart: Ints = used[groups != weight.argmax()]
    return apart


def _bridges(cells: Cells) -> Floats:
    """Impressions by which two positions can be compared, of all pairs together, shape (WIDTH, WIDTH).

    A pair gives as many as it has at the one of the two where it has fewer.
    """
    pairs, own = np.unique(cells.pair, return_inverse=True)
    found = np.zeros((WIDTH, WIDTH))
    for start in range(0, len(pairs), CHUNK):
        mine = (own >= start) & (own < start + CHUNK)
        shown = np.zeros((min(CHUNK, len(pairs) - start), WIDTH))
        np.add.at(shown, (own[mine] - start, cells.position[mine]), cells.impressions[mine])
        for position in np.flatnonzero(shown.any(axis=0)):
            found[position] += np.minimum(shown, shown[:, position, None]).sum(axis=0)
    return found


def _without(model: ClickModel, positions: Ints) -> ClickModel:
    examined = model.examined.copy()
    for position in positions:
        examined[position * WIDTH : (position + 1) * WIDTH] = np.nan
    top = np.nanmax(examined) if (~np.isnan(examined)).any() else 1.0
    return ClickModel(model.name, examined / top, model.trusted, model.attractive)


def _compare(
    cells: Cells, searches: Searches | None, rng: np.random.Generator
) -> tuple[dict[str, float | None], float | None]:
    """Held-out perplexity of every model that the data allow, and of one rate for everything."""
    scores: dict[str, float | None] = dict.fromkeys((*MODELS, "dynamic Bayesian"))
    allowed = [name for name in MODELS if searches is not None or name not in NEEDS_SEARCHES]
    train, test = _thinned(cells, rng)
    if searches is not None:
        out = rng.random(len(searches.query)) < HELD_OUT
        kept, held = searches.where(~out), searches.where(out)
        train, test = kept.cells(), held.cells()
    if not len(train) or not len(test) or not test.clicks.sum():
        return scores, None
    pairs = int(max(train.pair.max(), test.pair.max())) + 1
    for name in allowed:
        scores[name] = perplexity(MODELS[name](train, pairs).click_chance(test), test)
    if searches is not None:
        scores["dynamic Bayesian"] = perplexity(fit_browsing(kept, pairs).click_chance(held), test)
    rate = np.full(len(test), np.clip(train.clicks.sum() / train.impressions.sum(), 1e-6, 1 - 1e-6))
    return scores, perplexity(rate, test)


def _thinned(cells: Cells, rng: np.random.Generator) -> tuple[Cells, Cells]:
    """Each impression goes to the held-out side with chance `HELD_OUT`."""
    clicks = rng.binomial(cells.clicks.astype(np.int64), HELD_OUT).astype(np.float64)
    idle = rng.binomial((cells.impressions - cells.clicks).astype(np.int64), HELD_OUT) + clicks
    return cells.counted(cells.impressions - idle, cells.clicks - clicks), cells.counted(idle, clicks)


def _curve(
    cells: Cells, searches: Searches | None, fitted: tuple[ClickModel, Ints], rng: np.random.Generator
) -> tuple[CurvePoint, ...]:
    """The model's examination by position, its interval by resampling queries (95%)."""
    model, apart = fitted
    if model.name == "dynamic Bayesian":
        assert searches is not None
        cells = searches.cells()
    by_position = _positions(cells, model)
    queries = np.unique(cells.query)
    drawn = [_redrawn(cells, searches, fitted, rng) for _ in range(RESAMPLES if len(queries) > 1 else 0)]
    shown = np.bincount(cells.position, cells.impressions, minlength=WIDTH)
    hit = np.bincount(cells.position, cells.clicks, minlength=WIDTH)
    points = []
    # With more queries than are drawn, the interval of fewer is too wide by the root of their ratio.
    shrink = np.sqrt(min(len(queries), DRAWN) / max(len(queries), 1))
    for p in np.flatnonzero(shown):
        value = by_position[p]
        values = np.array([d[p] for d in drawn])
        values = values[~np.isnan(values)]
        low = high = None
        if not np.isnan(value) and len(values) and 2 * len(values) > len(drawn):
            low, high = (float(value + (q - value) * shrink) for q in np.quantile(values, [0.025, 0.975]))
        exact = None if np.isnan(value) else float(value)
        reason = "what was shown here was hardly shown elsewhere" if p in apart else None
        points.append(CurvePoint(int(p), exact, low, high, int(shown[p]), int(hit[p]), reason))
    return tuple(points)


def _redrawn(
    cells: Cells, searches: Searches | None, fitted: tuple[ClickModel, Ints], rng: np.random.Generator
) -> Floats:
    """The curve of as many queries, drawn with replacement; at most `DRAWN`."""
    model, apart = fitted
    if model.name == "dynamic Bayesian":
        assert searches is not None
        few = searches.where(_draw(searches.query, rng))
        return _positions(few.cells(), fit_browsing(few, int(few.pair.max()) + 1, rounds=8).table(few))
    part = cells.where(_draw(cells.query, rng))
    again = MODELS[model.name](part, int(cells.pair.max()) + 1)
    return _positions(part, _without(again, apart) if len(apart) else again)


def _draw(query: Ints, rng: np.random.Generator) -> Ints:
    """Rows of queries that were drawn with replacement."""
    queries, count = np.unique(query, return_counts=True)
    order = np.argsort(query, kind="stable")
    starts = np.cumsum(count) - count
    chosen = rng.integers(len(queries), size=min(len(queries), DRAWN))
    rows: Ints = np.concatenate([order[starts[i] : starts[i] + count[i]] for i in chosen])
    return rows


def _positions(cells: Cells, model: ClickModel) -> Floats:
    """Mean examination of the impressions at each position."""
    seen = model.examined[contexts(cells)]
    ok = ~np.isnan(seen)
    shown = np.bincount(cells.position[ok], cells.impressions[ok], minlength=WIDTH)
    mean = np.full(WIDTH, np.nan)
    looked = np.bincount(cells.position[ok], (seen * cells.impressions)[ok], minlength=WIDTH)
    np.divide(looked, shown, out=mean, where=shown > 0)
    return mean
