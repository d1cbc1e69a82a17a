"""Click models on counts: position-based, trust bias, user browsing, cascade. Fitted by expectation-maximisation.

All say P(click) = examined x attractive, where `examined` depends on a context: the position (position-based), or the
position and the last click above (user browsing). With trust bias an examined result that does not attract is clicked
nevertheless with a chance that depends on its position.

Sources: Craswell et al. 2008 (position-based, cascade); Dupret and Piwowarski 2008 (user browsing); Chapelle and Zhang
2009 (DBN); Agarwal et al. 2019, "Addressing Trust Bias for Unbiased Learning-to-Rank"; Vardasbi et al. 2020, "When
Inverse Propensity Scoring does not Work" (the affine correction); Chuklin et al. 2015, "Click Models for Web Search".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audit.engagement.counts import Cells, Floats, Ints

ROUNDS = 60
PRIOR = 2.0
"""Pseudo-impressions that hold a pair's attractiveness to the mean: pairs seen once would go to 0 or 1."""
TINY = 1e-6
WIDTH = 64
"""Contexts are `position * WIDTH + last`."""


@dataclass(frozen=True, slots=True)
class ClickModel:
    """A fitted model: chances by context, and the attractiveness of the pairs it was fitted to.

    `examined` and `trusted` have an entry for each context `position * WIDTH + last`; NaN where there were no counts.
    """

    name: str
    examined: Floats
    trusted: Floats
    attractive: Floats
    """By pair; the mean for pairs that it has not seen."""

    def click_chance(self, cells: Cells) -> Floats:
        """P(click) of each cell's impressions given what was clicked above, in (0, 1)."""
        context = contexts(cells)
        seen = np.nan_to_num(self.examined[context])
        alpha = self.attractive[cells.pair]
        chance = seen * (alpha + np.nan_to_num(self.trusted[context]) * (1 - alpha))
        return np.asarray(np.clip(chance, TINY, 1 - TINY))


def contexts(cells: Cells) -> Ints:
    """Each cell's position and last click as one number."""
    return np.asarray(cells.position * WIDTH + cells.last)


def perplexity(chance: Floats, cells: Cells) -> float:
    """2 to the mean surprise of an impression, in bits; in [1, inf), lower is better. NaN without impressions."""
    shown = cells.impressions.sum()
    if not shown > 0:
        return float("nan")
    bits = cells.clicks * np.log2(chance) + (cells.impressions - cells.clicks) * np.log2(1 - chance)
    return float(2 ** (-bits.sum() / shown))


def position_based(cells: Cells, pairs: int) -> ClickModel:
    """The position-based model. `pairs` is the number of pairs that attractiveness is wanted for."""
    table, alpha = _fit(cells, pairs, cells.position)
    spread = _padded(np.repeat(table, WIDTH))
    return ClickModel("position-based", spread, np.zeros_like(spread), alpha)


def user_browsing(cells: Cells, pairs: int) -> ClickModel:
    """The user browsing model: examination by position and last click above."""
    table, alpha = _fit(cells, pairs, contexts(cells))
    full = _padded(table)
    return ClickModel("user browsing", full, np.zeros_like(full), alpha)


def cascade(cells: Cells, pairs: int) -> ClickModel:
    """The cascade model: everything is examined down to the first click, and nothing below it."""
    first = cells.where(cells.last == 0)
    alpha = _shrunk(_by(first.pair, first.clicks, pairs), _by(first.pair, first.impressions, pairs))
    full = np.zeros(WIDTH * WIDTH)
    full[::WIDTH] = 1.0
    return ClickModel("cascade", full, np.zeros_like(full), alpha)


def trust_bias(cells: Cells, pairs: int) -> ClickModel:
    """The position-based model with clicks out of trust: examined x (attractive + trust x (1 - attractive)).

    Trust is none at the lowest position in use, since only its differences between positions can be told.
    """
    cells, place = _merged(cells, cells.position)
    start = position_based(cells, pairs)
    shown, shown_pair = _by(place, cells.impressions, WIDTH), _by(cells.pair, cells.impressions, pairs)
    idle = cells.impressions - cells.clicks
    seen, alpha = np.nan_to_num(start.examined[::WIDTH].copy()), start.attractive.copy()
    trust = np.where(np.arange(len(seen)) < place.max(), 0.05, 0.0)
    for _ in range(ROUNDS):
        s, t, a = seen[place], trust[place], alpha[cells.pair]
        chance = np.clip(s * (a + t * (1 - a)), TINY, 1 - TINY)
        passed = idle * s * (1 - a) * (1 - t) / (1 - chance)
        drawn = cells.clicks * s * a / chance + idle * a * (1 - s) / (1 - chance)
        trusted = cells.clicks * s * t * (1 - a) / chance
        dull = trusted + passed
        alpha = _shrunk(_by(cells.pair, drawn, pairs), shown_pair)
        seen = _ratio(_by(place, cells.clicks + passed, WIDTH), shown)
        trust = _ratio(_by(place, trusted, WIDTH), _by(place, dull, WIDTH))
        trust[place.max() :] = 0.0
        seen /= max(seen.max(), TINY)
    seen[shown == 0] = np.nan
    return ClickModel("trust bias", np.repeat(seen, WIDTH), np.repeat(np.nan_to_num(trust), WIDTH), alpha)


MODELS: dict[str, Callable[[Cells, int], ClickModel]] = {
    "position-based": position_based,
    "trust bias": trust_bias,
    "user browsing": user_browsing,
    "cascade": cascade,
}
NEEDS_SEARCHES = ("user browsing", "cascade")


def _fit(cells: Cells, pairs: int, context: Ints, rounds: int = ROUNDS) -> tuple[Floats, Floats]:
    """Expectation-maximisation of click = examined(context) x attractive(pair): both, the highest examination 1."""
    cells, context = _merged(cells, context)
    size = int(context.max()) + 1 if len(cells) else 1
    shown = _by(context, cells.impressions, size)
    shown_pair = _by(cells.pair, cells.impressions, pairs)
    gamma = _ratio(_by(context, cells.clicks, size), shown)
    gamma = np.clip(gamma / max(gamma.max(), TINY), TINY, 1)
    alpha = _shrunk(_by(cells.pair, cells.clicks, pairs), shown_pair)
    idle = cells.impressions - cells.clicks
    for _ in range(rounds):
        g, a = gamma[context], alpha[cells.pair]
        rest = idle / np.maximum(1 - g * a, TINY)
        alpha = _shrunk(_by(cells.pair, cells.clicks + rest * a * (1 - g), pairs), shown_pair)
        gamma = _ratio(_by(context, cells.clicks + rest * g * (1 - a), size), shown)
        gamma = gamma / max(gamma[shown > 0].max(initial=TINY), TINY)
    gamma[shown == 0] = np.nan
    return gamma, alpha


def _merged(cells: Cells, context: Ints) -> tuple[Cells, Ints]:
    """One cell for each pair and context: fewer to go over in every round."""
    size = int(context.max(initial=0)) + 1
    key, first, inverse = np.unique(cells.pair * size + context, return_index=True, return_inverse=True)
    few = cells.where(first)
    return few.counted(_by(inverse, cells.impressions, len(key)), _by(inverse, cells.clicks, len(key))), context[first]


def _padded(table: Floats) -> Floats:
    """An entry for every context that there can be: others may be deeper than those that were fitted to."""
    return np.pad(table, (0, WIDTH * WIDTH - len(table)), constant_values=np.nan)


def _by(index: Ints, amount: Floats, size: int) -> Floats:
    return np.bincount(index, amount, minlength=size).astype(np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _shrunk(clicks: Floats, shown: Floats) -> Floats:
    mean = clicks.sum() / max(shown.sum(), TINY)
    return np.asarray(np.clip((clicks + PRIOR * mean) / (shown + PRIOR), TINY, 1 - TINY))
