"""What retrievers find in a catalogue."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from judge.words.guideline import DEFAULT, load_guideline
from relevance_judge import shown
from relevance_judge.inputs import Rows, as_file
from relevance_judge.reading import ColumnMap, columns_of

if TYPE_CHECKING:
    from retriever.search import SearchAccount

System = str | os.PathLike[str]
"""`bm25`, a TREC run's file, an encoder's folder, its name on the Hub, or `minilm-l6`."""


@dataclass(frozen=True, repr=False)
class Ranking(shown.Result):
    """What a system found: a TREC run."""

    path: Path
    account: "SearchAccount"
    """What became of products and queries; the counts add up."""

    @cached_property
    def table(self) -> Any:
        """The results as a `pyarrow.Table`: `query_id, candidate_id, rank, score`."""
        import pyarrow as pa

        from judge.search.rankings import read_ranking

        found = read_ranking(self.path)
        rows = [
            (query, key, rank, score)
            for query, keys in found.by_query.items()
            for rank, (key, score) in enumerate(zip(keys, found.scores[query], strict=True), 1)
        ]
        columns = zip(*rows, strict=True) if rows else ((), (), (), ())
        kinds = (pa.string(), pa.string(), pa.int32(), pa.float64())
        arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
        return pa.table(arrays, names=["query_id", "candidate_id", "rank", "score"])

    def to_pandas(self) -> Any:
        """The results as a pandas DataFrame."""
        return shown.as_pandas(self.table)

    def _sheet(self) -> shown.Sheet:
        rows = [tuple(row.values()) for row in self.table.slice(0, shown.SHOWN).to_pylist()]
        head = ("query_id", "candidate_id", "rank", "score")
        return shown.Sheet(f"{self.account.name} in {self.path}", head, rows, len(self.table))


def as_systems(given: System | Sequence[System]) -> tuple[str, ...]:
    """Names of systems; one alone may stand for itself."""
    return tuple(str(each) for each in ([given] if isinstance(given, str | os.PathLike) else given))


def search(
    system: System,
    catalogue: Rows,
    queries: Rows,
    *,
    out: str | os.PathLike[str],
    top: int = 100,
    fuse: System | Sequence[System] = (),
    weight: float | None = None,
    text: Literal["auto", "title", "all"] = "auto",
    approximate: bool = False,
    shortlist: System | None = None,
    guideline: str | os.PathLike[str] = DEFAULT,
    map: ColumnMap | None = None,
    encoding: str | None = None,
    skip_bad_rows: bool = False,
    overwrite: bool = False,
) -> Ranking:
    """Search a catalogue for queries, and write a TREC run. Vectors are kept: killed, the same call resumes.

    Args:
        system: A model, `bm25`, or a TREC run.
        catalogue: Products with `candidate_id` and their texts.
        queries: Rows with `query`, perhaps with `query_id`.
        out: The file to write.
        top: Results of a query, at most.
        fuse: Systems to fuse with, by reciprocal ranks.
        weight: With one system to fuse with: scores are added, so much of the first's, the rest of the other's.
        text: What an encoder reads of a product; by itself all fields where `judge train` made it, else the title.
        approximate: Search an HNSW index, which may miss a few of the nearest.
        shortlist: A system whose first 200 products late-interaction models re-rank; they score all unless given.
        guideline: Which fields a product has: a name or a YAML file.
        map: Our names to the tables' columns.
        encoding: Of text files, unless they are UTF-8.
        skip_bad_rows: Count and leave out rows that cannot be used, rather than refuse the table.
        overwrite: Replace what lies at `out`.

    Raises:
        InputError: A row or an option cannot be used.
        ModelError: The encoder cannot be found or loaded.
    """
    from retriever.search import Search, SearchConfig

    config = SearchConfig(
        top=top,
        fuse=as_systems(fuse),
        weight=weight,
        text=text,
        approximate=approximate,
        shortlist=None if shortlist is None else str(shortlist),
        skip_bad_rows=skip_bad_rows,
        encoding=encoding,
    )
    policy = load_guideline(str(guideline))
    with as_file(catalogue, "catalogue") as (products, name), as_file(queries, "queries") as (asked, asked_name):
        names = {"catalogue": name, "queries": asked_name}
        job = Search(str(system), products, asked, policy, config, columns_of(map), names)
        return Ranking(Path(out), job.run(Path(out), overwrite=overwrite))
