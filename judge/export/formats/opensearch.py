"""Judgments for OpenSearch's Search Relevance Workbench, which knows queries by their words."""

import json
from collections.abc import Iterator
from pathlib import Path

from judge.export.chosen import Chosen, check_queries
from judge.export.formats import Format, Output
from judge.export.joined_run import members_of
from judge.export.lines import Key, Line, LineFormat, write_lines
from judge.export.query_batches import Window
from judge.export.reading import by_words, read_keys
from judge.export.written import WrittenView
from judge.tables.file import File
from judge.tables.json_rows import JsonRows


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
    return read_keys(JsonRows(File(path), document=True), "query")


def _write(output: Output) -> WrittenView:
    """The body of `PUT _plugins/_search_relevance/judgments`."""
    chosen = output.chosen
    check_queries(chosen)
    runs = [(run.path.name, run.manifest) for run in members_of(chosen.run)]
    judges = dict.fromkeys(f"{manifest.judge}; guideline {manifest.parts.get('guideline')}" for _, manifest in runs)
    what = {
        "name": ", ".join(f"{name} {manifest.fingerprint}" for name, manifest in runs),
        "description": " | ".join(judges),
        "type": "IMPORT_JUDGMENT",
    }
    head = json.dumps(what, ensure_ascii=False)[:-1] + ', "judgmentRatings": [\n'
    lines = LineFormat(_opensearch, _read_opensearch, head=head, between=",\n", foot="\n]}\n")
    return write_lines(chosen, lines, output.of_split)


FORMAT = Format(
    name="opensearch",
    help="an `IMPORT_JUDGMENT` body, ratings as strings",
    opened_by="`PUT _plugins/_search_relevance/judgments`",
    suffix=".json",
    write=_write,
    read=lambda path: by_words(_read_opensearch(path)),
    order=90,
)
