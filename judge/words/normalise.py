"""When two texts are the same words. Three forms, each coarser than the one before; whatever asks uses one of them.

- `clean`: one line. The judge reads texts so; what a reader cannot see makes no difference.
- `same_words`: neither does case, nor how a letter is encoded. Rows of two files that name the same query have it in
  common; a word more, a sign or an accent make another.
- `judge.words.forms` has the coarser ones, which look for copies: `spelling` also takes the words in any order, and
  without accents; `canonical` has letters and digits alone.

Texts that one form has in common, the coarser ones have in common too.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from judge.sql import another
from judge.text import UNSEEN

BATCH = 20_000
"""Texts that are in memory at a time."""


def clean(text: str) -> str:
    """A text on one line: runs of white space, control characters and what shows nothing become one space."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip(" ")  # most texts: there is nothing to clean
    return UNSEEN.sub(" ", text.replace("\xad", "")).strip()  # a soft hyphen stands within a word


def same_words(text: str) -> str:
    """The form that texts of the same words have in common: clean, without case, in Unicode's NFC.

    Full-width letters, ligatures and the dotless ı stay letters of their own. `same_words(same_words(text))` is
    `same_words(text)`.

    Source: canonical caseless matching, definition D145 of the Unicode Standard, chapter 3.13. It folds the decomposed
    text, because a folded iota subscript is a letter, past which accents no longer move.
    """
    text = clean(text)
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def same_words_before(text: str) -> str:
    """What stood for `same_words` in the first version of the rule: runs from then keep it."""
    return re.sub(r"[\t\n\f\r ]+", " ", text).strip(" ").lower()


def keyed(db: Any, texts: str, name: str, key: Callable[[str], str] = same_words) -> None:
    """Make the table `name` of columns `text, key`: what each text has in common with others. Join it to both sides.

    Python sees each different text once: ten million rows of a thousand queries are a thousand calls.

    Args:
        db: A DuckDB connection.
        texts: SQL of one column of texts; nulls have no row in the table.
        name: The table to make, or to make anew.
        key: The form that counts.
    """
    # Of its own: a cursor does not see tables that are only registered.
    db.execute(f"CREATE OR REPLACE TABLE _texts AS SELECT DISTINCT text FROM ({texts}) t(text) WHERE text IS NOT NULL")
    keyed_by_id(db, "SELECT text, text FROM _texts", name, key)
    db.execute(f"ALTER TABLE {name} RENAME id TO text")
    db.execute("DROP TABLE _texts")


def keyed_by_id(db: Any, source: str, name: str, key: Callable[[str], str]) -> None:
    """Make the table `name` of columns `id, key`, from SQL of columns `id, text` over tables: long texts stay there."""
    import pyarrow as pa

    db.execute(f"CREATE OR REPLACE TABLE {name} (id VARCHAR, key VARCHAR)")
    for batch in another(db).sql(source).to_arrow_reader(BATCH):
        keys = [key(text or "") for text in batch.column(1).to_pylist()]
        db.register("_keyed", pa.table({"id": batch.column(0), "key": pa.array(keys, pa.string())}))
        db.execute(f"INSERT INTO {name} SELECT * FROM _keyed")
        db.unregister("_keyed")
