"""The set-wise half of reading pairs: joins, repeats, contradictions and order, in DuckDB over files on disk."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

from judge.pairs.ordering import write_ordered
from judge.pairs.origin import origin_sql
from judge.records import Problem
from judge.sql import in_memory, on_disk, quoted
from judge.tables.ids import IDS, as_written_sql, whole_id_sql
from judge.words.normalise import keyed

MEMORY = "500MB"
"""DuckDB's share; past it, it spills into the scratch directory."""


def keep_one(column: str | None) -> str:
    """What to do about a product with several texts; `column` is the one that may have its locale, if one may."""
    given = shlex.quote(f"locale={column or 'COLUMN'}")
    where = "where pairs and products have a locale, name its column in both"
    return f"keep one row for each product; {where} with --map {given}"


def kept_ids(scratch: Path) -> frozenset[str]:
    """Our names of the columns whose ids stay as written: `given.parquet` and `catalogue.parquet` decide together."""
    given, catalogue = (f"read_parquet({quoted(scratch / f'{name}.parquet')})" for name in ("given", "catalogue"))
    candidates = f"SELECT candidate_id FROM {given} UNION ALL SELECT candidate_id FROM {catalogue}"
    sources = {"candidate_id": candidates, "query_id": f"SELECT query_id FROM {given}"}
    asked = ", ".join(f"(SELECT {as_written_sql(name)} FROM ({source})) AS {name}" for name, source in sources.items())
    with in_memory() as db:
        found = db.execute(f"SELECT {asked}").fetchall()[0]
    return frozenset(name for name, kept in zip(sources, found, strict=True) if kept)


class Staging:
    """A scratch database over `given.parquet` and `catalogue.parquet` of one directory. Use as a context manager.

    Args:
        scratch: The directory.
        fields: The candidate's fields.
        kept: What `kept_ids` says of the directory.
        grades: A Parquet file of `row, grade, skip`: what people's grades say of each row, or null.
    """

    def __init__(self, scratch: Path, fields: Sequence[str], kept: frozenset[str], grades: Path | None = None) -> None:
        self._scratch, self._opened = scratch, ExitStack()
        files = [scratch / "given.parquet", scratch / "catalogue.parquet"]
        self._db = self._opened.enter_context(on_disk(scratch, MEMORY, 2, files))
        ids = ", ".join(f"{whole_id_sql(name)} AS {name}" for name in IDS if name not in kept)
        columns = f"* REPLACE ({ids})" if ids else "*"
        for name in ("given", "catalogue"):
            path = quoted(scratch / f"{name}.parquet")
            self._db.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM read_parquet({path})")
        if grades is None:
            self._db.execute("CREATE VIEW rows AS SELECT *, NULL::INTEGER AS grade FROM given")
        else:
            self._db.read_parquet(str(grades)).create_view("grades")
            self._db.execute("""
                CREATE VIEW rows AS SELECT r.* REPLACE (coalesce(r.skip, g.skip) AS skip), g.grade
                FROM given r LEFT JOIN grades g USING (row)""")
        keyed(self._db, "SELECT query FROM rows", "forms")
        self._by_locale = self._has_locales()
        # A row of no text at all, as shops export a product's further variants, says nothing against the others.
        self._db.execute(f"""
            CREATE TABLE products AS
            SELECT candidate_id, {self._place} AS place, coalesce(min(row) FILTER (chars > 0), min(row)) AS first_row,
                   count(DISTINCT text) FILTER (chars > 0) AS texts,
                   coalesce(arg_min(chars, row) FILTER (chars > 0), 0) AS chars,
                   coalesce(arg_min(text, row) FILTER (chars > 0), any_value(text)) AS text
            FROM catalogue GROUP BY ALL""")
        # The digest of no text at all, for pairs whose product is not there.
        self._nothing = blake2b(("\x1f" * (len(fields) - 1)).encode(), digest_size=16).hexdigest()
        self._mark(joined=False)

    @property
    def _place(self) -> str:
        """SQL of what tells apart the texts of one id; empty where the id alone does."""
        return "coalesce(lower(trim(locale)), '')" if self._by_locale else "''"

    def _has_locales(self) -> bool:
        """Whether the catalogue is keyed by id and locale: one id has several texts, in locales that pairs name."""
        ((found,),) = self._rows("""
            SELECT EXISTS (SELECT 1 FROM catalogue GROUP BY candidate_id
                           HAVING count(DISTINCT lower(trim(locale))) > 1 AND count(DISTINCT text) > 1)
               AND EXISTS (SELECT 1 FROM rows WHERE locale IS NOT NULL)""")
        return bool(found)

    def __enter__(self) -> "Staging":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def join_catalogue(self) -> None:
        """Take candidates' texts from the catalogue."""
        self._mark(joined=True)

    def _mark(self, *, joined: bool) -> None:
        """One small row for each input row: what it repeats or contradicts. Of texts it has digests alone."""
        self._joined = joined
        own = "r.chars, r.text, NULL::BIGINT AS product"
        texts = "coalesce(p.chars, 0) AS chars, coalesce(p.text, $nothing) AS text, p.first_row AS product"
        source = f"""
            SELECT r.* EXCLUDE (candidate, chars, text, place), {texts if joined else own},
                   {"p.candidate_id IS NULL" if joined else "false"} AS absent,
                   coalesce(p.texts > 1, false) AS contested
            FROM (SELECT *, {self._place} AS place FROM rows) r LEFT JOIN products p USING (candidate_id, place)"""
        marked = f"""
            CREATE OR REPLACE TABLE marked AS
            WITH texts AS (
                SELECT row, line, query_id, candidate_id, grade, skip, absent, contested, chars, product,
                       length(coalesce(query, '')) AS query_chars, md5(f.key) AS query_text,
                       md5(concat_ws(chr(30), f.key, coalesce(locale, ''), s.text)) AS text
                FROM ({source}) s LEFT JOIN forms f ON f.text = s.query),
            queries AS (
                SELECT *, min(row) OVER query AS query_row, first_value(query_text) OVER query AS first_query
                FROM texts WINDOW query AS (PARTITION BY skip IS NULL, query_id ORDER BY row)),
            -- A row that is refused for its query says nothing against another row of its pair.
            sound AS (SELECT *, skip IS NULL AND query_text = first_query AS is_sound FROM queries)
            SELECT *, min(row) OVER pair AS pair_row, first_value(text) OVER pair AS first_text
            FROM sound WINDOW pair AS (PARTITION BY is_sound, query_id, candidate_id ORDER BY row)"""
        self._db.execute(marked.replace("$nothing", quoted(self._nothing)))

    _KIND = """CASE
        WHEN skip IS NOT NULL THEN NULL
        WHEN absent THEN 'not_in_catalogue'
        WHEN contested THEN 'contested_candidate'
        WHEN query_text <> first_query THEN 'conflicting_query'
        WHEN row <> pair_row AND text <> first_text THEN 'conflicting_pair' END"""

    def problems(
        self, pairs: str, catalogue: str, shown: int, locale: str | None = None
    ) -> Iterator[tuple[Problem, int]]:
        """The first `shown` problems of each kind, each with the count of its kind; `locale` as in `keep_one`."""
        yield from self._contested_products(catalogue, shown, keep_one(locale))
        found = self._rows(f"""
            SELECT kind, row, line, query_id, candidate_id, query_row, pair_row, count(*) OVER (PARTITION BY kind)
            FROM (SELECT *, {self._KIND} AS kind FROM marked) WHERE kind IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY kind ORDER BY row) <= {shown} ORDER BY row""")
        for kind, row, line, query_id, candidate_id, query_row, pair_row, count in found:
            field, message, fix = {
                "not_in_catalogue": (
                    "candidate_id",
                    f"{candidate_id!r} is not in the catalogue" + (" for its locale" if self._by_locale else ""),
                    "add the product to the catalogue, or leave the pair out with --skip-bad-rows",
                ),
                "contested_candidate": (
                    "candidate_id",
                    f"{candidate_id!r} stands in the catalogue with different texts",
                    keep_one(locale),
                ),
                "conflicting_query": (
                    "query_id",
                    f"{query_id!r} had another query text in row {query_row}",
                    "give each query text its own query_id, or leave query_id out",
                ),
                "conflicting_pair": (
                    "candidate_id",
                    f"the pair of {query_id!r} and {candidate_id!r} had another text in row {pair_row}",
                    "keep the row whose text is right",
                ),
            }[kind]
            yield Problem(kind, pairs, message, fix, row, line, field), count

    def _contested_products(self, catalogue: str, shown: int, fix: str) -> Iterator[tuple[Problem, int]]:
        found = self._rows(f"""
            SELECT c.candidate_id, min(c.row), arg_min(c.line, c.row), any_value(p.first_row), count(*) OVER ()
            FROM (SELECT *, {self._place} AS place FROM catalogue) c JOIN products p USING (candidate_id, place)
            WHERE p.texts > 1 AND c.row > p.first_row AND c.chars > 0 AND c.text <> p.text
            GROUP BY c.candidate_id ORDER BY 2 LIMIT {shown}""")
        for candidate_id, row, line, first, count in found:
            message = f"{candidate_id!r} had another text in row {first}"
            yield Problem("conflicting_product", catalogue, message, fix, row, line, "candidate_id"), count

    def sample(self, queries: int, seed: int) -> int:
        """Keep the rows of so many queries, drawn by a seed from those with pairs to judge; returns how many rows are
        left out. Which are first does not depend on how many are taken."""
        before = self._rows("SELECT count(*) FROM marked")[0][0]
        self._db.execute(f"""
            CREATE TABLE sampled AS SELECT query_id FROM (SELECT DISTINCT query_id FROM marked WHERE skip IS NULL)
            ORDER BY md5('{int(seed)} ' || query_id), query_id LIMIT {int(queries)}""")
        self._db.execute("DELETE FROM marked WHERE query_id IS NULL OR query_id NOT IN (SELECT query_id FROM sampled)")
        return int(before - self._rows("SELECT count(*) FROM marked")[0][0])

    def write(self, path: Path, need_text: bool) -> dict[str, Any]:
        """Write the rows in judging order, whole or not at all; returns `rows`, `skipped`, `repeats`, `queries`."""
        empty = "WHEN chars = 0 THEN 'candidate has no text'" if need_text else ""
        reasons = {
            "not_in_catalogue": "candidate is not in the catalogue",
            "contested_candidate": "candidate has several texts in the catalogue",
            "conflicting_query": "query_id had another query text before",
            "conflicting_pair": "same pair as an earlier row, with another text",
        }
        wrong = " ".join(f"WHEN '{kind}' THEN '{kind}: {reason}'" for kind, reason in reasons.items())
        mined, origins = self._mined()
        self._db.execute(f"""
            CREATE TABLE judged AS SELECT row, query_row, kind, skip,
                   query_id, candidate_id, grade, product, chars + query_chars AS size,
                   row_number() OVER (ORDER BY nameless, query_row, chars, row) - 1 AS place {mined}
            FROM (SELECT * EXCLUDE (skip), {self._KIND} AS kind,
                  skip IS NOT NULL AND query_id IS NULL AS nameless,
                  CASE {self._KIND} {wrong} ELSE CASE WHEN skip IS NOT NULL THEN skip
                      WHEN row <> pair_row THEN 'repeats row ' || pair_row {empty} END END AS skip
                  FROM marked) {origins}
            ORDER BY place""")
        write_ordered(self._db, self._scratch, path, catalogue=self._joined)
        benign = "kind IS NULL AND skip NOT LIKE '%: %'"
        # A query's rows that could be read share its first row.
        counts = self._rows(f"""
            SELECT count(*), count(skip), count(*) FILTER ({benign}), count(DISTINCT query_row) FILTER (skip IS NULL)
            FROM judged""")[0]
        return dict(zip(("rows", "skipped", "repeats", "queries"), counts, strict=True))

    def _mined(self) -> tuple[str, str]:
        """The column of where pairs were mined, and what to join for it, where some row says so."""
        if not self._rows("SELECT count(mined) FROM given")[0][0]:
            return "", ""
        return f", {origin_sql()} AS mined", "JOIN (SELECT row, mined FROM given) USING (row)"

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._db.execute(sql).fetchall())
