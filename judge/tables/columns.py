"""The user's column names fitted to ours: `--map NAME=COLUMN`."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import lru_cache

from judge.errors import InputError
from judge.notes import note
from judge.tables.headless import header_fix
from judge.tables.ids import IDS
from judge.tables.likely import ANSWERS, INPUTS, likely_column, spelt
from judge.tables.rows import Table

ALIASES: Mapping[str, tuple[str, ...]] = {
    "candidate_id": ("product_id", "sku", "asin", "docid", "item_id"),
    "query": ("search_term", "user_query"),
    "title": ("product_title", "product_name", "item_name"),
    "brand": ("product_brand",),
    "colour": ("color", "product_color"),
    "description": ("product_description",),
}
"""What files often call our names. One is taken where our own name is neither mapped nor there."""
PRODUCT_ALIASES: Mapping[str, tuple[str, ...]] = {**ALIASES, "title": (*ALIASES["title"], "name")}
"""The same of a catalogue, where a name is a product's; in a file of pairs it may be a rater's, and next to a `value`
an attribute's."""
QUERY_ALIASES: Mapping[str, tuple[str, ...]] = {
    "query_id": ("query-id", "_id", "qid"),
    "query": (*ALIASES["query"], "query_text", "text"),
}
"""The same of a file of queries: WANDS, UBI's `ubi_queries`, BEIR."""
RATING_ALIASES: Mapping[str, tuple[str, ...]] = {**ALIASES, "grade": ("rating", "relevance", "label")}
"""The same of a file of ratings that has one column of grades."""
AS_WRITTEN = ("query_id", "rater", "clause", "time")
"""Our names that are spelt no other way: a `queryID` is often a single search's, and a `Time` may be a duration."""


class Columns:
    """The user's column names fitted to ours.

    Args:
        mapping: Our names to the user's columns.
        wanted: Our names.
        aliases: Our names to columns that are taken for them unasked.
    """

    def __init__(
        self,
        mapping: Mapping[str, Sequence[str]],
        wanted: Sequence[str],
        aliases: Mapping[str, Sequence[str]] = ALIASES,
    ) -> None:
        unknown = sorted(set(mapping) - set(wanted))
        if unknown:
            near = get_close_matches(unknown[0], wanted, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(
                f"--map {unknown[0]}=…: there is no {unknown[0]!r} to map", f"{hint}names: {', '.join(wanted)}"
            )
        self._sources = {name: tuple(mapping.get(name, (name,))) for name in wanted}
        self._mapped = {column: name for name, columns in mapping.items() for column in columns}
        taken = {*wanted, *self._mapped}
        self._taken = taken
        self._aliases = {
            name: tuple(alias for alias in aliases.get(name, ()) if alias not in taken)
            for name in wanted
            if name not in mapping
        }
        self._spelt: dict[str, set[str]] = {}
        """Columns that are read for a name since they are spelt alike."""
        self.seen: set[str] = set()
        self.passed_over: dict[str, str] = {}
        """Names that are read from a column which the user may not expect: one of several, or one of another name."""
        self._read = {column for columns in self._sources.values() for column in columns}
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, available: tuple[str, ...], names: tuple[str, ...] | None = None) -> dict[str, str]:
        """Our names to the columns that a row with these columns has; of `names` alone, where a file is read for no
        others."""
        self.seen.update(available)
        wanted = {name: columns for name, columns in self._sources.items() if names is None or name in names}
        found = {name: [c for c in dict.fromkeys(columns) if c in available] for name, columns in wanted.items()}
        for name, (first, *others) in ((name, columns) for name, columns in found.items() if len(columns) > 1):
            self._pass_over(name, first, others)
        for name, aliases in self._aliases.items():
            if found.get(name, True):
                continue
            if "value" in map(spelt, available):
                aliases = tuple(alias for alias in aliases if alias != "name")
            there = [alias for alias in aliases if alias in available]
            alike = self._spelt_alike(name, aliases, available)
            if len(there) > 1:
                raise InputError(
                    f"columns {' and '.join(map(repr, there))} could both be {name!r}",
                    f"name the one to use with --map {shlex.quote(f'{name}={there[0]}')}",
                )
            if not there and len(likest := [c for c in alike if spelt(c) == name] or alike) == 1:
                there = likest
                self._spelt.setdefault(name, set()).update(likest)
            if there:
                found[name] = there
                self._read.add(there[0])
                self._pass_over(name, there[0], [column for column in alike if column not in there])
        return {name: columns[0] for name, columns in found.items() if columns}

    def _pass_over(self, name: str, first: str, others: Sequence[str]) -> None:
        """Note what a name is read from, and in place of what; of each file, and of each row of other keys."""
        said = f"{first}, not {', '.join(others)}" if others else first
        before = self.passed_over.get(name)
        if said not in (before or "").split(" and "):
            self.passed_over[name] = f"{before} and {said}" if before else said

    def _spelt_alike(self, name: str, aliases: Sequence[str], available: Sequence[str]) -> list[str]:
        """The columns that are one of these names in other letters, such as `Search Term`.

        What a platform's file calls `Input.title` is the product's: its own `Title` is that of the task.
        """
        if name in AS_WRITTEN:
            return []
        starts = (*INPUTS, *ANSWERS) if any(column.startswith(INPUTS) for column in available) else ("",)
        free = [c for c in available if c not in self._taken and c not in aliases and c.startswith(starts)]
        return [column for column in free if spelt(column) in (name, *aliases)]

    def adopt(self, table: Table) -> None:
        """Take over what a header that a format fixes calls our names, where the user maps none of them. Ids are often
        mapped for another file of the same command: of these it comes after the map."""
        for name, column in table.aliases.items():
            mapped = name in self._mapped.values()
            if name in self._sources and column not in self._sources[name] and not (mapped and name not in IDS):
                self._sources[name] = (*self._sources[name], column)
                self._read.add(column)
                self.find.cache_clear()

    def of(self, table: Table, names: tuple[str, ...] | None = None) -> dict[str, str]:
        """Our names to the columns of a header; `names` as in `find`.

        Raises:
            InputError: Two of its columns could be one of our names.
        """
        self.adopt(table)
        try:
            return self.find(table.columns or (), names)
        except InputError as error:
            raise InputError(f"{table.name}, row 1: {error.message}", error.hint) from None

    def unread(self, table: Table, names: tuple[str, ...]) -> dict[str, str]:
        """Columns of a header that would be read for these names, if the file were read for them; nothing is counted
        as read."""
        others = Columns(
            {name: self._sources[name] for name in names if name in self._mapped.values()}, [*self._sources]
        )
        with suppress(InputError):  # several could be meant
            return others.find(table.columns or (), names)
        return {}

    def require(self, table: Table, names: Sequence[str], read: tuple[str, ...] | None = None) -> None:
        """Refuse a file whose header lacks a column. JSONL has no header: its rows are checked one by one. `read` are
        the names that the file is read for, all unless given."""
        if table.columns is None:
            return
        found = self.of(table, read)
        missing = [name for name in names if name not in found]
        if not missing:
            return
        first, near = missing[0], dict.fromkeys(missing, "")
        for name in missing:
            # A column that serves another name of ours is not the one, whatever it is called.
            taken = {*found.values(), *near.values(), *self._sources.keys() - {name}}
            near[name] = likely_column(table, name, self._sources[name], taken) or ""
        maps = (f"{name}={column or 'COLUMN'}" for name, column in near.items())
        given = " ".join(f"--map {shlex.quote(one)}" for one in maps)
        several = len(missing) > 1
        fix = f"add the column{'s' if several else ''}, or name {'those' if several else 'the one'} to use with {given}"
        if first in self._mapped.values():
            fix = f"name this file's column with one more {given}: each file uses the column it has"
        if headless := header_fix(table, names):
            fix = headless
        elif first == "query" and "query_id" in found and not near[first]:
            fix = "give the words of each query_id with --queries FILE, or add the column"
        wanted = " or ".join(repr(column) for column in self._sources[first])
        raise InputError(
            f"{table.name}, row 1, field {first!r}: missing column {wanted}; it has {', '.join(table.columns)}", fix
        )

    def check_used(self, names: Sequence[str] | None = None) -> None:
        """Refuse a mapping (of these names, of all unless given) of which no file has any column: a typing error."""
        for column in sorted(self._mapped.keys() - self.seen):
            if names is not None and self._mapped[column] not in names:
                continue
            if self.seen & set(self._sources[self._mapped[column]]):
                continue
            near = get_close_matches(column, sorted(self.seen), 1, 0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            columns = ", ".join(sorted(self.seen)[:20])
            raise InputError(
                f"--map {self._mapped[column]}={column}: no file has a column {column!r}", f"{hint}columns: {columns}"
            )

    def sources(self, names: Sequence[str]) -> set[str]:
        """All columns that any of these names may be read from."""
        some = ((*self._sources[name], *self._aliases.get(name, ()), *self._spelt.get(name, ())) for name in names)
        return {column for columns in some for column in columns}

    def announce(self) -> None:
        """Say what is read from a column that the user may not expect."""
        announce(self.passed_over)

    @property
    def unused(self) -> list[str]:
        """Columns seen in the files that no name of ours reads."""
        return sorted(self.seen - self._read)


def announce(columns: Mapping[str, str]) -> None:
    """Say which columns are read for our names."""
    for name, column in columns.items():
        note(f"{name} is read from {column}")
