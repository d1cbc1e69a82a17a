"""BEIR's folder of corpus, queries and qrels."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from judge.errors import RunError
from judge.export.chosen import Chosen
from judge.export.formats import Format, Output, ReadPair
from judge.export.lines import Key, Line, LineFormat, columns, refuse_ids, write_lines
from judge.export.query_batches import Window, query_batches
from judge.export.reading import plain_cells
from judge.export.spellings import mark_firsts
from judge.export.texts import TITLE, candidate_text
from judge.export.written import WrittenView
from judge.sql import quoted

_HEADER = ("query-id", "corpus-id", "score")
_BREAKS = re.compile(r'[\t\r\n"]')


def _tsv(window: Window, chosen: Chosen) -> Iterator[Line]:
    refuse_ids(window, chosen, _BREAKS, ("a tab, a quote or a line break", "give ids without them"))
    for query, candidate, grade, split in columns(window, "query_id", "candidate_id"):
        yield Line(f"{query}\t{candidate}\t{grade}", split, ((query, candidate, grade),))


def _read_tsv(path: Path) -> Iterator[Key]:
    for query, candidate, grade in plain_cells(path, "\t", _HEADER):
        yield query, candidate, int(grade)


_QRELS = LineFormat(_tsv, _read_tsv, head="\t".join(_HEADER) + "\n", qrels=True)


def _read(folder: Path) -> Iterator[ReadPair]:
    with (folder / "queries.jsonl").open(encoding="utf-8") as stream:
        words = {query["_id"]: query["text"] for query in map(json.loads, stream)}
    for path in sorted((folder / "qrels").glob("*.tsv")):
        for query_id, candidate_id, grade in _read_tsv(path):
            yield ReadPair(query_id, words.get(query_id), candidate_id, grade)


def _write(output: Output) -> WrittenView:
    """`corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`; without splits the one that BEIR looks for, `test`.

    A candidate's first text is taken where rows bring several, which a note says. Texts leave the title out: it has a
    key of its own.

    Raises:
        InputError: There is nothing to write.
        RunError: An id cannot be written, or what was read back is not what was to be written.
    """
    chosen, folder = output.chosen, output.path
    (folder / "qrels").mkdir()
    # One row stands for each candidate: the first.
    mark_firsts(chosen)
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


FORMAT = Format(
    name="beir",
    help="`corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`; without splits `qrels/test.tsv`",
    opened_by='`GenericDataLoader(…).load(split="test")`',
    suffix="",
    write=_write,
    read=_read,
    order=70,
    folder=True,
    need_text=True,
)
