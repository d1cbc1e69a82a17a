"""What carts and purchases are counted against: clicks where they follow clicks, else the impressions that were seen.

In some shops, or for some queries, products are put into the cart from the list of results. There, carts beyond the
clicks of the same result cannot have followed one; taken per click, they would say that nearly every click ends in a
cart. A query is taken for one of those by its carts beyond clicks, against a mixture of two kinds of queries: where
carts follow clicks hardly any are beyond, elsewhere any share of them may be. How many queries are of either kind is
learned from all of them, so that a query with few carts goes with the rest. Purchases likewise follow carts, else
clicks, else impressions.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, expit, logit

from audit.engagement.counts import Floats, Ints

PER = ("examined impression", "click", "cart")
"""What a rate can be of; `Trials` holds positions in it."""
STRAY = (0.2, 40.0)
"""Beta distribution of the share of carts beyond clicks where carts follow clicks: 0.5% in the mean, as events get
lost."""
FREE = (1.0, 1.0)
"""The same where they do not."""
ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Trials:
    """What the carts and the purchases of each pair's query are counted against, positions in `PER`, shape (N,)."""

    carts: Ints
    purchases: Ints

    def counted(self, action: str, counts: tuple[Floats, Floats, Floats]) -> Floats:
        """The trials of `carts` or `purchases`, of counts of examined impressions, clicks and carts, shape (N,)."""
        return np.asarray(np.choose(getattr(self, action), counts))

    def summary(self, query: Ints) -> dict[str, dict[str, int]]:
        """Queries by what their `carts` and `purchases` are counted against; `query` numbers the pairs' queries."""
        first = np.unique(query, return_index=True)[1]
        return {
            action: {per: int((getattr(self, action)[first] == at).sum()) for at, per in enumerate(PER)}
            for action in ("carts", "purchases")
        }


def choose(beyond: dict[str, Floats], carts: Floats, purchases: Floats) -> tuple[Ints, Ints]:
    """What the carts and the purchases of Q queries are counted against, positions in `PER`.

    Args:
        beyond: By `carts_clicks`, `purchases_carts` and `purchases_clicks`: how many of the one there are beyond the
            other, added up result by result and position by position, shape (Q,).
        carts: Shape (Q,).
        purchases: Shape (Q,).
    """
    free = apart(beyond["carts_clicks"], carts)
    by_cart, by_click = (apart(beyond[f"purchases_{of}"], purchases) for of in ("carts", "clicks"))
    return np.where(free, 0, 1), np.where(~by_cart, 2, np.where(~by_click, 1, 0))


def apart(beyond: Floats, total: Floats) -> np.ndarray:
    """Whether `total` does not follow what `beyond` of it goes beyond, for each query."""
    follow, free = (betaln(a + beyond, b + total - beyond) - betaln(a, b) for a, b in (STRAY, FREE))
    some = total > 0
    share = 0.5
    for _ in range(ROUNDS):
        chance = expit(free - follow + logit(share))
        # One query of each kind more: the share is never 0 nor 1.
        share = float((chance[some].sum() + 1) / (some.sum() + 2))
    return np.asarray(chance > 0.5)
