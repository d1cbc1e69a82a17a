"""What an evaluation found, as records."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from retriever.figures import PRIMARY, Figures, Measured
from retriever.holes import Filling, filling
from retriever.intervals import Difference, Mean, differences, means
from retriever.measures import MEASURES, Cut
from retriever.separation import Separation
from retriever.slices import Slice


@dataclass(frozen=True)
class SystemReport:
    """One system."""

    name: str
    parts: Mapping[str, str]
    """What its results depend on."""
    figures: Mapping[str, Mapping[str, Mean]]
    """Column (`full`, `judged`, `filled`) to measure to its mean over queries."""
    share_judged: Mean
    """The share of its first k results that people judged."""
    depth: int
    """Results of the query with the most."""
    without_results: int
    """Queries for which it has none: they count as 0."""
    not_in_catalogue: int
    other_queries: int
    """Queries of a run that people rated nothing for: they are left out."""
    learned: int | None
    """Queries that it learned from; null where it does not say, as a run, or a model without `seen.json`."""
    separation: Sequence[Separation]
    scored: int
    """Judged pairs that it gives a score."""
    slices: Mapping[str, Mapping[str, Mean]]
    """Slice to column to its NDCG there."""
    misspelt: Mapping[str, Any] | None
    """`n`, and by column `clean`, `misspelt` and their `difference` in NDCG; null for a run, which cannot be asked."""
    filling: Filling | None


@dataclass(frozen=True)
class Comparison:
    """A system less a baseline, query by query."""

    system: str
    baseline: str
    differences: Mapping[str, Mapping[str, Difference]]
    """Column to measure to the difference."""
    slices: Mapping[str, Mapping[str, Difference]]
    """Slice to column to the difference in NDCG there."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that `judge evaluate` tells."""

    toolkit: str
    created: str
    catalogue: Mapping[str, Any]
    gold: Mapping[str, Any]
    cut: Cut
    depth: int
    """Results of a query that are looked at for judged products alone, of all systems alike."""
    primary: str
    """The measure that decides, such as `ndcg@10`."""
    measures: Mapping[str, str]
    """By name, as people read them."""
    systems: Sequence[SystemReport]
    comparisons: Sequence[Comparison]
    slices: Mapping[str, Mapping[str, Any]]
    """By name, the number of queries `n` and what makes them these, `because`."""
    fill: Mapping[str, Any] | None
    """Which run filled holes, and which file is the sample; pairs of these queries that they grade."""
    holes: int | None = None
    """Rows of the file of holes, where it was asked for."""

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def report(system: Measured, figures: Figures, parts: Sequence[Slice]) -> SystemReport:
    """What is told of a system."""
    ranked, values, judge = system.ranked, system.values, figures.judge
    scored = figures.scored(ranked)
    name = PRIMARY.called(figures.cut)
    return SystemReport(
        name=ranked.name,
        parts=ranked.parts,
        figures={column: means(some) for column, some in values.columns.items()},
        share_judged=means({"": values.share_judged})[""],
        depth=max(len(one.places) for one in ranked.lists),
        without_results=sum(not len(one.places) for one in ranked.lists),
        not_in_catalogue=ranked.strange,
        other_queries=len(ranked.other_queries),
        learned=None if system.learned is None else int(system.learned.sum()),
        separation=figures.separations(scored),
        scored=len(scored.score),
        slices={
            part.name: {
                column: means({"": np.where(part.queries, some[name], np.nan)})[""]
                for column, some in values.columns.items()
            }
            for part in parts
        },
        misspelt=system.misspelt,
        filling=filling(ranked, figures.gold, judge, figures.cut) if judge else None,
    )


def compared(system: Measured, baseline: Measured, figures: Figures, parts: Sequence[Slice]) -> Comparison:
    """A system against a baseline."""
    one, other = system.values, baseline.values
    low = [measure.called(figures.cut) for measure in MEASURES if measure.better == "low"]
    name = PRIMARY.called(figures.cut)
    return Comparison(
        system.ranked.name,
        baseline.ranked.name,
        {column: differences(some, other.columns[column], low) for column, some in one.columns.items()},
        {
            part.name: {
                column: differences(
                    {"": np.where(part.queries, some[name], np.nan)}, {"": other.columns[column][name]}
                )[""]
                for column, some in one.columns.items()
            }
            for part in parts
        },
    )
