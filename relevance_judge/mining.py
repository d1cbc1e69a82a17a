"""Which pairs to judge next, in memory or on disk."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from judge.errors import InputError
from judge.words.guideline import DEFAULT, load_guideline
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, Rows, as_file, as_optional_file, as_run
from relevance_judge.reading import ColumnMap, RatingOptions, Reading, columns_of

if TYPE_CHECKING:
    from judge.ratings.layout import RatingsLayout
    from judge.run.store import Run
    from mine.account import MiningAccount
    from mine.queries.job import QueriesAccount
    from mine.queries.written import Writer
    from mine.worth import Worth


@dataclass(frozen=True, repr=False)
class Mined(shown.Result):
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
    def sample(self) -> Path | None:
        """A random sample of the pairs for people to grade, as CSV; null where there is none, as with `sample=0`."""
        from mine.writing import companion

        path = companion(self.path, "sample.csv")
        return path if path.exists() else None

    def to_pandas(self) -> Any:
        """The pairs as a pandas DataFrame."""
        return shown.as_pandas(self.table)

    def _sheet(self) -> shown.Sheet:
        names = ("query", "candidate_id", "source", "rank", "relation", "changed")
        rows = [tuple(row[name] for name in names) for row in self.table.slice(0, shown.SHOWN).to_pylist()]
        return shown.Sheet(f"mined pairs in {self.path}", names, rows, len(self.table))


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
    sample: int = 200,
    seed: int = 0,
    map: ColumnMap | None = None,
    encoding: str | None = None,
    skip_bad_rows: bool = False,
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
        sample: Pairs of the random sample for people.
        seed: Draws the sample.
        map: Our names to the tables' columns.
        encoding: Of text files, unless they are UTF-8.
        skip_bad_rows: Count and leave out rows that cannot be used.
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
        sample=sample,
        seed=seed,
        skip_bad_rows=skip_bad_rows,
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
    tiers: Mapping[str, float] | None = None,
    kinds: Sequence[str] | None = None,
    share: float = 0.5,
    writer: str | None = None,
    model: str | None = None,
    guideline: str | os.PathLike[str] = DEFAULT,
    map: ColumnMap | None = None,
    encoding: str | None = None,
    seed: int = 0,
    skip_bad_rows: bool = False,
    overwrite: bool = False,
) -> "QueriesAccount":
    """Make queries that a catalogue can answer, by templates or by a model, and accept those that pass the rules.

    Args:
        catalogue: Products with `candidate_id`, `category`, their texts, and any further columns.
        out: The CSV file to write: `query_id, query, category, tier, kind, product_id, writer`.
        like: Real queries, whose lengths are followed.
        held_out: Queries of which none is made, nor one near them.
        per_category: Queries of each leaf category, at most.
        tiers: Shares of queries that ask for one thing, two, or more: `{"simple": 0.3, "medium": 0.35, "complex":
            0.35}` unless given.
        kinds: Of `attribute`, `activity`, `situation`, `name`: they take turns; all unless given.
        share: Made queries among them and the real ones, at most.
        writer: A chat endpoint's root, for a model to write them; its key is in `OPENAI_API_KEY`.
        model: The writer's model.
        guideline: Which fields a product has: a name or a YAML file.
        map: Our names to the tables' columns.
        encoding: Of text files, unless they are UTF-8.
        seed: Draws products and templates.
        skip_bad_rows: Count and leave out rows that cannot be used.
        overwrite: Replace what lies at `out`.

    Returns:
        What became of every query that was made.

    Raises:
        InputError: A row or an option cannot be used, or no product has a category.
        EngineError: The writer does not answer, or refuses.
    """
    from mine.queries.job import TIER_SHARES, QueriesConfig, QueriesJob
    from mine.queries.made import KINDS

    config = QueriesConfig(
        per_category=per_category,
        tiers=dict(TIER_SHARES if tiers is None else tiers),
        kinds=KINDS if kinds is None else tuple(kinds),
        share=share,
        seed=seed,
        skip_bad_rows=skip_bad_rows,
        encoding=encoding,
    )
    with ExitStack() as stack:
        products, _ = stack.enter_context(as_file(catalogue, "catalogue"))
        log, _ = stack.enter_context(as_optional_file(like, "queries"))
        barred, _ = stack.enter_context(as_optional_file(held_out, "queries"))
        policy = load_guideline(str(guideline))
        chosen = as_writer(writer, model)
        job = QueriesJob(products, Path(out), policy, config, log, barred, chosen, columns_of(map))
        return job.run(overwrite=overwrite)


def as_writer(url: str | None, model: str | None) -> "Writer | None":
    """The model that writes queries; null for templates.

    Raises:
        InputError: One of the two is missing, or the address cannot be used.
    """
    from mine.queries.written import Writer

    if bool(url) != bool(model):
        raise InputError("--writer and --model go together", "give both, or leave both out")
    return Writer(url, model) if url and model else None


def worth(run: AnyRun, ratings: Rows, *, top: int = 50, **reading: Unpack[RatingOptions]) -> "Worth":
    """How many of the zeros of a mined run people agree to, by source and relation: which may be trained on.

    Args:
        run: The run that labelled what `mine` found, or its directory.
        ratings: People's grades of a random sample of its pairs.
        top: The depth at which rankings are compared.
        reading: See `RatingOptions`; `raters` and `gold` are not used.

    Raises:
        InputError: The ratings cannot be used, or the run was not mined.
        RunError: There is no such run.
    """
    how = Reading(**reading)
    how.refuse("raters", "gold", fix="leave it out: of several raters the mean counts")
    opened = as_run(run)
    with as_file(ratings, "ratings") as (path, name):
        return worth_of(opened, path, name, how.layout, top)


def worth_of(run: "Run", path: Path, name: str, layout: "RatingsLayout", top: int) -> "Worth":
    """The same of a file of ratings."""
    from judge.ratings.reader import read_ratings
    from judge.ratings.remembered import settle_layout
    from mine.worth import worth

    guideline = run.manifest.policy
    settled = settle_layout(layout, path, [run], guideline)
    return worth(run, read_ratings(path, settled, guideline.values, name), top)
