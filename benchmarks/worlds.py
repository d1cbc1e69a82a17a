"""Shops whose shoppers are known: counts of what they saw, clicked, put into carts and bought, for graded pairs.

Each world is another way to shop. None of them is a model that the auditor fits, and nothing here imports it:

- `dbn`: read downwards, click what attracts or out of trust in its place, leave when satisfied.
- `cascade`: the same without trust, ended by the first satisfying click or by giving up; ranked by a popularity that
  draws clicks and is no relevance.
- `grid`: rows of products on desktops and phones, bots, seasons, a price that moves clicks and carts alike, and a third
  of the queries where products are put into the cart from the list.
- `feed`: a long list on phones, sponsored products pinned to the top, a brand that moves clicks, carts and purchases,
  buyers who come back to what they saw. Kept apart: look at it last.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

RANKINGS = 24
"""Orders in which each query's products are shown, over time."""


@dataclass(frozen=True)
class Shop:
    """Pairs of shape (N,), their true grades, and the counts of each at each position, shape (M,)."""

    grade: np.ndarray
    query: np.ndarray
    counts: dict[str, np.ndarray]
    """`pair, position, impressions, clicks, add_to_carts, purchases`, and `looked_at`, which no shop knows."""
    signals: np.ndarray
    """Shape (N, C): the logits that no amount of traffic could tell better."""
    centres: np.ndarray
    """Shape (N, K, C): their means if the pair's grade were k, in its query."""
    covariance: np.ndarray
    """Shape (C, C), of `signals` about `centres`."""

    def oracle(self, prior: np.ndarray, label: np.ndarray, *, carts: bool = True) -> np.ndarray:
        """P(the label is wrong) for one who knows the signals, by the prior of shape (N, K)."""
        used = slice(None) if carts else slice(0, 1)
        apart = self.signals[:, None, used] - self.centres[:, :, used]
        inverse = np.linalg.inv(self.covariance[used, used])
        score = np.log(prior + 1e-300) - 0.5 * np.einsum("nkc,cd,nkd->nk", apart, inverse, apart)
        score = np.exp(score - score.max(axis=1, keepdims=True))
        return 1 - (score / score.sum(axis=1, keepdims=True))[np.arange(len(label)), label]


@dataclass(frozen=True)
class Taste:
    """Logits of clicks (given a look), carts (given a click), purchases (given a cart), by grade, and their spreads."""

    click: tuple[float, ...] = (-3.5, -2.4, -1.3)
    cart: tuple[float, ...] = (-2.8, -2.2, -1.4)
    buy: tuple[float, ...] = (-1.0, -0.4, 0.2)
    satisfy: tuple[float, ...] = (0.15, 0.45, 0.7)  # chances
    by_query: float = 0.5
    popularity: float = 0.75
    whim: float = 0.6  # of carts alone, and of purchases alone
    shared: float = 0.0  # an effect of price or brand that clicks, carts and purchases have in common


@dataclass
class Draft:
    """A shop that is being drawn."""

    grade: np.ndarray
    query: np.ndarray
    taste: Taste
    rng: np.random.Generator
    listed: bool = False  # whether a third of the queries cart from the list
    click: np.ndarray = field(init=False)
    cart: np.ndarray = field(init=False)
    buy: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        size, t = len(self.grade), self.taste
        self.by_query = self.rng.normal(0, t.by_query, self.query.max() + 1)[self.query]
        self.popularity = self.rng.normal(0, t.popularity, size)
        self.shared = self.rng.normal(0, t.shared, size) if t.shared else np.zeros(size)
        self.click = np.array(t.click)[self.grade] + self.by_query + self.popularity + self.shared
        self.cart = np.array(t.cart)[self.grade] + self.rng.normal(0, t.whim, size) + self.shared
        self.buy = np.array(t.buy)[self.grade] + self.rng.normal(0, t.whim, size) + self.shared
        self.from_list = self.rng.random(self.query.max() + 1)[self.query] < (1 / 3 if self.listed else 0)

    def ranked(self, weights: tuple[float, float, float], depth: int) -> np.ndarray:
        """Pairs as shown, shape (Q, RANKINGS, depth), -1 where there is none; ordered by grade, popularity, chance."""
        by_grade, by_popularity, by_chance = weights
        base = by_grade * self.grade + by_popularity * (self.popularity + self.shared)
        base = base + self.rng.normal(0, 0.5, len(base))
        out = np.full((self.query.max() + 1, RANKINGS, depth), -1)
        for q in range(len(out)):
            own = np.flatnonzero(self.query == q)
            score = base[own] + self.rng.normal(0, by_chance, (RANKINGS, len(own)))
            best = np.argsort(-score, axis=1)[:, :depth]
            out[q, :, : best.shape[1]] = own[best]
        return out

    def searches(self, ranked: np.ndarray, median: int) -> np.ndarray:
        """Searches of each query and ranking, shape (Q, RANKINGS): the median pair is shown about `median` times."""
        share = self.rng.dirichlet(np.full(RANKINGS, 2.0), len(ranked)) * self.rng.lognormal(0, 1, (len(ranked), 1))
        flat, shown = ranked.reshape(-1), np.repeat(share.reshape(-1), ranked.shape[-1])
        seen = np.bincount(flat[flat >= 0], shown[flat >= 0], minlength=len(self.grade))
        return self.rng.poisson(share * median / np.median(seen[seen > 0]))

    def shop(self, parts: list[dict[str, np.ndarray]]) -> Shop:
        """The counts added up by pair and position, and what the oracle knows."""
        flat = {name: np.concatenate([part[name].ravel() for part in parts]) for name in parts[0]}
        kept = (flat["pair"] >= 0) & (flat["impressions"] > 0)
        key, inverse = np.unique(flat["pair"][kept] * 1000 + flat["position"][kept], return_inverse=True)
        names = ("impressions", "clicks", "add_to_carts", "purchases", "looked_at")
        counts = {name: np.bincount(inverse, flat[name][kept]).astype(np.int64) for name in names}
        counts |= {"pair": key // 1000, "position": key % 1000}
        t = self.taste
        centres = np.stack([t.click, t.cart, t.buy], axis=1) + self.by_query[:, None, None] * np.array([1.0, 0.0, 0.0])
        covariance = np.diag([t.popularity**2, t.whim**2, t.whim**2]) + t.shared**2
        signals = np.stack([self.click, self.cart, self.buy], axis=1)
        return Shop(self.grade, self.query, counts, signals, centres, covariance)

    def downwards(self, ranked: np.ndarray, searches: np.ndarray, trust: float, onward: float) -> dict[str, np.ndarray]:
        """Counts of shoppers who read from the top until satisfied or tired, of shape (Q, RANKINGS, depth)."""
        draw, reading = self.rng.binomial, searches.copy()
        names = ("impressions", "clicks", "add_to_carts", "purchases", "looked_at")
        out = {name: np.zeros(ranked.shape, dtype=np.int64) for name in names}
        for place in range(ranked.shape[-1]):
            pair = ranked[..., place]
            drawn = expit(self.click[pair])
            hit = draw(reading, np.where(pair >= 0, drawn + trust * 0.7**place * (1 - drawn), 0))
            out["impressions"][..., place] = searches
            out["looked_at"][..., place] = reading
            out["clicks"][..., place] = hit
            out["add_to_carts"][..., place] = cart = draw(hit, expit(self.cart[pair]))
            out["purchases"][..., place] = draw(cart, expit(self.buy[pair]))
            reading = draw(reading - draw(hit, np.array(self.taste.satisfy)[self.grade[pair]]), onward)
        return out | _places(ranked)


def _places(ranked: np.ndarray) -> dict[str, np.ndarray]:
    return {"pair": ranked, "position": np.broadcast_to(np.arange(1, ranked.shape[-1] + 1), ranked.shape)}


def dbn(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A dynamic Bayesian network with trust in places."""
    draft = Draft(grade, query, Taste(), rng)
    ranked = draft.ranked((0.5, 0.8, 1.0), 16)
    return draft.shop([draft.downwards(ranked, draft.searches(ranked, median), trust=0.08, onward=0.9)])


def cascade(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A cascade with shoppers who give up, ranked by popularity; rankings move less than in `dbn`."""
    draft = Draft(grade, query, Taste(satisfy=(0.5, 0.8, 0.95), popularity=0.85), rng)
    ranked = draft.ranked((0.3, 1.2, 0.6), 20)
    return draft.shop([draft.downwards(ranked, draft.searches(ranked, median), trust=0.0, onward=0.92)])


def grid(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Rows on two devices; bots; seasons; a shared price effect; a third of the queries cart from the list."""
    draft = Draft(
        grade,
        query,
        Taste(click=(-3.9, -2.6, -1.4), cart=(-3.2, -2.2, -1.0), popularity=0.5, whim=0.5, shared=0.5),
        rng,
        listed=True,
    )
    parts = []
    for share, columns, keen in ((0.6, 4, 0.0), (0.4, 2, -0.3)):
        place = np.arange(24)
        look = 0.95 * 0.78 ** (place // columns) * (1 - 0.08 * (place % columns))
        for _ in range(3):
            season = rng.normal(0, 0.3, len(grade))
            ranked = draft.ranked((0.4, 0.6, 0.6), 24)
            parts.append(looked(draft, ranked, share * median / 4.6, look, season + keen, bots=0.01))
    return draft.shop(parts)


def feed(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A phone's long list with sponsored products on top, a shared brand effect, and returning buyers."""
    draft = Draft(grade, query, Taste((-3.4, -2.5, -1.3), by_query=0.7, popularity=0.4, whim=0.3, shared=0.5), rng)
    sponsored = draft.ranked((0.0, 0.0, 0.1), 2)
    ranked = np.concatenate([sponsored, draft.ranked((0.8, 0.5, 0.5), 16)], axis=-1)
    # What is pinned is not shown again below: its second place stays empty.
    ranked[..., 2:][(ranked[..., 2:, None] == sponsored[..., None, :]).any(axis=-1)] = -1
    place = np.arange(ranked.shape[-1])
    look = 1 / (1 + 0.22 * place)
    look[:2] *= 0.6
    parts = [looked(draft, ranked, median / 2, look, rng.normal(0, 0.2, len(grade)), bots=0.0) for _ in range(2)]
    for part in parts:  # a fifth come back and click once more, without being shown anything new
        part["clicks"] = np.minimum(part["clicks"] + rng.binomial(part["clicks"], 0.2), part["impressions"])
    return draft.shop(parts)


def looked(
    draft: Draft, ranked: np.ndarray, median: float, look: np.ndarray, shift: np.ndarray, bots: float
) -> dict[str, np.ndarray]:
    """Counts of shoppers who look at each place with a chance of its own."""
    rng, there = draft.rng, ranked >= 0
    searches = draft.searches(ranked, max(int(median), 1))[..., None]
    shown = np.where(there, searches, 0)
    robots = rng.binomial(shown, bots)
    seen = rng.binomial(shown - robots, look)
    from_list = draft.from_list[ranked] & there
    click = draft.click[ranked] + shift[ranked] - 1.5 * from_list
    people = rng.binomial(seen, expit(click))
    carts = rng.binomial(people, expit(draft.cart[ranked] + shift[ranked]))
    carts += rng.binomial(seen - people, np.where(from_list, expit(draft.cart[ranked] - 1 + shift[ranked]), 0))
    clicks = people + rng.binomial(robots, 0.3)
    buys = rng.binomial(carts, expit(draft.buy[ranked]))
    counts = {"impressions": shown, "clicks": clicks, "add_to_carts": carts, "purchases": buys, "looked_at": seen}
    return counts | _places(ranked)


WORLDS: dict[str, Callable[[np.ndarray, np.ndarray, int, np.random.Generator], Shop]] = {
    "dbn": dbn,
    "cascade": cascade,
    "grid": grid,
    "feed": feed,
}
