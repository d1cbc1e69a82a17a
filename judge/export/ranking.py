"""Judgments for evaluating a ranking: TREC qrels, and BEIR's folder of corpus, queries and qrels."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from judge.errors import RunError
from judge.export.chosen import Chosen
from judge.export.lines import Key, Line, LineFormat, columns, write_lines
from judge.export.query_batches import Window, query_batches
from judge.export.texts import TITLE, candidate_text
from judge.export.written import WrittenView
from judge.sql import quoted

_SPACE = re.compile(r"\s")
_BREAKS = re.compile(r'[\t\r\n"]')


def _check(window: Window, pattern: re.Pattern[str], says: tuple[str, str]) -> None:
    """Refuse ids that this format would tear apart."""
    for field in ("query_id", "candidate_id"):
        for row, value in zip(window.row.tolist(), window.table.column(field).to_pylist(), strict=True):
            if pattern.search(value):
                raise RunError(f"row {row}, field {field!r}: {value!r} holds {says[0]}", says[1])


def _trec(window: Window, chosen: Chosen) -> Iterator[Line]:
    """Lines `query-id 0 candidate-id grade`. TREC separates by white space, so ids must have none."""
    fix = "give ids without white space, or export to jsonl or parquet"
    _check(window, _SPACE, ("white space, which separates TREC's columns", fix))
    for query, candidate, grade, split in columns(window, "query_id", "candidate_id"):
        yield Line(f"{query} 0 {candidate} {grade}", split, ((query, candidate, grade),))


def _read_trec(path: Path) -> Iterator[Key]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            query, _, candidate, grade = line.split()
            yield query, candidate, int(grade)


def _tsv(window: Window, chosen: Chosen) -> Iterator[Line]:
    _check(window, _BREAKS, ("a tab, a quote or a line break", "give ids without them"))
    for query, candidate, grade, split in columns(window, "query_id", "candidate_id"):
        yield Line(f"{query}\t{candidate}\t{grade}", split, ((query, candidate, grade),))


def _read_tsv(path: Path) -> Iterator[Key]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream, delimiter="\t")
        if next(reader) != ["query-id", "corpus-id", "score"]:
            raise RunError(f"{path.name}: reads back without its header", "look at the disk, and export again")
        for query, candidate, grade in reader:
            yield query, candidate, int(grade)


TREC = LineFormat(_trec, _read_trec)
_QRELS = LineFormat(_tsv, _read_tsv, head="query-id\tcorpus-id\tscore\n")


def write_beir(chosen: Chosen, folder: Path) -> WrittenView:
    """`corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`; without splits the one that BEIR looks for, `test`.

    A candidate's first text is taken where rows bring several. Texts leave the title out: it has a key of its own.

    Raises:
        InputError: There is nothing to write.
        RunError: An id cannot be written, or what was read back is not what was to be written.
    """
    (folder / "qrels").mkdir()
    # One row stands for each candidate: the first.
    chosen.db.execute("""UPDATE rows SET first = true WHERE row IN (
        SELECT min(row) FROM rows WHERE left_out IS NULL GROUP BY candidate_id)""")
    fields = [name for name in chosen.fields if name != TITLE]
    titled = TITLE in chosen.fields
    queries = candidates = 0
    with (
        (folder / "corpus.jsonl").open("w", encoding="utf-8", newline="\n") as corpus,
        (folder / "queries.jsonl").open("w", encoding="utf-8", newline="\n") as asked,
    ):
        for window in query_batches(chosen):
            starts = window.table.take(window.starts)
            for key, text in zip(*(starts.column(name).to_pylist() for name in ("query_id", "query")), strict=True):
                asked.write(_json({"_id": key, "text": text}))
                queries += 1
            table = window.table.filter(window.first)
            texts = table.column("candidate").combine_chunks()
            titles = candidate_text(texts, [TITLE] if titled else []).to_pylist()
            rest = candidate_text(texts, fields).to_pylist()
            for key, title, text in zip(table.column("candidate_id").to_pylist(), titles, rest, strict=True):
                corpus.write(_json({"_id": key, "title": title, "text": text}))
                candidates += 1
    name = {} if chosen.selection.splits else {"train": "test"}
    written = write_lines(chosen, _QRELS, lambda split: folder / "qrels" / f"{name.get(split, split)}.tsv")
    _read_back(chosen, folder, queries, candidates)
    return written.model_copy(update={"records": {name.get(split, split): n for split, n in written.records.items()}})


def _json(value: dict[str, str]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _read_back(chosen: Chosen, folder: Path, queries: int, candidates: int) -> None:
    """Whether every id of the qrels has its text, once."""
    wanted = chosen.db.execute("""SELECT count(DISTINCT query_id), count(DISTINCT candidate_id),
        (SELECT sum(hash(query_id)::HUGEINT) FROM (SELECT DISTINCT query_id FROM rows WHERE left_out IS NULL)),
        (SELECT sum(hash(candidate_id)::HUGEINT) FROM (SELECT DISTINCT candidate_id FROM rows WHERE left_out IS NULL))
        FROM rows WHERE left_out IS NULL""").fetchone()
    sums = []
    for name in ("queries", "corpus"):
        path = quoted(folder / f"{name}.jsonl")
        sums += chosen.db.execute(
            f"""SELECT count(*), sum(hash(_id)::HUGEINT) FROM read_json({path}, format = 'newline_delimited',
            columns = {{'_id': 'VARCHAR', 'text': 'VARCHAR'}}) WHERE text IS NOT NULL"""
        ).fetchall()
    found = (sums[0][0], sums[1][0], sums[0][1], sums[1][1])
    if found != wanted or (queries, candidates) != found[:2]:
        raise RunError(f"{folder.name}: corpus or queries read back otherwise than written", "export again")
