"""What changed between two versions of labels: pairs, grades, statuses, who judged, and what that does to exports."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audit.diff.effects import Effect, effects
from audit.diff.moved import Move, largest, write_moves
from audit.diff.shifted import Moved, by_segment
from audit.diff.versions import RunVersion, matched_by, open_sides
from judge.errors import InputError
from judge.fingerprint import Fingerprint
from judge.run.manifest import Manifest
from judge.run.store import Run
from judge.scratch import scratch_folder


@dataclass(frozen=True)
class Diff:
    """What changed from version A to version B. `a` and `b` say of each: path, fingerprint, rows, pairs, decisions."""

    a: Mapping[str, Any]
    b: Mapping[str, Any]
    parts: Sequence[Mapping[str, str | None]]
    """Parts of the fingerprint, and inputs, that differ: `name, a, b`."""
    matched_by: str
    """What names the queries that both have: `query_id`, `query` (its words), or `query_id and query`."""
    only_a: int
    only_b: int
    both: int
    same: int
    """Pairs of both whose status and grade did not change."""
    moved: int
    """`both` less `same`."""
    by_decision: int
    """Moved pairs on which a decision counts in one of the versions."""
    reworded: int | None
    """Pairs of both whose texts are not the same; null where the versions share no field."""
    mean_shift: float | None
    """Mean rise of the expected grade over the pairs of both that have one on either side."""
    mean_movement: float | None
    """The same without signs."""
    outcomes: Sequence[str]
    """Grades and statuses, the order of the matrix."""
    matrix: Sequence[Sequence[int]]
    """Pairs of both: A's outcome in rows, B's in columns."""
    largest: Sequence[Move]
    """Pairs that moved, the largest movement of the expected grade first."""
    segments: Sequence[Moved]
    exports: Sequence[Effect]

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        return asdict(self)


def diff(
    a: Run,
    b: Run,
    grades: Mapping[int, int] | None = None,
    out: Path | None = None,
    *,
    overwrite: bool = False,
    most: int = 20,
) -> tuple[Diff, int]:
    """Compare two versions; returns what changed, and how many moved pairs were written to `out`.

    Args:
        a: The earlier version; finished or not.
        b: The later one.
        grades: What each of A's grades is in B's scale, where the guidelines have different values.
        out: Where to write all pairs that moved; see `audit.diff.moved.write_moves`.
        overwrite: Whether a file that stands there may be replaced.
        most: How many of them the result holds.

    Raises:
        InputError: The grades have different values and are not mapped, or are mapped to what B does not have.
    """
    manifests = a.manifest, b.manifest
    scale = common_scale(*manifests, grades)
    sides = RunVersion(a, "a", scale), RunVersion(b, "b", {value: value for value in manifests[1].values})
    with scratch_folder("diff") as scratch:
        db = open_sides(Path(scratch), sides)
        try:
            found = _compare(db, sides, most)
            written = write_moves(db, out, overwrite=overwrite) if out else 0
        finally:
            db.close()
    return found, written


def common_scale(a: Manifest, b: Manifest, grades: Mapping[int, int] | None) -> dict[int, int]:
    """Each of A's grades to B's.

    Raises:
        InputError: They have different values and are not mapped, or the mapping does not fit.
    """
    if grades is None:
        if a.values == b.values:
            return {value: value for value in a.values}
        scales = [", ".join(f"{g['value']} {g['name']}" for g in m.guideline["grades"]) for m in (a, b)]
        raise InputError(
            f"the versions have different grades: A has {scales[0]}; B has {scales[1]}",
            "say what A's grades are in B's scale: --grades " + ",".join(f"{value}=…" for value in reversed(a.values)),
        )
    for theirs, ours in grades.items():
        if theirs not in a.values or ours not in b.values:
            what = f"A has no grade {theirs}" if theirs not in a.values else f"B has no grade {ours}"
            known = f"A has {', '.join(map(str, a.values))}; B has {', '.join(map(str, b.values))}"
            raise InputError(f"--grades {theirs}={ours}: {what}", known)
    if missing := [value for value in a.values if value not in grades]:
        raise InputError(f"--grades: does not say what A's grade {missing[0]} is", f"add {missing[0]}=GRADE")
    return dict(grades)


def _compare(db: Any, sides: tuple[RunVersion, RunVersion], most: int) -> Diff:
    first, second = (_about(db, side) for side in sides)
    both, same, decided, reworded, known, shift, movement = db.execute("""
        SELECT count(*), count(*) FILTER (same), count(*) FILTER (NOT same AND (a_decided_by IS NOT NULL
               OR b_decided_by IS NOT NULL)), count(*) FILTER (reworded), count(reworded), avg(shift), avg(abs(shift))
        FROM paired""").fetchone()
    outcomes, matrix = _matrix(db, sides[1].run.manifest.values)
    return Diff(
        a=first,
        b=second,
        parts=differing(sides[0].run.manifest, sides[1].run.manifest),
        matched_by=matched_by(db),
        only_a=first["pairs"] - both,
        only_b=second["pairs"] - both,
        both=both,
        same=same,
        moved=both - same,
        by_decision=decided,
        reworded=reworded if known else None,
        mean_shift=shift,
        mean_movement=movement,
        outcomes=outcomes,
        matrix=matrix,
        largest=largest(db, most),
        segments=by_segment(db),
        exports=effects(db, sides[1].run.manifest.values),
    )


def _about(db: Any, side: RunVersion) -> dict[str, Any]:
    """Of one version: where, who, and its input rows, which are pairs, repeats of them, or no pairs at all."""
    manifest = side.run.manifest
    pairs, decided = db.execute(f"SELECT count(*), count(decided_by) FROM {side.name}").fetchone()
    named = "query_id IS NOT NULL AND query IS NOT NULL AND candidate_id IS NOT NULL"
    rows, usable = db.execute(f"SELECT count(*), count(*) FILTER ({named}) FROM pairs_{side.name}").fetchone()
    return {
        "run": str(side.run.path),
        "fingerprint": manifest.fingerprint,
        "judge": manifest.judge,
        "guideline": manifest.parts.get("guideline"),
        "rows": rows,
        "pairs": pairs,
        "repeats": usable - pairs,
        "unreadable": rows - usable,
        "decided": decided,
    }


def differing(a: Manifest, b: Manifest) -> list[dict[str, str | None]]:
    """What differs between two runs' fingerprints and inputs, by name."""
    found: list[dict[str, str | None]] = []
    for one, other, prefix in ((a.parts, b.parts, ""), (a.inputs, b.inputs, "input ")):
        left, right = (Fingerprint.of(side).parts for side in (one, other))
        found += [
            {"name": prefix + name, "a": left.get(name), "b": right.get(name)}
            for name in sorted(left.keys() | right.keys())
            if left.get(name) != right.get(name)
        ]
    return found


def _matrix(db: Any, values: Sequence[int]) -> tuple[list[str], list[list[int]]]:
    cells: dict[tuple[str, str], int] = {}
    outcome = "coalesce({side}_grade::VARCHAR, {side}_status)"
    rows = db.execute(
        f"SELECT {outcome.format(side='a')}, {outcome.format(side='b')}, count(*) FROM paired GROUP BY ALL"
    )
    for one, other, count in rows.fetchall():
        cells[one, other] = count
    there = {name for pair in cells for name in pair}
    order = [str(value) for value in values] + sorted(there - {str(value) for value in values})
    return order, [[cells.get((one, other), 0) for other in order] for one in order]
