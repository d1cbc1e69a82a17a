"""Which of a file's columns is probably meant for one of our names: one that is called like it, and looks like it."""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

from judge.errors import InputError
from judge.tables.rows import Row, Table
from judge.tables.values import as_text

SAMPLE = 200
"""Rows that are looked at."""
CALLED = {
    "query": ("search_term", "search_query", "user_query", "query_text", "keyword", "search", "term"),
    "candidate_id": (
        *("product_id", "productid", "product_uid", "sku", "asin", "item_id", "itemid", "content_id", "contentid"),
        *("docid", "doc_id", "document_id", "corpus_id", "pid", "gtin", "handle", "_id"),
    ),
    "grade": ("rating", "relevance", "label", "median_relevance", "esci_label", "judgment", "judgement", "score"),
    "locale": ("product_locale", "language", "lang", "country", "country_code", "market", "store_view_code"),
    "title": ("product_name", "product_title", "item_name", "name", "headline"),
}
"""What others call the same, the commonest name first."""
ROW_ID = "id"
"""What may be the candidate's id, or number the rows: named only where nothing else is."""
INPUTS = ("Input.", "INPUT:")
"""What crowds' platforms put before the columns of a task."""
ANSWERS = ("Answer.", "OUTPUT:")
"""What they put before those of an answer."""

RATERS = ("rater", "annotator", "worker", "assessor", "labeler", "labeller", "grader", "reviewer", "user", "judge")
"""What others call who gave a grade, alone or before `id`, `email` or `name`."""


def likely_rater(free: Collection[str]) -> str | None:
    """A column that by its name says who gave a grade, such as `WorkerId` or `ASSIGNMENT:worker_id`; null for none."""
    who = re.compile(rf"({'|'.join(RATERS)})(id|email|name)?|completedby")
    ends = ((column, re.sub(r"[^a-z]", "", column.casefold().rpartition(":")[2])) for column in free)
    return next((column for column, end in ends if who.fullmatch(end)), None)


def likely_column(table: Table, name: str, wanted: Sequence[str], taken: Collection[str]) -> str | None:
    """A column for `name`, which the user has under one of `wanted`; null where none is called and looks like it.

    Args:
        table: The file; its first rows are read.
        name: Ours.
        wanted: The columns that were looked for.
        taken: Columns that serve other names.
    """
    free = [column for column in table.columns or () if column and column not in taken]
    close = get_close_matches(wanted[0], free, 3, 0.5)
    row_id = [column for column in free if name == "candidate_id" and spelt(column) == ROW_ID]
    for column in dict.fromkeys((*_called(name, free), *close, *row_id)):
        if _looks_like(name, _sample(table, column)):
            return column
    return None


def likely_name(name: str, free: Sequence[str]) -> str | None:
    """A column for `name` by what it is called alone; null where none of those that are free is called like it."""
    called = _called(name, free)
    holding = [column for column in free if name in column.casefold()]
    close = get_close_matches(name, free, 1, 0.65) if name != "locale" else []  # which a scale or a colour resembles
    return next(iter((*called, *holding, *close)), None)


def spelt(column: str) -> str:
    """`Search Query`, `search-query`, `searchQuery` and a platform's `Input.search_query` are `search_query`."""
    start = next((start for start in (*INPUTS, *ANSWERS) if column.startswith(start)), "")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.removeprefix(start))
    return re.sub(r"[\s-]+", "_", words.strip().casefold())


def _called(name: str, free: Sequence[str]) -> list[str]:
    """Columns that others call so for `name`, in the order of `CALLED`; answers to a task are grades."""
    names = CALLED.get(name, ())
    called = sorted((column for column in free if spelt(column) in names), key=lambda c: names.index(spelt(c)))
    return called + [column for column in free if name == "grade" and column.startswith(ANSWERS)]


def _sample(table: Table, column: str) -> list[str]:
    found: list[str] = []
    try:
        for row in islice(table.rows([column]), SAMPLE):
            value: Any = row.values.get(column) if isinstance(row, Row) else None
            text = as_text(value)
            found += [text.strip()] if text else []
    except (InputError, ValueError):
        pass  # what is wrong with the file is said where it is read
    return found


def _looks_like(name: str, texts: Sequence[str]) -> bool:
    """Whether texts could be the thing: queries have words, ids of candidates differ, grades are few."""
    if not texts:
        return True
    if name == "query":
        words = [text for text in texts if any(map(str.isalpha, text)) and (" " in text or not _has_digit(text))]
        return 2 * len(words) >= len(texts)
    if name == "candidate_id":
        return len(set(texts)) >= min(2, len(texts)) and all(len(text.split()) <= 2 for text in texts)
    if name == "grade":
        # A platform's box for each answer, ticked or not, is no grade by itself.
        return {text.casefold() for text in texts} != {"true", "false"} and len(set(texts)) <= max(11, len(texts) // 10)
    return True


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))
