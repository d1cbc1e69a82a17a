"""What a report shows of a candidate, from a catalogue: for pairs that no run knows."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from judge.errors import InputError
from judge.ratings.layout import TEXTS
from judge.records import Problem
from judge.tables.columns import PRODUCT_ALIASES, Columns
from judge.tables.ids import as_id, whole_ids
from judge.tables.rows import Table
from judge.tables.values import as_text


def read_texts(
    path: Path, mapping: Mapping[str, Sequence[str]], name: str | None = None, encoding: str | None = None
) -> dict[str, dict[str, str]]:
    """Title, category and description of each candidate of a catalogue, by `candidate_id`.

    Raises:
        InputError: The file cannot be used. A row without an id is left out: it is no candidate of a rating.
    """
    names = ("candidate_id", *TEXTS)
    table = Table(path, name, encoding)
    columns = Columns({name: column for name, column in mapping.items() if name in names}, names, PRODUCT_ALIASES)
    columns.require(table, ["candidate_id"])
    rows: list[dict[str, str]] = []
    for row in table.rows(columns.sources(names)):
        if isinstance(row, Problem):
            raise InputError(str(row), row.fix)
        texts = {}
        for name, column in columns.find(tuple(row.values)).items():
            with suppress(ValueError):  # a text that cannot be shown is not shown
                value = row.values[column]
                text = as_id(value) if name == "candidate_id" else as_text(value, " > " if name == "category" else "; ")
                texts[name] = text or ""
        length = sum(len(text) for name, text in texts.items() if name != "candidate_id")
        if texts.get("candidate_id"):
            rows.append(texts | {"text_length": str(length) if length else ""})
    columns.announce()
    ids = whole_ids(texts["candidate_id"] for texts in rows)
    return {id_: texts | {"candidate_id": id_} for id_, texts in zip(ids, rows, strict=True)}
