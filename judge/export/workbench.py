"""Judgments for tools that rate searches: Quepid's CSV, and OpenSearch's Search Relevance Workbench. Both know queries
by their text."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from judge.errors import RunError
from judge.export.chosen import Chosen
from judge.export.lines import Key, Line, LineFormat, columns
from judge.export.query_batches import Window
from judge.tables.values import inert

_HEAD = ["query", "docid", "rating"]


def check_queries(chosen: Chosen) -> None:
    """Refuse a run in which one text is two queries, or a query has no words: by text they could not be told apart.

    Raises:
        RunError: One text has two ids, or an id has no words.
    """
    found = chosen.db.execute("""
        SELECT p.query, list(r.query_id ORDER BY r.query_id) AS ids FROM pairs p JOIN (
            SELECT query_id, min(position) AS position FROM rows WHERE left_out IS NULL GROUP BY query_id) r
        USING (position) GROUP BY p.query HAVING count(*) > 1 OR p.query = '' ORDER BY 1 LIMIT 1""").fetchone()
    if found and not found[0]:
        raise RunError(
            f"{chosen.run.path}: the query {found[1][0]!r} has no words, and this format knows queries by their text",
            "make the run again with --queries FILE, or export to trec or beir, which know queries by id",
        )
    if found:
        raise RunError(
            f"{chosen.run.path}: the query {found[0]!r} goes by {len(found[1])} ids ({', '.join(found[1][:3])}), and "
            "this format knows queries by their text",
            "export to trec or beir, which know them by id",
        )


def _quepid(window: Window, chosen: Chosen) -> Iterator[Line]:
    """`query,docid,rating`. A spreadsheet may open it: no cell begins a formula."""
    for query, candidate, grade, split in columns(window, "query", "candidate_id"):
        cells = inert(query), inert(candidate)
        yield Line(_csv([*cells, str(grade)]), split, ((*cells, grade),))


def _csv(cells: list[str]) -> str:
    stream = io.StringIO()
    # Cells are quoted for the letters of the terminator: both, so that no line break stands bare.
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().removesuffix("\r\n")


def _read_quepid(path: Path) -> Iterator[Key]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        if next(reader) != _HEAD:
            raise RunError(f"{path.name}: reads back without its header", "look at the disk, and export again")
        for query, candidate, grade in reader:
            yield query, candidate, int(grade)


def _opensearch(window: Window, chosen: Chosen) -> Iterator[Line]:
    """One query a line, with its ratings; ratings are strings there."""
    queries = window.table.column("query").to_pylist()
    candidates = window.table.column("candidate_id").to_pylist()
    grades, splits = window.grade.tolist(), window.split.tolist()
    for start, end in zip(window.starts.tolist(), window.ends.tolist(), strict=True):
        # A query's rows are on one side of a split.
        query = queries[start]
        ratings = [{"docId": candidates[i], "rating": str(grades[i])} for i in range(start, end)]
        keys = tuple((query, candidates[i], grades[i]) for i in range(start, end))
        yield Line(json.dumps({"query": query, "ratings": ratings}, ensure_ascii=False), splits[start], keys)


def _read_opensearch(path: Path) -> Iterator[Key]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            if line.startswith('{"query"'):
                found = json.loads(line.rstrip(",\n"))
                for rating in found["ratings"]:
                    yield found["query"], rating["docId"], int(rating["rating"])


QUEPID = LineFormat(_quepid, _read_quepid, head=",".join(_HEAD) + "\n")


def opensearch(chosen: Chosen) -> LineFormat:
    """The body of `PUT _plugins/_search_relevance/judgments`."""
    manifest = chosen.run.manifest
    what = {
        "name": f"{chosen.run.path.name} {manifest.fingerprint}",
        "description": f"{manifest.judge}; guideline {manifest.parts.get('guideline')}",
        "type": "IMPORT_JUDGMENT",
    }
    head = json.dumps(what, ensure_ascii=False)[:-1] + ', "judgmentRatings": [\n'
    return LineFormat(_opensearch, _read_opensearch, head=head, between=",\n", foot="\n]}\n")
