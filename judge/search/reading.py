"""A file of products as a catalogue: every row used or counted."""

import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from judge.errors import InputError
from judge.notes import missing_note, note
from judge.pairs.identity import missing, read_texts
from judge.records import Problem
from judge.search.catalogue import CATEGORY, Catalogue, Product
from judge.search.locales import LOCALE, OTHER_LOCALE, QueryLocales, choose, folded
from judge.tables.columns import PRODUCT_ALIASES, Columns
from judge.tables.ids import whole_id, whole_ids
from judge.tables.likely import likely_name
from judge.tables.problems import Problems, refuse
from judge.tables.rows import Table
from judge.tables.values import as_text
from judge.text import encodable
from judge.words.guideline import Guideline

NO_TEXT = "no text"
REPEATED = "repeats another row"
CONTESTED = "one id with several texts"


def product_columns(
    mapping: Mapping[str, Sequence[str]], guideline: Guideline, others: Iterable[str]
) -> dict[str, Sequence[str]]:
    """What of a mapping is of the catalogue; `others` are our names that further files have.

    Raises:
        InputError: A name is none of ours.
    """
    own = {f.name for f in guideline.fields} | {"candidate_id", LOCALE}
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
    asked: Callable[[], QueryLocales] | None = None,
    only: str | None = None,
) -> Catalogue:
    """Read a catalogue for mining.

    Args:
        asked: The locales of the queries, of which a catalogue with a row for each product and locale is read for one.
        only: That locale, where it is chosen.

    Raises:
        InputError: The file cannot be used, a row cannot and is not to be skipped, or no product has a text.
    """
    joins = {f.name: f.join for f in guideline.fields}
    names = ["candidate_id", *joins]
    ours = {name: given for name, given in mapping.items() if name in (*names, LOCALE)}
    columns, table = Columns(ours, [*names, LOCALE], PRODUCT_ALIASES), Table(path, name, encoding)
    columns.require(table, ["candidate_id"])
    kept = _Kept(table, columns, mapping.get(LOCALE), only)
    for number, line, read in _rows(table, columns, names, joins):
        kept.take(number, line, read)
    columns.check_used(names)  # the locale's column may be that of the queries
    if kept.by_locale and only is None:
        column = next(column for column in kept.locale_columns if column in columns.seen)
        only = choose(table.name, path, column, kept.locales, asked)
        return read_catalogue(
            path, guideline, mapping, skip_bad_rows=skip_bad_rows, name=name, encoding=encoding, only=only
        )
    columns.announce()
    if nowhere := [name for name in joins if not columns.seen & columns.sources([name])]:
        note(f"{table.name}: {missing_note(nowhere, likely_name(nowhere[0], columns.unused))}")
    return kept.catalogue(list(joins), skip_bad_rows)


@dataclass
class _Kept:
    """What the rows that were read come to."""

    table: Table
    columns: Columns
    mapped: Sequence[str] | None
    """Columns that the user named for locales."""
    only: str | None
    problems: Problems = field(default_factory=Problems)
    found: dict[str, Product] = field(default_factory=dict)
    contested: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    """Ids of rows without a text."""
    aside: Counter[str] = field(default_factory=Counter)
    locales: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    by_locale: bool = False
    """Whether rows of one product differ in locale and in text."""

    @property
    def locale_columns(self) -> Sequence[str]:
        """Columns of locales: mapped, or of our name, or of it in other letters."""
        return self.mapped or _locale_columns(self.columns)

    def take(self, number: int, line: int | None, read: Product | Problem) -> None:
        """Use a row, or set it aside under a reason."""
        self.rows += 1
        if isinstance(read, Problem):
            self.problems.note(read)
            self.aside[read.kind] += 1
            return
        locale = _locale(read, self.locale_columns)
        self.locales[locale] += 1
        if self.only is not None and locale != self.only:
            self.aside[OTHER_LOCALE] += 1
        elif not read.texts:
            self.aside[NO_TEXT] += 1
            self.silent |= {read.id, whole_id(read.id)}
        elif read.id not in self.found:
            self.found[read.id] = read
        elif self.found[read.id].texts == read.texts:
            self.aside[REPEATED] += 1
        else:
            self.by_locale = self.by_locale or locale != _locale(self.found[read.id], self.locale_columns)
            self._contest(number, line, read)

    def _contest(self, number: int, line: int | None, read: Product) -> None:
        likely = None if self.mapped else likely_name(LOCALE, [*read.more])
        by_column = f", or name the column of their locales with --map {shlex.quote(f'{LOCALE}={likely}')}"
        fix = f"keep one row for each product{by_column if likely else ''}"
        message = f"{read.id!r} had another text in an earlier row"
        self.problems.note(self.table.problem("conflicting_product", message, fix, number, line, "candidate_id"))
        self.contested.add(read.id)
        self.aside[CONTESTED] += 1

    def catalogue(self, fields: Sequence[str], skip_bad_rows: bool) -> Catalogue:
        """The products, in the order of `_drawn`, once all rows were taken.

        Raises:
            InputError: As `read_catalogue`.
        """
        for key in self.contested:
            del self.found[key]
            self.aside[CONTESTED] += 1
        name, rows, aside = self.table.name, self.rows, self.aside
        first = sorted(self.problems.first, key=lambda problem: problem.row or 0)
        refuse(first, self.problems.kinds, None, skip_bad_rows=skip_bad_rows)
        if not self.found:
            raise _nothing(name, rows, aside, fields, first)
        if len(self.found) + aside.total() != rows:
            raise InputError(f"{name}: {rows:,} rows do not add up", "see that the file is whole, and try again")
        ids = whole_ids(list(self.found))
        if len(set(ids)) < len(ids):
            ids = list(self.found)
        products = [replace(product, id=key) for key, product in zip(ids, self.found.values(), strict=True)]
        products.sort(key=_drawn)
        return Catalogue(name, products, rows, dict(sorted(aside.items())), frozenset(self.silent))


def _locale_columns(columns: Columns) -> list[str]:
    """Columns that are read for locales, where none is mapped: of our name, or of it in other letters."""
    return sorted(columns.sources([LOCALE]), key=lambda column: (column != LOCALE, column))


def _locale(product: Product, columns: Sequence[str]) -> str:
    return folded(next((product.more[column] for column in columns if column in product.more), None))


def _drawn(product: Product) -> bytes:
    """A product's place in an order that its id alone decides. Of equal scores the earlier product ranks higher, and a
    file that has the rated products first, or last, must not decide on who is better."""
    return hashlib.blake2b(product.id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def without_category(guideline: Guideline) -> str:
    """What to do where no product has a category: only a field of the guideline can be mapped."""
    if any(field.name == CATEGORY for field in guideline.fields):
        return f"name its column with --map {CATEGORY}=COLUMN"
    return f"the guideline {guideline.name!r} has no field {CATEGORY!r} to map: use one that has"


def _nothing(
    name: str, rows: int, aside: Counter[str], fields: Sequence[str], problems: Sequence[Problem]
) -> InputError:
    """Why there is no product."""
    if not rows:
        return InputError(f"{name}: holds no row", "give a row for each product: `candidate_id` and its texts")
    if aside[NO_TEXT] == rows:
        fix = f"map the columns with --map {fields[0]}=COLUMN (fields: {', '.join(fields)})"
        return InputError(f"{name}: none of its {rows:,} rows has a text", fix)
    said = ", ".join(f"{count:,} × {reason.replace('_', ' ')}" for reason, count in sorted(aside.items()))
    fix = problems[0].fix if problems else "correct them; a product is one row"
    return InputError(f"{name}: none of its {rows:,} rows can be used: {said}", fix)


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
