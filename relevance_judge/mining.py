"""Which pairs to judge next, in memory or on disk."""

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.words.guideline import DEFAULT, load_guideline
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, Rows, as_file, as_optional_file, as_run
from relevance_judge.reading import ColumnMap, columns_of

if TYPE_CHECKING:
    from mine.account import MiningAccount
    from mine.queries.job import QueriesAccount


@dataclass(frozen=True)
class Mined:
    """Mined pairs: candidates for the judge, none of them a negative by rule."""

    path: Path
    """The Parquet file: what `rj.label` takes."""
    account: "MiningAccount"
    """What became of every candidate; the counts add up."""

    @cached_property
    def table(self) -> Any:
        """The pairs as a `pyarrow.Table`."""
        import pyarrow.parquet as pq

        return pq.read_table(self.path)

    @property
    def sample(self) -> Path:
        """A random sample of the pairs for people to grade, as CSV."""
        from mine.writing import companion

        return companion(self.path, "sample.csv")

    def to_pandas(self) -> Any:
        """The pairs as a pandas DataFrame."""
        return shown.as_pandas(self.table)

    def _repr_html_(self) -> str:
        names = ("query", "candidate_id", "source", "rank", "relation", "changed")
        rows = [tuple(row[name] for name in names) for row in self.table.slice(0, shown.SHOWN).to_pylist()]
        return shown.table(f"mined pairs in {self.path}", names, rows, len(self.table))


def mine(
    runs: AnyRun | Sequence[AnyRun],
    catalogue: Rows,
    *,
    out: str | os.PathLike[str],
    queries: Rows | None = None,
    sources: Iterable[str] | None = None,
    rankings: Sequence[str | os.PathLike[str]] = (),
    encoder: str = "minilm-l6",
    top: int = 50,
    per_query: int = 20,
    budget: int | None = None,
    map: ColumnMap | None = None,
    encoding: str | None = None,
    overwrite: bool = False,
) -> Mined:
    """Find pairs that are worth judging next.

    Killed at any moment, the same call resumes where it stopped; on a finished file it returns at once.

    Args:
        runs: A run, or several, whose pairs are known already.
        catalogue: Products with `candidate_id`, their texts, and any further columns.
        out: The `.parquet` file to write.
        queries: Queries to mine for, in place of the runs' own.
        sources: `dense`, `lexical`, `attributes`: they take turns; all three unless given, or none where there are
            `rankings`, which take turns with those that are named.
        rankings: TREC runs of two systems or more: what they disagree on.
        encoder: `minilm-l6`, a sentence-transformers folder, or `owner/name[@revision]`.
        top: Products that a source proposes for a query.
        per_query: Pairs of a query, at most.
        budget: Pairs in all, at most.
        map: Our names to the tables' columns.
        encoding: Of text files, unless they are UTF-8.
        overwrite: Replace what lies at `out`.

    Raises:
        InputError: A row or an option cannot be used.
        ModelError: The encoder cannot be found or loaded.
        RunError: A run cannot be read.
    """
    from mine.mining import Mining, MiningConfig

    several = runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs]
    config = MiningConfig(
        sources=tuple(sources) if sources is not None else () if rankings else MiningConfig.sources,
        encoder=encoder,
        top=top,
        per_query=per_query,
        budget=budget,
        rankings=tuple(Path(path) for path in rankings),
        encoding=encoding,
    )
    with ExitStack() as stack:
        products, products_name = stack.enter_context(as_file(catalogue, "catalogue"))
        asked, asked_name = stack.enter_context(as_optional_file(queries, "queries"))
        names = {"catalogue": products_name} | ({"queries": asked_name} if asked_name else {})
        job = Mining([as_run(run) for run in several], products, Path(out), config, asked, columns_of(map), names)
        return Mined(Path(out), job.run(overwrite=overwrite))


def queries(
    catalogue: Rows,
    *,
    out: str | os.PathLike[str],
    like: Rows | None = None,
    held_out: Rows | None = None,
    per_category: int = 50,
    share: float = 0.5,
    guideline: str | os.PathLike[str] = DEFAULT,
    map: ColumnMap | None = None,
    encoding: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> "QueriesAccount":
    """Make queries that a catalogue can answer, by templates, and accept those that pass the rules.

    Args:
        catalogue: Products with `candidate_id`, `category`, their texts, and any further columns.
        out: The CSV file to write: `query_id, query, category, tier, kind, product_id, writer`.
        like: Real queries, whose lengths are followed.
        held_out: Queries of which none is made, nor one near them.
        per_category: Queries of each leaf category, at most.
        share: Made queries among them and the real ones, at most.
        guideline: Which fields a product has: a name or a YAML file.
        map: Our names to the tables' columns.
        encoding: Of text files, unless they are UTF-8.
        seed: Draws products and templates.
        overwrite: Replace what lies at `out`.

    Returns:
        What became of every query that was made.

    Raises:
        InputError: A row or an option cannot be used, or no product has a category.
    """
    from mine.queries.job import QueriesConfig, QueriesJob

    config = QueriesConfig(per_category=per_category, share=share, seed=seed, encoding=encoding)
    with ExitStack() as stack:
        products, _ = stack.enter_context(as_file(catalogue, "catalogue"))
        log, _ = stack.enter_context(as_optional_file(like, "queries"))
        barred, _ = stack.enter_context(as_optional_file(held_out, "queries"))
        policy = load_guideline(str(guideline))
        job = QueriesJob(products, Path(out), policy, config, log, barred, None, columns_of(map))
        return job.run(overwrite=overwrite)
