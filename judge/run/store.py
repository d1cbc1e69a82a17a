"""A run directory: the manifest, the input as normalised, and the labels in parts.

    RUN/run.json                what made the labels, from what input; written whole or not at all
    RUN/pairs.parquet           the input as normalised, in judging order
    RUN/labels/part-*.parquet   the labels of consecutive pairs; a part is whole or absent
    RUN/plan.json               the stretches that workers take, where several label the run
    RUN/seen.json               digests of the queries that a fine-tuned judge learned from, where it says so

A part's name is the position of its first row, and takes effect once: whoever else labels those rows finds it there.
What the parts leave open is what is still to do.
"""

import shlex
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any
from uuid import uuid4

from judge.documents import Kind, load
from judge.errors import RunError
from judge.files import claim, now, write_whole
from judge.fingerprint import Fingerprint
from judge.places import check_here
from judge.records import Status
from judge.run.coverage import Interval, gaps, intervals, size, within
from judge.run.hold import holding
from judge.run.labels import label_table
from judge.run.manifest import Manifest, Tally
from judge.run.parts import in_queries, part_name, tally_of
from judge.run.plan import PLAN, read_plan
from judge.run.shape import check_pairs
from judge.scratch import scratch_folder
from judge.sql import in_memory, on_disk

MEMORY = "500MB"
"""DuckDB's share of memory where a scratch folder takes what is beyond it."""
THREADS = 2
"""DuckDB's threads there: what each reads comes on top of that share."""


class Run:
    """A run directory, opened. Reading needs nothing else; writing needs the lock."""

    def __init__(self, path: Path, parts: list[Path] | None = None) -> None:
        if signs := sorted(set(str(path)) & set("*?[")):
            # DuckDB takes such a path for a pattern: another run's files would be read in place of these.
            raise RunError(f"{path}: a run's path cannot have {' or '.join(signs)} in it", "choose another name")
        check_here(path)
        self.path = path
        self.manifest_path = path / "run.json"
        self.pairs_path = path / "pairs.parquet"
        self.labels_path = path / "labels"
        self.plan_path = path / PLAN
        self._parts = parts

    @classmethod
    def open(cls, path: Path) -> "Run":
        """A run that exists.

        Raises:
            RunError: There is none at this path.
        """
        run = cls(path)
        if not run.manifest_path.is_file() or not run.pairs_path.is_file():
            what = "is not a run directory" if path.exists() else "does not exist"
            raise RunError(
                f"{path}: {what} (it lacks run.json or pairs.parquet)",
                "name a directory that `judge label` or `judge import` wrote",
            )
        return run

    def writing(self) -> AbstractContextManager[None]:
        """Hold the directory: made if absent, refused if another process holds it or something else lies there.

        Workers that label a planned run hold nothing: locks of network disks cannot be trusted.
        """
        return holding(self.path, self.labels_path)

    @property
    def manifest(self) -> Manifest:
        """The manifest on disk."""
        return load(self.manifest_path, Manifest, Kind("label into a new directory", RunError))

    def begin(self, manifest: Manifest) -> None:
        """Write the manifest. `pairs.parquet` must already lie in the directory."""
        write_whole(self.manifest_path, manifest.model_dump_json(indent=2).encode())

    def check_same(self, fingerprint: Fingerprint, inputs: Mapping[str, str | int | None], hint: str = "") -> None:
        """Refuse to go on with a run that something else made; the message names what differs, and ends with a hint."""
        manifest = self.manifest
        made = Fingerprint(parts=manifest.parts).differences(fingerprint)
        read = Fingerprint.of(manifest.inputs).differences(Fingerprint.of(inputs))
        if made or read:
            lines = "".join(f"\n  {line}" for line in made + read)
            other = " and ".join(["another fingerprint"] * bool(made) + ["other input"] * bool(read))
            raise RunError(
                f"{self.path}: holds a run of {other}; what differs:{lines}",
                f"choose another --out, or give what the run was begun with{hint}",
            )

    # labels

    def parts(self, stretch: Interval | None = None) -> list[Path]:
        """The label parts, in judging order: all, or those that can hold rows of a stretch."""
        found = sorted(self.labels_path.glob("part-*.parquet")) if self._parts is None else self._parts
        if stretch is None:
            return found
        first, last = (bisect_right(found, part_name(at), key=attrgetter("name")) for at in stretch)
        return found[max(0, first - 1) : last]

    def at_once(self) -> "Run":
        """The same run with the parts of this moment, whatever workers write meanwhile."""
        return Run(self.path, self.parts())

    def labelled(self) -> int:
        """How many rows have a label.

        Raises:
            RunError: A part is damaged, or two hold the same rows.
        """
        check_pairs(self.pairs_path)
        return size(intervals(self.parts()))

    def uncovered(self, stretch: Interval | None = None) -> list[Interval]:
        """The rows without a label, all or those of a stretch, as positions in judging order; cut where stretches of a
        plan begin.

        Raises:
            RunError: A part is damaged, or two hold the same rows; or the plan is.
        """
        check_pairs(self.pairs_path)
        plan = read_plan(self.plan_path) if self.plan_path.is_file() else None
        starts = [start for start, _ in plan.stretches] if plan else []
        open_ = gaps(intervals(self.parts(stretch)), self.manifest.rows, starts)
        return within(open_, stretch) if stretch else open_

    def position(self) -> int:
        """Where to go on for whoever writes all parts in order.

        Raises:
            RunError: A part is damaged or missing.
        """
        done, open_ = self.labelled(), self.uncovered()
        if open_ and open_[0][0] != done:
            name = part_name(open_[0][0])
            hint = "delete the parts after it, and run the same command again"
            raise RunError(f"{self.path}: labels/{name} is missing", hint)
        return done

    def append(self, start: int, labels: Any, tally: Tally) -> bool:
        """Write the labels of the positions from `start` on as one part: an Arrow table of `label_schema()`.

        Returns:
            Whether they were written; not where a part begins there already, which stays.
        """
        import pyarrow.parquet as pq

        table = labels.replace_schema_metadata({"tally": tally.model_dump_json()})
        target = self.labels_path / part_name(start)
        self.labels_path.mkdir(exist_ok=True)
        # Several workers may write the same part: each under a name of its own.
        partial = target.with_name(f"{target.name}.{uuid4().hex}.partial")
        try:
            pq.write_table(table, partial, compression="zstd")
            return claim(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def tally(self) -> Tally:
        """The tallies of all parts together: of all sittings, also of those that were killed."""
        total = Tally()
        for part in self.parts():
            total += tally_of(part)
        return total

    def finish(self, usage: Mapping[str, int | float | None] | None = None) -> None:
        """Check that the run is whole, and write its counts and times, and what its answers took, into the manifest.

        Raises:
            RunError: The run is unfinished, or does not add up.
        """
        self.check_whole()
        manifest, tally = self.manifest, self.tally()
        if manifest.finished is None:
            found = dict(self.query("SELECT status, count(*) FROM labels GROUP BY status"))
            counts = {status: found.get(status, 0) for status in Status}
            seconds = round(tally.seconds, 3)
            done = {"counts": counts, "judged": tally.judged, "judge_seconds": seconds, "finished": now()}
            whole = manifest.model_copy(update={**done, "usage": usage})
            write_whole(self.manifest_path, whole.model_dump_json(indent=2).encode())

    def query(self, sql: str, **tables: Any) -> list[tuple[Any, ...]]:
        """Rows of a query over the views `labels` and `pairs` (and any Arrow tables given by name)."""
        with self.database(**tables) as db:
            return list(db.execute(sql).fetchall())

    @contextmanager
    def database(self, scratch: Path | None = None, **tables: Any) -> Iterator[Any]:
        """A DuckDB connection with the views `labels` (empty where there are none yet) and `pairs`.

        Tables made in it lie in the folder `scratch` where one is given, and memory is limited to `MEMORY`; those of
        few rows lie in memory.
        """
        parts = self.parts()
        check_pairs(self.pairs_path)
        limited = on_disk(scratch, MEMORY, THREADS, [self.pairs_path, *parts]) if scratch else in_memory()
        with in_queries(parts), limited as db:
            labels = db.read_parquet([str(part) for part in parts]) if parts else db.from_arrow(label_table([]))
            labels.create_view("labels")
            db.read_parquet(str(self.pairs_path)).create_view("pairs")
            for name, table in tables.items():
                db.register(name, table)
            yield db

    def check_finished(self) -> tuple[int, int]:
        """Refuse a run in which rows have no label yet, without reading them; returns how many rows and labels.

        Raises:
            RunError: It is unfinished, or damaged.
        """
        rows, labelled = self.manifest.rows, self.labelled()
        if labelled < rows:
            hint = "run the same `judge label` command again; it resumes where it stopped"
            if self.plan_path.is_file():
                run = shlex.quote(str(self.path))
                hint = f"start workers, `judge label --plan {run} --shard i/N`; `judge status {run}` lists what is left"
            raise RunError(f"{self.path}: {labelled:,} of {rows:,} rows are labelled", hint)
        return rows, labelled

    def check_whole(self) -> None:
        """Refuse a run whose rows do not each have exactly one label.

        Raises:
            RunError: The run is unfinished, or its counts do not add up.
        """
        rows, labelled = self.check_finished()
        with scratch_folder("whole") as scratch, self.database(Path(scratch)) as db:
            distinct, known, own = db.execute(
                """SELECT count(DISTINCT l.row), count(*) FILTER (p.row IS NOT NULL),
                       count(*) FILTER (l.fingerprint = ?)
                FROM labels l LEFT JOIN pairs p USING (row)""",
                [self.manifest.fingerprint],
            ).fetchone()
        if not labelled == rows == distinct == known == own:
            counts = f"{labelled:,} labels for {distinct:,} rows, {known:,} known, {own:,} by this run"
            raise RunError(f"{self.path}: does not add up: {rows:,} input rows, {counts}", "label into a new directory")
