"""Shops that differ in kind from those the audit was tuned on, each with grades and label errors of its own.

They were written before anything of the auditor was read. `sponsored`, `substitutes`, `looks`, `frozen`, `stockouts`
and `scarce` served to look for faults, on seed 1; the rest was looked at afterwards, and a check was eased then.

- `sponsored`: a marketplace where promoted products, most of them irrelevant, take the first places and every ninth.
- `substitutes`: what is labelled 1 attracts and is carted as much as what is labelled 2; only purchases differ.
- `looks`: fashion in a grid: a picture decides far more than the grade does.
- `frozen`: rankings that never move, made by past clicks, under a strong bias for the top.
- `stockouts`: prices move and a fifth of the products cannot be bought in each quarter of the log.
- `scarce`: one pair in twenty is irrelevant, few pairs, and hardly any label is wrong.
- `reorders`: business customers buy from lists without a click; most pairs are shown a dozen times.
- `robots`: price comparers click everything in one category; one rater made most errors.
- `meanings`: a third of the queries mean two things; labels follow one, half of the shoppers the other.
- `clutter`: three pairs in five are irrelevant and 30% of the labels are wrong.
- `fads`: labels err towards what is popular.
- `rules`: labels of two categories are too low: a rule was misread.

Three more were written later: one against `audit.engagement.three_views`, two against `audit.engagement.borne_out`:

- `eager`: who searches for what the shop has plenty of clicks more, on everything.
- `soldout`: an eighth of the relevant products is out of stock as long as the log runs.
- `bait`: an eighth of the irrelevant products draws clicks by its picture, whatever was searched for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from planted import Errors, by_category, by_popularity, one_rater, real_grades, upwards, usual
from worlds import RANKINGS, Draft, Shop, Taste, looked

LARGEST = 40
"""Pairs of a query, at most."""


def sponsored(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Promoted products at the first two places and every ninth, looked at as much as the first result."""
    draft = Draft(grade, query, Taste(popularity=0.6, whim=0.5), rng)
    promoted = rng.random(len(grade)) < np.array([0.35, 0.05, 0.02])[grade]
    draft.click += 0.9 * promoted
    score = draft.ranked((0.6, 0.6, 0.8), LARGEST)
    slots = np.isin(np.arange(LARGEST), [0, 1, 9, 18])
    for row in score.reshape(-1, LARGEST):
        shown = row[row >= 0]
        ads, own = rng.permutation(shown[promoted[shown]]), list(shown[~promoted[shown]])
        ads = list(ads[: slots.sum()])
        row[:] = -1
        for place in range(len(ads) + len(own)):
            row[place] = ads.pop(0) if (slots[place] and ads) or not own else own.pop(0)
    look = np.where(slots, 0.9, 0.9 * 0.88 ** np.arange(LARGEST))
    return draft.shop([looked(draft, score, median, look, np.zeros(len(grade)), bots=0.0)])


def substitutes(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Only purchases tell the highest grade from the next."""
    taste = Taste(click=(-3.4, -1.5, -1.5), cart=(-2.8, -1.8, -1.8), buy=(-1.5, -1.0, 0.5), satisfy=(0.15, 0.6, 0.65))
    draft = Draft(grade, query, taste, rng)
    ranked = draft.ranked((0.5, 0.6, 0.8), 24)
    return draft.shop([draft.downwards(ranked, draft.searches(ranked, median), trust=0.03, onward=0.93)])


def looks(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Appeal spreads several times as far as grades lie apart, in clicks, carts and purchases."""
    click, cart, buy = (-2.7, -2.3, -1.9), (-2.4, -2.1, -1.8), (-0.8, -0.4, 0.0)
    draft = Draft(grade, query, Taste(click, cart, buy, popularity=1.5, whim=0.8, shared=0.6), rng)
    ranked = draft.ranked((0.2, 0.8, 0.8), LARGEST)
    look = 0.95 * 0.85 ** (np.arange(LARGEST) // 4)
    return draft.shop([looked(draft, ranked, median, look, np.zeros(len(grade)), bots=0.0)])


def frozen(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """One order for ever, by what was clicked before."""
    draft = Draft(grade, query, Taste(popularity=0.6), rng)
    before = draft.click + rng.normal(0, 0.7, len(grade))
    ranked = np.full((query.max() + 1, RANKINGS, LARGEST), -1)
    for q in range(len(ranked)):
        own = np.flatnonzero(query == q)
        ranked[q, :, : len(own)] = own[np.argsort(-before[own])]
    look = 1 / (1 + np.arange(LARGEST)) ** 0.9
    return draft.shop([looked(draft, ranked, median, look, np.zeros(len(grade)), bots=0.0)])


def stockouts(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Four quarters: prices move clicks and carts alike, and a fifth is out of stock, which is not bought."""
    draft = Draft(grade, query, Taste(popularity=0.6, whim=0.5, shared=0.2), rng)
    click, cart = draft.click, draft.cart
    look, parts = 0.95 * 0.9 ** np.arange(24), []
    for _ in range(4):
        price, out = rng.normal(0, 0.5, len(grade)), rng.random(len(grade)) < 0.2
        draft.click, draft.cart = click + price - 0.7 * out, np.where(out, -30, cart + price)
        parts.append(looked(draft, draft.ranked((0.5, 0.6, 0.7), 24), median / 4, look, np.zeros(len(grade)), bots=0.0))
    draft.click, draft.cart = click, cart
    return draft.shop(parts)


def scarce(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A good engine: nearly all of what it shows is relevant."""
    draft = Draft(grade, query, Taste(click=(-3.2, -2.2, -1.4), popularity=0.6), rng)
    look = 0.9 / (1 + 0.15 * np.arange(LARGEST))
    ranked = draft.ranked((0.7, 0.5, 0.7), LARGEST)
    return draft.shop([looked(draft, ranked, median, look, np.zeros(len(grade)), bots=0.0)])


def reorders(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A quarter of the products stands on lists: bought again at sight, whatever the query."""
    draft = Draft(grade, query, Taste(popularity=0.5), rng)
    listed = np.where(rng.random(len(grade)) < 0.25, rng.beta(1, 9, len(grade)), 0)
    look = 1 / (1 + 0.1 * np.arange(24))
    ranked = draft.ranked((0.5, 0.5, 0.8), 24)
    part = looked(draft, ranked, max(median * 0.012, 1), look, np.zeros(len(grade)), bots=0.0)
    again = rng.binomial(part["looked_at"], np.where(part["pair"] >= 0, listed[part["pair"]], 0))
    part["purchases"] = np.minimum(part["purchases"] + again, part["impressions"])
    return draft.shop([part])


def robots(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """An eighth of the impressions of one category, which a tenth of all products are in, is clicked by machines."""
    draft = Draft(grade, query, Taste(popularity=0.6, whim=0.5), rng)
    target = rng.random(len(grade)) < np.where(rng.random(query.max() + 1) < 0.2, 0.5, 0.02)[query]
    look, ranked = 0.95 * 0.88 ** np.arange(24), draft.ranked((0.5, 0.6, 0.8), 24)
    part = looked(draft, ranked, median, look, np.zeros(len(grade)), bots=0.0)
    left = part["impressions"] - part["clicks"]
    part["clicks"] = part["clicks"] + rng.binomial(left, np.where(target[ranked] & (ranked >= 0), 0.125, 0))
    return draft.shop([part])


def meanings(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """In a third of the queries half of the shoppers mean something else, to which half of the irrelevant belongs."""
    draft = Draft(grade, query, Taste(popularity=0.5, whim=0.5), rng)
    double = (rng.random(query.max() + 1) < 1 / 3)[query]
    other = double & (grade == 0) & (rng.random(len(grade)) < 0.5)
    look, ranked = 0.95 * 0.9 ** np.arange(24), draft.ranked((0.5, 0.7, 0.8), 24)
    kept, parts = (draft.click, draft.cart, draft.buy), []
    for mine in (False, True):
        felt = np.where(double & mine, np.where(other, 2, 0), grade)
        for name, base, own in zip(("click", "cart", "buy"), kept, _tastes(draft.taste), strict=True):
            setattr(draft, name, base - own[grade] + own[felt])
        parts.append(looked(draft, ranked, median / 2, look, np.zeros(len(grade)), bots=0.0))
    draft.click, draft.cart, draft.buy = kept
    return draft.shop(parts)


def clutter(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A poor engine: shoppers wade through what does not belong, and some jump to the end."""
    draft = Draft(grade, query, Taste(click=(-4.0, -2.8, -1.2), popularity=0.7), rng)
    place = np.arange(LARGEST)
    look = 0.8 * 0.94**place + 0.15 * (place > 30)
    return draft.shop([looked(draft, draft.ranked((0.3, 0.6, 1.0), LARGEST), median, look, np.zeros(len(grade)), 0.0)])


def fads(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Popularity ranks, and moves clicks."""
    draft = Draft(grade, query, Taste(popularity=0.8, whim=0.5), rng)
    ranked = draft.ranked((0.4, 1.0, 0.8), 24)
    return draft.shop([draft.downwards(ranked, draft.searches(ranked, median), trust=0.05, onward=0.94)])


def rules(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Blocks of four on a phone; each next block needs a tap."""
    draft = Draft(grade, query, Taste(click=(-3.3, -2.4, -1.5), popularity=0.5, whim=0.4, shared=0.3), rng)
    look = 0.9 * 0.7 ** (np.arange(24) // 4)
    return draft.shop([looked(draft, draft.ranked((0.5, 0.5, 0.8), 24), median, look, np.zeros(len(grade)), bots=0.01)])


def eager(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """A query's clicks rise with the mean of its grades by half as much as a pair's with its own grade."""
    draft = Draft(grade, query, Taste(click=(-3.2, -2.4, -1.6), popularity=0.6, whim=0.5), rng)
    rich = np.bincount(query, grade) / np.bincount(query)
    draft.click += 0.4 * (rich - rich.mean())[query]
    look = 0.9 * 0.9 ** np.arange(LARGEST)
    ranked = draft.ranked((0.5, 0.6, 0.7), LARGEST)
    return draft.shop([looked(draft, ranked, median, look, np.zeros(len(grade)), bots=0.0)])


def soldout(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """What cannot be bought is passed over as if it were irrelevant, and never put into a cart."""
    return _mistaken(grade, query, median, rng, of=2, like=0, cart=-9.0)


def bait(grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator) -> Shop:
    """Clicked as if it were relevant, and then seen to be what it is."""
    return _mistaken(grade, query, median, rng, of=0, like=2)


def _mistaken(
    grade: np.ndarray, query: np.ndarray, median: int, rng: np.random.Generator, of: int, like: int, cart: float = 0.0
) -> Shop:
    """An eighth of the pairs of one grade is clicked like another's."""
    draft = Draft(grade, query, Taste(popularity=0.6, whim=0.5), rng)
    click = draft.taste.click
    taken = (grade == of) & (rng.random(len(grade)) < 1 / 8)
    draft.click, draft.cart = draft.click + (click[like] - click[of]) * taken, draft.cart + cart * taken
    look, ranked = 0.95 * 0.88 ** np.arange(LARGEST), draft.ranked((0.5, 0.7, 0.8), LARGEST)
    return draft.shop([looked(draft, ranked, median, look, np.zeros(len(grade)), bots=0.0)])


def _tastes(taste: Taste) -> tuple[np.ndarray, ...]:
    return tuple(np.array(each) for each in (taste.click, taste.cart, taste.buy))


@dataclass(frozen=True)
class World:
    """A shop, the grades it is drawn over, and how its labels err."""

    shop: Callable[[np.ndarray, np.ndarray, int, np.random.Generator], Shop]
    sets: tuple[str, ...]
    pairs: int
    errors: Errors
    irrelevant: float | None = None
    """The share of pairs with the lowest grade, where it is not the sets' own."""

    def grades(self, data: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(grade, query numbered from 0) of about `pairs` pairs: queries at random, of 3 to `LARGEST` pairs each."""
        grade, query = real_grades(data, self.sets, limit=10**9)
        if self.irrelevant is not None:
            bad = (grade == 0).sum()
            most = self.irrelevant / (1 - self.irrelevant) * (len(grade) - bad)
            keep = np.where(grade == 0, min(1.0, most / bad), min(1.0, bad / most))
            kept = rng.random(len(grade)) < keep
            grade, query = grade[kept], query[kept]
        order = rng.permutation(query.max() + 1)[query] + rng.random(len(query))
        rows = np.argsort(order)
        _, starts, sizes = np.unique(order[rows].astype(int), return_index=True, return_counts=True)
        groups = [rows[s : s + min(n, LARGEST)] for s, n in zip(starts, sizes, strict=True) if n >= 3]
        ends = np.cumsum([len(group) for group in groups])
        groups = groups[: int(np.searchsorted(ends, self.pairs)) + 1]
        return grade[np.concatenate(groups)], np.repeat(np.arange(len(groups)), [len(group) for group in groups])


OTHERS = {
    "sponsored": World(sponsored, ("esci",), 2500, usual(0.08)),
    "substitutes": World(substitutes, ("chorus",), 2500, usual(0.1)),
    "looks": World(looks, ("esci", "chorus"), 2500, usual(0.08)),
    "frozen": World(frozen, ("esci", "chorus"), 2500, upwards),
    "stockouts": World(stockouts, ("homedepot",), 2500, usual(0.1)),
    "scarce": World(scarce, ("esci",), 600, usual(0.02), irrelevant=0.05),
    "reorders": World(reorders, ("homedepot",), 4000, usual(0.08)),
    "robots": World(robots, ("esci",), 2500, one_rater),
    "meanings": World(meanings, ("esci", "chorus"), 2500, usual(0.08)),
    "clutter": World(clutter, ("esci", "chorus"), 1500, usual(0.3), irrelevant=0.6),
    "fads": World(fads, ("esci", "chorus"), 2500, by_popularity),
    "rules": World(rules, ("homedepot", "chorus"), 2500, by_category),
    "eager": World(eager, ("esci", "chorus", "homedepot"), 4000, usual(0.08)),
    "soldout": World(soldout, ("esci", "chorus"), 2500, usual(0.08)),
    "bait": World(bait, ("esci", "chorus"), 2500, usual(0.08)),
}
