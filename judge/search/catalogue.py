"""The products that can be mined: their texts, leaf categories and further columns, every row used or counted."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

from judge.errors import InputError
from judge.notes import missing_note, note
from judge.pairs.identity import missing, read_texts
from judge.records import Problem
from judge.tables.columns import PRODUCT_ALIASES, Columns
from judge.tables.ids import IdIndex, whole_id, whole_ids
from judge.tables.likely import likely_name
from judge.tables.problems import Problems, refuse
from judge.tables.rows import Table
from judge.tables.values import as_text
from judge.text import category_path, encodable
from judge.words.guideline import Guideline
from judge.words.normalise import clean

CATEGORY, TITLE = "category", "title"
LONG = 400
"""Characters of a text that stands in for a title."""
NO_TEXT = "no text"
REPEATED = "repeats another row"
CONTESTED = "one id with several texts"


@dataclass(frozen=True)
class Product:
    """One product."""

    id: str
    texts: Mapping[str, str]
    """The guideline's fields that it has, in their order."""
    more: Mapping[str, str]
    """Further columns of the catalogue, by their names there."""

    @property
    def title(self) -> str:
        """Its title; where it has none, the start of its texts."""
        return self.texts.get(TITLE) or self.text[:LONG]

    @property
    def text(self) -> str:
        """All of its texts."""
        return " | ".join(self.texts.values())

    @property
    def leaf(self) -> str:
        """The last part of its category's path; empty where it has none."""
        return _leaf_of(self.texts.get(CATEGORY, ""))


@lru_cache(10_000)
def _leaf_of(category: str) -> str:
    path = category_path(category)
    return clean(path[-1]).lower() if path else ""


@dataclass(frozen=True)
class Catalogue:
    """All products that can be searched."""

    name: str
    products: Sequence[Product]
    """In a random order that stays the same, whatever the file's."""
    rows: int
    """Rows of the file."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Rows that are no product here, by reason; with the products they add up to the rows."""
    without_text: frozenset[str] = frozenset()
    """Ids of rows that are no product for want of a text."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over ids and texts of the products, in their order."""
        found = hashlib.sha256()
        for product in self.products:
            parts = (product.id, *product.texts.values(), *product.more.values())
            found.update("\x1f".join(parts).encode("utf-8", "surrogatepass") + b"\x1e")
        return found.hexdigest()

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Where each id stands, as the catalogue has it."""
        return {product.id: at for at, product in enumerate(self.products)}

    @cached_property
    def _ids(self) -> IdIndex:
        return IdIndex(product.id for product in self.products)

    def find(self, key: str) -> int | None:
        """Where the product stands that another file names so; null where there is none."""
        return self._ids.find(key)

    def find_all(self, keys: Iterable[str], where: str) -> list[int | None]:
        """Where each of the products stands that a query of another file has.

        Raises:
            InputError: Two of its ids, such as 5 and 5.0, are one product.
        """
        named: dict[int, str] = {}
        places: list[int | None] = []
        for key in keys:
            places.append(place := self.find(key))
            if place is not None and named.setdefault(place, key) != key:
                both, ours = f"{named[place]!r} and {key!r}", f"{self.products[place].id!r} of {self.name}"
                fix = "write each product's id as the catalogue has it, and keep one of the two"
                raise InputError(f"{where}: {both} of one query are the product {ours}", fix)
        return places


def product_columns(
    mapping: Mapping[str, Sequence[str]], guideline: Guideline, others: Iterable[str]
) -> dict[str, Sequence[str]]:
    """What of a mapping is of the catalogue; `others` are our names that further files have.

    Raises:
        InputError: A name is none of ours.
    """
    own = {f.name for f in guideline.fields} | {"candidate_id"}
    if strange := sorted(mapping.keys() - own - set(others)):
        known = ", ".join(sorted(own.union(others)))
        raise InputError(f"--map {strange[0]}=…: there is no {strange[0]!r} to map", f"names: {known}")
    return {name: columns for name, columns in mapping.items() if name in own}


def read_catalogue(
    path: Path,
    guideline: Guideline,
    mapping: Mapping[str, Sequence[str]],
    *,
    skip_bad_rows: bool = False,
    name: str | None = None,
    encoding: str | None = None,
) -> Catalogue:
    """Read a catalogue for mining.

    Raises:
        InputError: The file cannot be used, a row cannot and is not to be skipped, or no product has a text.
    """
    joins = {f.name: f.join for f in guideline.fields}
    names = ["candidate_id", *joins]
    columns, table, problems = Columns(mapping, names, PRODUCT_ALIASES), Table(path, name, encoding), Problems()
    columns.require(table, ["candidate_id"])
    found: dict[str, Product] = {}
    contested: set[str] = set()
    silent: set[str] = set()
    aside: Counter[str] = Counter()
    rows = 0
    for number, line, read in _rows(table, columns, names, joins):
        rows += 1
        if isinstance(read, Problem):
            problems.note(read)
            aside[read.kind] += 1
        elif not read.texts:
            aside[NO_TEXT] += 1
            silent |= {read.id, whole_id(read.id)}
        elif read.id not in found:
            found[read.id] = read
        elif found[read.id].texts == read.texts:
            aside[REPEATED] += 1
        else:
            fix = "keep one row for each product"
            message = f"{read.id!r} had another text in an earlier row"
            problems.note(table.problem("conflicting_product", message, fix, number, line, "candidate_id"))
            contested.add(read.id)
            aside[CONTESTED] += 1
    columns.check_used()
    columns.announce()
    if nowhere := [name for name in joins if not columns.seen & columns.sources([name])]:
        note(f"{table.name}: {missing_note(nowhere, likely_name(nowhere[0], columns.unused))}")
    for key in contested:
        del found[key]
        aside[CONTESTED] += 1
    first = sorted(problems.first, key=lambda problem: problem.row or 0)
    refuse(first, problems.kinds, None, skip_bad_rows=skip_bad_rows)
    if not found:
        raise _nothing(table.name, rows, aside, list(joins))
    if len(found) + aside.total() != rows:
        raise InputError(f"{table.name}: {rows:,} rows do not add up", "see that the file is whole, and try again")
    ids = whole_ids(list(found))
    if len(set(ids)) < len(ids):
        ids = list(found)
    products = [replace(product, id=key) for key, product in zip(ids, found.values(), strict=True)]
    products.sort(key=_drawn)
    return Catalogue(table.name, products, rows, dict(sorted(aside.items())), frozenset(silent))


def _drawn(product: Product) -> bytes:
    """A product's place in an order that its id alone decides. Of equal scores the earlier product ranks higher, and a
    file that has the rated products first, or last, must not decide on who is better."""
    return hashlib.blake2b(product.id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def without_category(guideline: Guideline) -> str:
    """What to do where no product has a category: only a field of the guideline can be mapped."""
    if any(field.name == CATEGORY for field in guideline.fields):
        return f"name its column with --map {CATEGORY}=COLUMN"
    return f"the guideline {guideline.name!r} has no field {CATEGORY!r} to map: use one that has"


def _nothing(name: str, rows: int, aside: Counter[str], fields: Sequence[str]) -> InputError:
    """Why there is no product."""
    if not rows:
        return InputError(f"{name}: holds no row", "give a row for each product: `candidate_id` and its texts")
    if aside[NO_TEXT] == rows:
        fix = f"map the columns with --map {fields[0]}=COLUMN (fields: {', '.join(fields)})"
        return InputError(f"{name}: none of its {rows:,} rows has a text", fix)
    said = ", ".join(f"{count:,} × {reason.replace('_', ' ')}" for reason, count in sorted(aside.items()))
    return InputError(f"{name}: none of its {rows:,} rows can be used: {said}", "correct them; a product is one row")


def _rows(
    table: Table, columns: Columns, names: Sequence[str], joins: Mapping[str, str]
) -> Iterator[tuple[int, int | None, Product | Problem]]:
    ours = columns.sources(names)
    for row in table.rows():
        if isinstance(row, Problem):
            yield row.row or 0, row.line, row
            continue
        found = columns.find(tuple(row.values))
        texts = read_texts(table, row, found, names, joins)
        problem = texts if isinstance(texts, Problem) else missing(table, row, found, texts, ["candidate_id"])
        if problem or isinstance(texts, Problem):
            yield row.number, row.line, problem or texts  # type: ignore[misc]
            continue
        key = str(texts.pop("candidate_id"))
        more = {column: text for column, value in row.values.items() if column not in ours and (text := _plain(value))}
        yield row.number, row.line, Product(key, {name: text for name, text in texts.items() if text}, more)


def _plain(value: object) -> str | None:
    """A further column's value as text; none where it cannot be: nothing depends on it."""
    try:
        text = as_text(value)
    except ValueError:
        return None
    return text if text and encodable(text) else None
