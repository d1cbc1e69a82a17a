"""The dynamic Bayesian network of browsing: whole searches, read downwards until satisfied or tired.

A shopper examines from the top; an examined result is clicked if it attracts; a clicked one satisfies, and ends the
search, with a chance of its own; otherwise the shopper continues with chance `persistence`. Source: Chapelle and Zhang
2009, "A Dynamic Bayesian Network Click Model for Web Search Ranking"; fitted by expectation-maximisation, forwards and
backwards over the positions.
"""

from dataclasses import dataclass

import numpy as np

from audit.engagement.clickmodels import PRIOR, TINY, WIDTH, ClickModel
from audit.engagement.counts import Floats, Searches

ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Browsing:
    """A fitted DBN: attractiveness and satisfaction by pair, and the chance to go on, all in (0, 1)."""

    attractive: Floats
    satisfying: Floats
    persistence: float

    def examined(self, searches: Searches) -> Floats:
        """P(examined, given what was clicked above), shape (S, D)."""
        return self._forward(searches)[0]

    def click_chance(self, searches: Searches) -> Floats:
        """P(click given what was clicked above) of the shown results, in the order of `Searches.cells`."""
        shown = searches.pair >= 0
        chance = self.examined(searches)[shown] * self.attractive[searches.pair[shown]]
        return np.asarray(np.clip(chance, TINY, 1 - TINY))

    def table(self, searches: Searches) -> ClickModel:
        """Its examination, averaged over searches by position and last click above, as a model of counts."""
        cells = searches.cells()
        context = cells.position * WIDTH + cells.last
        seen = self.examined(searches)[searches.pair >= 0]
        count = np.bincount(context, minlength=WIDTH * WIDTH)
        mean = np.full(WIDTH * WIDTH, np.nan)
        np.divide(np.bincount(context, seen, minlength=WIDTH * WIDTH), count, out=mean, where=count > 0)
        return ClickModel("dynamic Bayesian", mean, np.zeros_like(mean), self.attractive)

    def _forward(self, searches: Searches) -> tuple[Floats, Floats, Floats]:
        """(P(examined | above), attractiveness, chance to go on after a click), each of shape (S, D)."""
        # Where nothing was shown, as above a second page, nothing attracts: the shopper continues or does not.
        alpha = np.where(searches.pair >= 0, self.attractive[searches.pair], 0.0)
        sigma = self.satisfying[searches.pair]
        onward = self.persistence * (1 - sigma)
        seen = np.ones_like(alpha)
        for r in range(1, seen.shape[1]):
            before, a = seen[:, r - 1], alpha[:, r - 1]
            # No click: examined and dull, or not examined at all.
            stayed = before * (1 - a) / np.maximum(1 - before * a, TINY) * self.persistence
            seen[:, r] = np.where(searches.clicked[:, r - 1], onward[:, r - 1], stayed)
        return seen, alpha, onward


def fit_browsing(searches: Searches, pairs: int, rounds: int = ROUNDS) -> Browsing:
    """Fit a DBN to searches over `pairs` pairs; pairs that were never clicked get the mean satisfaction."""
    shown, clicked = searches.pair >= 0, searches.clicked
    index = searches.pair[shown]
    hits = searches.pair[clicked]
    rate = clicked.sum() / max(shown.sum(), 1)
    model = Browsing(np.full(pairs, max(rate, TINY)), np.full(pairs, 0.5), 0.9)
    for _ in range(rounds):
        seen, alpha, onward = model._forward(searches)
        ahead = _backward(model, searches, alpha, onward)
        examined = _posterior(searches, seen, ahead)
        drawn = np.bincount(hits, minlength=pairs)
        looked = np.bincount(index, examined[shown], minlength=pairs)
        # P(satisfied | clicked, nothing clicked below): the search ended there for that reason or another.
        on, off = ahead[:, 1:, 1], ahead[:, 1:, 0]
        sigma = model.satisfying[searches.pair]
        ended = sigma * off
        went = (1 - sigma) * model.persistence * on
        tired = (1 - sigma) * (1 - model.persistence) * off
        satisfied = ended / np.maximum(ended + went + tired, TINY)
        fed = np.bincount(hits, satisfied[clicked], minlength=pairs)
        persist = np.where(
            clicked,
            went / np.maximum(ended + went + tired, TINY),
            examined
            * model.persistence
            * on
            / np.maximum(model.persistence * on + (1 - model.persistence) * off, TINY),
        )[:, :-1]
        able = np.where(clicked, 1 - satisfied, examined)[:, :-1]
        inner = shown[:, 1:]
        model = Browsing(
            np.clip((drawn + PRIOR * rate) / (looked + PRIOR), TINY, 1 - TINY),
            np.clip((fed + PRIOR * fed.sum() / max(drawn.sum(), 1)) / (drawn + PRIOR), TINY, 1 - TINY),
            float(np.clip(persist[inner].sum() / max(able[inner].sum(), TINY), 0.01, 0.999)),
        )
    return model


def _backward(model: Browsing, searches: Searches, alpha: Floats, onward: Floats) -> Floats:
    """P(the clicks from a position on | examined or not there), shape (S, D + 1, 2)."""
    count, depth = alpha.shape
    ahead = np.ones((count, depth + 1, 2))
    for r in range(depth - 1, -1, -1):
        hit = searches.clicked[:, r]
        off, on = ahead[:, r + 1, 0], ahead[:, r + 1, 1]
        ahead[:, r, 0] = np.where(hit, 0.0, off)
        go = np.where(hit, onward[:, r], model.persistence)
        chance = np.where(hit, alpha[:, r], 1 - alpha[:, r])
        ahead[:, r, 1] = chance * (go * on + (1 - go) * off)
    return ahead


def _posterior(searches: Searches, seen: Floats, ahead: Floats) -> Floats:
    """P(examined | all clicks of the search), shape (S, D)."""
    yes, no = seen * ahead[:, :-1, 1], (1 - seen) * ahead[:, :-1, 0]
    return np.where(searches.clicked, 1.0, yes / np.maximum(yes + no, TINY))
