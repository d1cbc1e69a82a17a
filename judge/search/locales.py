"""A catalogue that has a row for each product and locale, of which one is searched: that of the queries."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from judge.errors import InputError
from judge.notes import note
from judge.records import counted

LOCALE = "locale"
OTHER_LOCALE = "another locale"


@dataclass(frozen=True)
class QueryLocales:
    """The locales of the queries that a catalogue is read for."""

    name: str
    """What messages call their file or run."""
    of: Sequence[str | None]
    """One for each query; null where it has none."""
    source: str | None = None
    """What a SELECT that gives those of one locale reads them from, up to WHERE; null where no command can be given."""
    column: str = LOCALE
    """The locale's column there."""


def folded(locale: str | None) -> str:
    """A locale as it is compared, as in the join of pairs and catalogue."""
    return (locale or "").strip().lower()


def from_file(
    path: Path, name: str | None, mapping: Mapping[str, Sequence[str]], of: Sequence[str | None]
) -> QueryLocales:
    """The locales of a file's queries."""
    source = _rows_of(path) if name in (None, str(path)) else None
    return QueryLocales(name or str(path), of, source, mapping.get(LOCALE, (LOCALE,))[0])


def from_run(path: Path, mapping: Mapping[str, Sequence[str]], of: Sequence[str | None]) -> QueryLocales:
    """The locales of a run's queries; they are given back under the columns that other files of the command have."""
    named = ((name, mapping.get(name, (name,))[0]) for name in ("query_id", "query", LOCALE))
    columns = ", ".join(name if name == column else f"{name} AS {column}" for name, column in named)
    source = f"SELECT DISTINCT {columns} FROM '{path / 'pairs.parquet'}'"
    return QueryLocales(str(path), of, source if "'" not in str(path) else None)


def _rows_of(path: Path) -> str | None:
    """All of a file's rows as a SELECT begins with them, cells as they are written; null where it cannot be said."""
    if "'" in str(path):
        return None
    if path.suffix in (".csv", ".tsv"):
        return f"FROM read_csv('{path}', all_varchar = true)"
    return f"FROM '{path}'" if path.suffix in (".parquet", ".jsonl") else None


def choose(
    name: str, path: Path, column: str, there: Mapping[str, int], asked: Callable[[], QueryLocales] | None
) -> str:
    """The locale to search of a catalogue that is keyed by it.

    Args:
        name: What messages call the catalogue.
        path: Where it lies.
        column: Its column of locales.
        there: How many rows it has of each.
        asked: Gives the locales of the queries; null where there are none.

    Raises:
        InputError: The queries have several, or none that the catalogue has.
    """
    queries = asked() if asked else None
    wanted = Counter(map(folded, queries.of)) if queries else Counter[str]()
    told = f"{name}: has products once for each locale ({_listed(there)}), and one locale is searched at a time"
    if queries is None or not wanted.keys() & there.keys() - {""}:
        likely = max(sorted(there), key=lambda locale: there[locale])  # none, where that is how the main one is written
        rows = _command(_rows_of(path), column, likely, f"catalogue-{likely or 'main'}.parquet")
        fix = f"give its rows of one locale{rows}"
        if queries is None:
            raise InputError(told, fix)
        has = f"{queries.name} has queries of {_listed(wanted)}" if any(wanted) else f"{queries.name} names none"
        raise InputError(f"{told}: {has}", f"name the queries' column of locales with --map {LOCALE}=COLUMN, or {fix}")
    if len(wanted) > 1:
        likely = max(sorted(wanted.keys() & there.keys() - {""}), key=lambda locale: wanted[locale])
        rows = _command(queries.source, queries.column, likely, f"queries-{likely}.parquet")
        raise InputError(
            f"{told}: {queries.name} has queries of {_listed(wanted)}", f"give the queries of one locale{rows}"
        )
    (locale,) = wanted
    others = sum(there.values()) - there[locale]
    note(f"{name}: searched is {locale}, the locale of the queries; {counted(others, 'row')} of others left out")
    return locale


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{locale or 'none'} {count:,}" for locale, count in most[:10])
    return shown + (f" and {len(most) - 10} more" if len(most) > 10 else "")


def _command(source: str | None, column: str, locale: str, out: str) -> str:
    """A command that writes the rows of one locale; nothing where a file's own words could be run by the shell."""
    plain = re.fullmatch(r"[\w.-]*", locale) and re.fullmatch(r"\w+", column)
    if source is None or not plain or re.search(r'["$`\\!]', source):  # what a shell would read
        return ""
    sql = f"COPY ({source} WHERE coalesce(lower(trim({column})), '') = '{locale}') TO '{out}' "
    return f": `python -c \"import duckdb; duckdb.sql('''{sql}''')\"`"
