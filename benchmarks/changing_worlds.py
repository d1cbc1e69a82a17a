"""Shops whose shoppers, products or pages are not the same throughout a log, each over grades with the usual errors.

They were written to break the audit, after it had been tuned on the others.

- `once`: each search ends with its first click, and an eighth of the irrelevant products is clicked and carted as if it
  were relevant: a fine picture, the wrong size.
- `season`: in a third of the queries demand turns halfway through the log, and the ranking with it.
- `rival`: in three queries of ten a machine clicks one product, in a tenth of its impressions.
- `bestseller`: a product is found by some eight queries, and one in sixteen is clicked and bought from all of them.
- `gone`: the same, but an eighth of the products is out of stock under every query.
- `redesign`: halfway a list becomes a flat grid, and another ranking is used.
- `filter`: in a third of the queries part of the searches is filtered, by what a third of the products passes.
- `offers`: in each quarter of the log a tenth of the products is on offer: ranked up, clicked and carted more.
- `elsewhere`: what is dear is clicked more, and bought in a branch.
- `columns`: four columns, of which the middle ones are looked at most, and the last row more than those above it.
- `pages`: eight results a page, of which one search in seven opens the next.
- `devices`: phones and desktops differ in rows, in ranking and in what is liked.
"""

import numpy as np
from other_worlds import LARGEST, World
from planted import usual
from scipy.special import expit
from worlds import Draft, Shop, Taste, looked

PLACES = np.arange(24)
LOOK = 0.95 * 0.9**PLACES
WEIGHTS = (0.5, 0.7, 0.7)
Counts = dict[str, np.ndarray]


def once(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Bait that is carted, too, where one click ends a search."""
    taste = Taste(satisfy=(1.0, 1.0, 1.0), popularity=0.6, whim=0.5)
    draft = Draft(grade, query, taste, rng)
    bait = (grade == 0) & (rng.random(len(grade)) < 1 / 8)
    draft.click = draft.click + (taste.click[2] - taste.click[0]) * bait
    draft.cart = draft.cart + (taste.cart[2] - taste.cart[0]) * bait
    ranked = draft.ranked((0.5, 0.7, 0.8), 24)
    return draft.shop([draft.downwards(ranked, draft.searches(ranked, median), trust=0.03, onward=0.93)])


def season(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Demand turns halfway."""
    draft = _usual(grade, query, rng)
    turns = (rng.random(query.max() + 1) < 1 / 3)[query] * rng.choice([-1.2, 1.2], len(grade))
    return draft.shop([_moved(draft, median / 2, sign * turns, 0.5 * sign * turns) for sign in (-1, 1)])


def rival(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A machine clicks one product."""
    draft = _usual(grade, query, rng)
    part = _plain(draft, median)
    order = rng.permutation(len(grade))
    one = order[np.unique(query[order], return_index=True)[1]]
    chosen = np.isin(np.arange(len(grade)), one[rng.random(len(one)) < 0.3])
    hit = np.where(chosen[part["pair"]] & (part["pair"] >= 0), 0.1, 0)
    part["clicks"] = part["clicks"] + rng.binomial(part["impressions"] - part["clicks"], hit)
    return draft.shop([part])


def bestseller(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Some products are liked whatever was searched for."""
    draft, product = _usual(grade, query, rng), _products(query, rng)
    best = rng.random(product.max() + 1) < 1 / 16
    effect = (rng.normal(0, 0.4, len(best)) + 1.6 * best)[product]
    draft.buy = draft.buy + 0.6 * best[product]
    return draft.shop([_moved(draft, median, effect, 1.0 * best[product])])


def gone(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Some products cannot be bought, whatever was searched for."""
    draft, product = _usual(grade, query, rng), _products(query, rng)
    out = (rng.random(product.max() + 1) < 1 / 8)[product]
    draft.click, draft.cart = draft.click - 1.8 * out, draft.cart - 9.0 * out
    return draft.shop([_plain(draft, median)])


def redesign(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Examination and ranking change halfway."""
    draft = _usual(grade, query, rng)
    parts = [_plain(draft, median / 2, 0.95 * 0.78**PLACES, (0.2, 0.9, 0.7))]
    return draft.shop([*parts, _plain(draft, median / 2, 0.8 * 0.9 ** (PLACES // 4), (0.9, 0.5, 0.7))])


def filtered(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """What a filter leaves is shown higher, and clicked more whatever its grade."""
    draft = _usual(grade, query, rng)
    parts = [_plain(draft, median * 0.6)]
    passes, able = rng.random(len(grade)) < 1 / 3, rng.random(query.max() + 1) < 1 / 3
    ranked = draft.ranked(WEIGHTS, len(PLACES))
    for row in ranked.reshape(-1, len(PLACES)):
        kept = row[row >= 0]
        kept = kept[passes[kept] & able[query[kept]]]
        row[:] = -1
        row[: len(kept)] = kept
    nothing = np.zeros(len(grade))
    return draft.shop([*parts, looked(draft, ranked, median * 0.4, LOOK, nothing + 0.8, bots=0.0)])


def offers(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Other products are on offer in each quarter."""
    draft, parts = _usual(grade, query, rng), []
    for _ in range(4):
        reduced = 1.0 * (rng.random(len(grade)) < 0.1)
        parts.append(_moved(draft, median / 4, 1.5 * reduced, reduced))
    return draft.shop(parts)


def elsewhere(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Clicks and carts go apart with the price."""
    draft = _usual(grade, query, rng)
    dear = rng.normal(0, 0.8, len(grade))
    draft.click, draft.cart, draft.buy = draft.click + dear, draft.cart - 1.5 * dear - 0.8, draft.buy - 1
    return draft.shop([_plain(draft, median)])


def columns(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Examination that neither falls with the place nor is one in a row."""
    draft, place = _usual(grade, query, rng), np.arange(LARGEST)
    look = 0.9 * 0.8 ** (place // 4) * np.array([0.8, 1, 1, 0.7])[place % 4] + 0.08 * (place // 4 == LARGEST // 4 - 1)
    return draft.shop([_plain(draft, median, look)])


def pages(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """What stands on a page that was not opened is no impression; who opens the next is keener."""
    draft, parts = _usual(grade, query, rng), []
    ranked = draft.ranked((0.7, 0.7, 0.6), 24)
    reading = draft.searches(ranked, median)
    for page in range(3):
        pair = ranked[..., page * 8 : page * 8 + 8]
        shown = np.where(pair >= 0, reading[..., None], 0)
        seen = rng.binomial(shown, 0.95 * 0.85 ** np.arange(8))
        hit = rng.binomial(seen, expit(draft.click[pair] + 0.4 * (page > 0)))
        cart = rng.binomial(hit, expit(draft.cart[pair]))
        counts = {"impressions": shown, "looked_at": seen, "clicks": hit, "add_to_carts": cart}
        counts |= {"purchases": rng.binomial(cart, expit(draft.buy[pair])), "pair": pair}
        parts.append(counts | {"position": np.broadcast_to(np.arange(1, 9) + page * 8, pair.shape)})
        reading = rng.binomial(reading, 1 / 7)
    return draft.shop(parts)


def devices(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Two thirds of the searches are on phones."""
    draft, parts = _usual(grade, query, rng), []
    liked = rng.normal(0, 0.6, len(grade))
    for share, look, sign in ((2 / 3, 0.95 * 0.72 ** (PLACES // 2), 1), (1 / 3, 0.9 * 0.97**PLACES, -1)):
        ranked = draft.ranked(WEIGHTS, len(PLACES))
        parts.append(looked(draft, ranked, median * share, look, sign * liked, bots=0.0))
    return draft.shop(parts)


def _usual(grade: np.ndarray, query: np.ndarray, rng: np.random.Generator) -> Draft:
    return Draft(grade, query, Taste(popularity=0.5, whim=0.5), rng)


def _plain(
    draft: Draft, median: float, look: np.ndarray = LOOK, weights: tuple[float, float, float] = WEIGHTS
) -> Counts:
    ranked = draft.ranked(weights, len(look))
    return looked(draft, ranked, median, look, np.zeros(len(draft.grade)), bots=0.0)


def _moved(draft: Draft, median: float, clicks: np.ndarray, carts: np.ndarray) -> Counts:
    """Counts of a time in which products are ranked, clicked and carted by so much more."""
    kept = draft.click, draft.cart, draft.popularity
    draft.click, draft.cart, draft.popularity = kept[0] + clicks, kept[1] + carts, kept[2] + clicks
    part = _plain(draft, median)
    draft.click, draft.cart, draft.popularity = kept
    return part


def _products(query: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which product each pair is of, shape (N,): in a query once at most, some in many more queries than others."""
    chance = rng.lognormal(0, 0.7, max(len(query) // 8, LARGEST + 5))
    out = np.empty(len(query), dtype=np.int64)
    for q in range(query.max() + 1):
        own = np.flatnonzero(query == q)
        out[own] = rng.choice(len(chance), len(own), replace=False, p=chance / chance.sum())
    return out


CHANGING = {
    name: World(shop, ("esci", "chorus"), 2500, usual(0.08))
    for name, shop in {
        "once": once,
        "season": season,
        "rival": rival,
        "bestseller": bestseller,
        "gone": gone,
        "redesign": redesign,
        "filter": filtered,
        "offers": offers,
        "elsewhere": elsewhere,
        "columns": columns,
        "pages": pages,
        "devices": devices,
    }.items()
}
