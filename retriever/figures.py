"""Every measure of every query for one system, in the columns in which figures are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from judge.search.catalogue import Catalogue
from retriever.gold import UNJUDGED, Gold
from retriever.holes import Judge
from retriever.intervals import differences, means
from retriever.measures import CATEGORY, MEASURES, Cut, Floats, right_category
from retriever.ranked import Ints, Ranked
from retriever.separation import Scored, Separation, separations
from retriever.slices import Mask, misspelt
from retriever.systems import DEPTH, Searcher

PRIMARY = MEASURES[0]
"""What decides: NDCG."""


@dataclass(frozen=True)
class Values:
    """One system's measures, all of shape (Q,), NaN where undefined."""

    columns: Mapping[str, Mapping[str, Floats]]
    """Column to measure to values."""
    share_judged: Floats


@dataclass(frozen=True)
class Figures:
    """What systems are measured by."""

    gold: Gold
    catalogue: Catalogue
    cut: Cut
    judge: Judge | None = None
    """Whose grades stand in the holes, in a column of their own."""
    depth: int = DEPTH
    """Results of a query that are looked at for judged products alone. The same for all systems: the deeper a list, the
    more of the judged products are in it."""

    @cached_property
    def filled(self) -> Gold | None:
        """The gold with a judge's grades in the holes."""
        return self.judge.filled(self.gold) if self.judge else None

    @cached_property
    def categories(self) -> tuple[list[str], Ints]:
        """The leaf categories, and which one each product has; -1 where it has none."""
        leaves = sorted({product.leaf for product in self.catalogue.products if product.leaf})
        at = {leaf: place for place, leaf in enumerate(leaves)}
        return leaves, np.array([at.get(product.leaf, -1) for product in self.catalogue.products], np.int64)

    @property
    def labels(self) -> dict[str, str]:
        """Measures by name, as people read them."""
        named = {m.called(self.cut): m.label.format(k=self.cut.k, recall_k=self.cut.recall_k) for m in MEASURES}
        return named | ({CATEGORY.format(k=self.cut.k): f"Cat@{self.cut.k}"} if self.categories[0] else {})

    @cached_property
    def wanted(self) -> list[Ints]:
        """For each query the leaf categories of its relevant products."""
        of = self.categories[1]
        found = []
        for places, grades in zip(self.gold.places, self.gold.grades, strict=True):
            leaves = np.unique(of[places[grades >= self.cut.relevant]])
            found.append(leaves[leaves >= 0])
        return found

    def scored(self, ranked: Ranked) -> Scored:
        """The judged pairs that a system gives a score."""
        places, grades = np.concatenate(self.gold.places), np.concatenate(self.gold.grades)
        query = np.repeat(np.arange(len(self.gold.places)), [len(some) for some in self.gold.places])
        score = np.concatenate(ranked.judged).astype(np.float64)
        known = ~np.isnan(score)
        return Scored(score[known], grades[known], query[known], self.categories[1][places[known]])

    def separations(self, scored: Scored) -> list[Separation]:
        """Each grade that somebody gave against the next lower one."""
        given = [value for value in self.gold.values if any((some == value).any() for some in self.gold.grades)]
        return separations(scored, given, self.categories[0])


@dataclass(frozen=True)
class Measured:
    """A system's results and its figures, query by query."""

    asked: str
    """The system as it was named."""
    ranked: Ranked
    values: Values
    misspelt: Mapping[str, Any] | None
    learned: Mask | None
    """Of each query whether it learned from it, shape (Q,); null where it does not say."""


def values_of(ranked: Ranked, figures: Figures) -> Values:
    """A system's measures, query by query: `full` with what is unjudged as 0, `judged` without it, `filled` with a
    judge's grades in its place."""
    gold, cut = figures.gold, figures.cut
    columns: dict[str, list[list[float]]] = {"full": [], "judged": [], **({"filled": []} if figures.filled else {})}
    shares, category = [], []
    for at, one in enumerate(ranked.lists):
        shown, judged = gold.graded(at, one.places), gold.grades[at]
        columns["full"].append([measure.compute(shown, judged, cut) for measure in MEASURES])
        deep = shown[: figures.depth]
        columns["judged"].append([measure.compute(deep[deep != UNJUDGED], judged, cut) for measure in MEASURES])
        if figures.filled:
            more = figures.filled
            columns["filled"].append([m.compute(more.graded(at, one.places), more.grades[at], cut) for m in MEASURES])
        first = shown[: cut.k]
        shares.append(float((first != UNJUDGED).mean()) if len(first) else float("nan"))
        category.append(right_category(figures.categories[1][one.places], figures.wanted[at], cut))
    names = [measure.called(cut) for measure in MEASURES]
    found = {
        column: dict(zip(names, np.array(rows, np.float64).reshape(-1, len(names)).T, strict=True))
        for column, rows in columns.items()
    }
    if figures.categories[0]:
        found["full"][CATEGORY.format(k=cut.k)] = np.array(category)
    return Values(found, np.array(shares))


def misspelt_figures(
    system: str, searcher: Searcher, figures: Figures, clean: Values, seed: int
) -> Mapping[str, Any] | None:
    """NDCG of the queries that can be misspelt, as they are and with one typing error; null where none can."""
    texts = [product.text for product in figures.catalogue.products]
    wrong = misspelt(figures.gold.queries, texts, seed)
    if not wrong:
        return None
    queries = [wrong.get(at, query) for at, query in enumerate(figures.gold.queries)]
    ranked = searcher.rank(system, queries, DEPTH)
    values = values_of(ranked, Figures(figures.gold, figures.catalogue, figures.cut, depth=figures.depth))
    name = PRIMARY.called(figures.cut)
    some = np.isin(np.arange(len(queries)), list(wrong))
    found: dict[str, Any] = {"n": len(wrong)}
    for column in ("full", "judged"):
        before, after = (np.where(some, each.columns[column][name], np.nan) for each in (clean, values))
        pair = means({"clean": before, "misspelt": after})
        found[column] = {**pair, "difference": differences({"": after}, {"": before})[""]}
    return found
