"""Several runs as one, for an export: each keeps its fingerprint, and every pair has one label of one of them.

A pair that stands in several runs is exported once. What people graded or decided comes before what else was decided,
that before a judge's label; where several of the same weight differ, nobody here can tell who is right: the export is
refused unless the caller prefers a run. Rows whose pair is exported from another run are counted as such.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.export.joined_run import JoinedRun
from judge.export.texts import field_names
from judge.fingerprint import digest
from judge.notes import note
from judge.pairs.origin import NO_ORIGIN, has_origin
from judge.records import counted
from judge.run.decided import Decided
from judge.run.flags import Flags
from judge.run.labels import label_schema
from judge.run.lookup import match_queries
from judge.run.manifest import Tally
from judge.run.store import Run
from judge.scratch import scratch_folder
from judge.sql import identifier, quoted

TWICE = "the pair is exported from another run"
PART = 500_000
"""Labels that are in memory at a time."""


@dataclass(frozen=True)
class Join:
    """Further runs that an export takes in.

    Attributes:
        runs: Finished runs.
        prefer: Whose grade counts where two of the same weight differ; null to refuse.
    """

    runs: Sequence[Run] = ()
    prefer: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The runs' directories, the preferred one last."""
        found = (*(run.path for run in self.runs), *([self.prefer] if self.prefer else []))
        return tuple(path.resolve() for path in found)

    def check(self, run: Run) -> None:
        """Refuse runs that cannot be joined to a run.

        Raises:
            InputError: One is named twice, has other grades, or the preferred one is none of them.
        """
        paths = [each.path.resolve() for each in (run, *self.runs)]
        if len(set(paths)) < len(paths):
            raise InputError("--with: a run is named twice", "name each run once")
        for other in self.runs:
            if other.manifest.values != run.manifest.values:
                unlike = f"--with {other.path}: has other grades than {run.path}"
                raise InputError(unlike, "label both by one guideline")
            if other.manifest.policy.policy != run.manifest.policy.policy:
                note(f"{other.path}: its grades mean what another guideline says than that of {run.path}")
        if self.prefer and self.prefer.resolve() not in paths:
            raise InputError(f"--prefer {self.prefer}: is none of the runs", "name RUN, or one of --with")


@contextmanager
def joined(run: Run, join: Join | None) -> Iterator[Decided]:
    """A run, alone or with others, with what was decided of it.

    Raises:
        InputError: The runs cannot be joined, or differ on a pair and none is preferred.
        RunError: One is unfinished or does not add up.
    """
    if join is None or not join.runs:
        yield Decided.of(run)
        return
    join.check(run)
    with scratch_folder("joined") as scratch:
        yield _Joining([run, *join.runs], join.prefer, Path(scratch)).make()


Places = Mapping[tuple[int, str, str], tuple[str, int, bool]]
"""Where pairs go out, by their run and their ids there: query id, row, and whether with their own label."""


class _Joining:
    def __init__(self, runs: Sequence[Run], prefer: Path | None, scratch: Path) -> None:
        self.runs, self.scratch = runs, scratch
        self.decided = [Decided.of(run) for run in runs]
        self.flags = [Flags(run.path).read() for run in runs]
        places = [run.path.resolve() for run in runs]
        self.prefer = places.index(prefer.resolve()) if prefer else -1
        self.mined = any(has_origin(run.pairs_path) for run in runs)

    def make(self) -> Decided:
        import duckdb

        target = JoinedRun(self.scratch / "run")
        target.path.mkdir()
        target.members = self.runs
        with duckdb.connect(str(self.scratch / "joined.duckdb"), config={"memory_limit": "1GB"}) as db:
            db.execute("SET enable_progress_bar = false")
            starts = [0]
            for number, run in enumerate(self.runs):
                run.check_whole()
                self._read(db, number, run, starts[-1])
                starts += db.execute("SELECT max(row) FROM entries").fetchall()[0]
            target.starts = starts[:-1]
            self._compare_fields(db)
            self._settle(db)
            self._write(db, target)
            places = self._places(db)
        self._flags(target, places)
        latest = {
            (query_id, key): decision.model_copy(update={"query_id": query_id})
            for (number, old_id, key), (query_id, _, wins) in places.items()
            if wins and (decision := self.decided[number].settled.get((old_id, key)))
        }
        read = [decided.digest for decided in self.decided]
        return Decided(target, latest, digest(read) if any(read) else None)

    def _read(self, db: Any, number: int, run: Run, start: int) -> None:
        """Add a run's rows to the table `entries`, numbered after `start`, queries under the ids they have there."""
        known = {field["name"] for field in run.manifest.guideline["fields"]}
        texts = ", ".join(
            f"{quoted(name)}: {f'p.candidate.{identifier(name)}' if name in known else 'NULL::VARCHAR'}"
            for name in field_names(self.runs[0].manifest)
        )
        mined = ", p.mined" if has_origin(run.pairs_path) else f", {NO_ORIGIN} AS mined" if self.mined else ""
        parts = ", ".join(quoted(part) for part in run.parts())
        by_people = "true" if run.manifest.by_people else "false"
        db.register("_decided", self.decided[number].table())
        db.execute(f"""CREATE OR REPLACE TABLE entry AS
            SELECT {number} AS run, {start} + p.row AS row, p.query_id AS old_id, p.query_id, p.query, p.candidate_id,
                   p.locale, {{{texts}}} AS candidate,
                   p.grade AS given, p.skip {mined}, l.status, l.grade,
                   l.probabilities, l.expected_grade, l.outside_mass, l.reason, l.fingerprint,
                   coalesce(d.grade, l.grade) AS final_grade,
                   CASE WHEN l.status = 'skipped' THEN 9 WHEN final_grade IS NULL THEN 3
                        WHEN coalesce(d.by_people, {by_people}) THEN 0
                        WHEN d.query_id IS NOT NULL THEN 1 ELSE 2 END AS weight
            FROM read_parquet({quoted(run.pairs_path)}) p JOIN read_parquet([{parts}]) l USING (row)
            LEFT JOIN _decided d ON l.query_id = d.query_id AND l.candidate_id = d.candidate_id""")
        db.unregister("_decided")
        if number == 0:
            db.execute("CREATE TABLE entries AS FROM entry")
            return
        match_queries(db, "SELECT query_id, query FROM entry", "SELECT query_id, query FROM entries")
        # Of several queries of the same words the one spelt exactly so, as `judge.run.lookup` has it.
        db.execute("""CREATE OR REPLACE TABLE same AS SELECT asked_id, asked_text, any_value(query_id) AS query_id,
            min(text) AS text FROM (FROM meant QUALIFY (text = asked_text) = bool_or(text = asked_text)
                OVER (PARTITION BY asked_id, asked_text))
            GROUP BY asked_id, asked_text HAVING count(DISTINCT query_id) = 1""")
        # A query that is none of those before must not go by the id of one of them.
        db.execute("""INSERT INTO entries BY NAME SELECT e.* REPLACE (
                coalesce(s.query_id, CASE WHEN e.query_id IN (SELECT query_id FROM entries WHERE query_id IS NOT NULL)
                    THEN left(sha256(trim(e.query)), 16) ELSE e.query_id END) AS query_id,
                coalesce(s.text, e.query) AS query)
            FROM entry e LEFT JOIN same s
            ON asked_id = coalesce(e.query_id, '') AND asked_text = coalesce(e.query, '')""")

    def _compare_fields(self, db: Any) -> None:
        """Say which runs have other fields of the guideline than the first: its labels were made from other texts."""
        names = field_names(self.runs[0].manifest)
        there = ", ".join(f"coalesce(bool_or(candidate.{identifier(name)} <> ''), false)" for name in names)
        found = db.execute(f"SELECT {there} FROM entries GROUP BY run ORDER BY run").fetchall()
        first, *others = [[name for name, has in zip(names, row, strict=True) if has] for row in found]
        for run, fields in zip(self.runs[1:], others, strict=True):
            if fields != first:
                one, other = (", ".join(some) or "no field" for some in (first, fields))
                said = f"{self.runs[0].path} has {one}; {run.path} has {other}"
                fix = "where columns were not read, label again with --map"
                note(f"the runs were labelled by different fields: {said}; {fix}")

    def _settle(self, db: Any) -> None:
        """Make the table `final`: every row, and whether it is its pair's."""
        db.execute(f"""CREATE TABLE final AS
            WITH weighed AS (SELECT *, min(weight) OVER pair AS best FROM entries
                             WINDOW pair AS (PARTITION BY query_id, candidate_id)),
            told AS (SELECT *, weight < 9 AND row_number() OVER (PARTITION BY query_id, candidate_id
                         ORDER BY weight, run <> {self.prefer}, row) = 1 AS wins
                     FROM weighed)
            SELECT *, min(row) OVER (PARTITION BY query_id) AS query_row FROM told""")
        differ = db.execute(f"""SELECT any_value(query), candidate_id, list(DISTINCT final_grade ORDER BY final_grade)
            FROM final WHERE weight = best AND weight < 3 GROUP BY query_id, candidate_id
            HAVING count(DISTINCT final_grade) > 1 AND NOT bool_or(run = {self.prefer}) ORDER BY 1, 2""").fetchall()
        if differ:
            query, candidate, grades = differ[0]
            said = " and ".join(map(str, grades))
            pairs = counted(len(differ), "pair")
            raise InputError(
                f"the runs give {pairs} different grades, such as {said} to {query!r} and {candidate!r}",
                "decide on them with `judge decide`, or say whose grades count with --prefer RUN",
            )

    def _write(self, db: Any, target: JoinedRun) -> None:
        import pyarrow as pa

        loses = "NOT wins AND weight < 9"
        order = "ORDER BY query_id IS NULL, query_row, row"
        db.execute(f"""COPY (SELECT row, query_id, query, candidate_id, locale, candidate, given AS grade,
                CASE WHEN {loses} THEN {quoted(TWICE)} ELSE skip END AS skip {", mined" if self.mined else ""}
            FROM final {order})
            TO {quoted(target.pairs_path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 16384)""")
        empty = ("grade", "probabilities", "expected_grade", "outside_mass")
        cells = ", ".join(f"CASE WHEN {loses} THEN NULL ELSE {name} END AS {name}" for name in empty)
        labels = db.sql(f"""SELECT row, query_id, candidate_id,
                CASE WHEN {loses} THEN 'skipped' ELSE status END AS status, {cells},
                CASE WHEN {loses} THEN {quoted(TWICE)} ELSE reason END AS reason, fingerprint
            FROM final {order}""").to_arrow_reader(PART)
        schema, rows = label_schema(), 0
        for batch in labels:
            target.append(rows, pa.Table.from_batches([batch]).select(schema.names).cast(schema), Tally())
            rows += len(batch)
        manifest = self.runs[0].manifest.model_copy(update={"rows": rows, "finished": None, "counts": None})
        target.begin(manifest)

    def _places(self, db: Any) -> Places:
        """Of pairs that are flagged or decided. A judge's label goes out with an equal one of another judge."""
        import pyarrow as pa

        keys = sorted(
            (number, *pair)
            for number, decided in enumerate(self.decided)
            for pair in {*decided.settled, *(flag.pair for flag in self.flags[number])}
        )
        kinds = {"run": pa.int32(), "old_id": pa.string(), "candidate_id": pa.string()}
        columns = {name: pa.array([key[at] for key in keys], kind) for at, (name, kind) in enumerate(kinds.items())}
        db.register("_keys", pa.table(columns))
        found = db.execute("""SELECT e.run, e.old_id, e.candidate_id, w.query_id, w.row, e.wins
            FROM final e SEMI JOIN _keys k ON e.run = k.run AND e.old_id = k.old_id AND e.candidate_id = k.candidate_id
            JOIN final w ON w.wins AND e.query_id = w.query_id AND e.candidate_id = w.candidate_id
            WHERE e.wins OR (e.weight = 2 AND w.weight = 2 AND e.final_grade = w.final_grade)""").fetchall()
        return {(run, old, key): (query_id, row, wins) for run, old, key, query_id, row, wins in found}

    def _flags(self, target: Run, places: Places) -> None:
        """The flags of the labels that are exported, or equal one that is: what contradicts one contradicts both."""
        if any(Flags(run.path).exist for run in self.runs):
            Flags(target.path).write(
                flag.model_copy(update={"query_id": place[0], "row": place[1]})
                for number, flags in enumerate(self.flags)
                for flag in flags
                if (place := places.get((number, *flag.pair)))
            )
