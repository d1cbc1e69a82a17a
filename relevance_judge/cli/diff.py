"""`judge diff`: what changed between two versions of labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judge.records import counted
from relevance_judge.cli.options import json_option, overwrite_option
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import FILE, read_grades

if TYPE_CHECKING:
    from audit.diff.diff import Diff
    from audit.diff.moved import Move

SHOWN = 5
"""Examples, and segments, that the terminal shows; `--json` has more, `--out` all pairs."""
WORDS = {"query": ", by the query's words", "query_id and query": ", some by the query's words"}
LONGEST = 60
"""Characters of a text that the terminal shows."""


@click.command()
@click.argument("run_a", metavar="RUN_A", type=FILE, help="The earlier version.")
@click.argument("run_b", metavar="RUN_B", type=FILE, help="The later version.")
@click.option("--grades", metavar="3=2,2=1,…", help="A's grades in B's scale, where these have other values.")
@click.option("--out", metavar="FILE", type=FILE, help="Write all pairs that moved: .parquet, .csv or .jsonl.")
@overwrite_option
@json_option
def diff(run_a: Path, run_b: Path, grades: str | None, out: Path | None, overwrite: bool, json: bool) -> None:
    """Show what changed between two versions of labels. Decisions count.

    It compares pairs, grades, who judged, and what each export would hold.

    \b
    Example:
      judge diff runs/monday runs/tuesday --out moved.csv
    """
    from audit.diff.diff import diff as compare
    from audit.diff.moved import check_out
    from judge.errors import InputError
    from judge.run.store import Run

    if out is not None:
        check_out(out)
        if out.exists() and not overwrite:
            raise InputError(f"{out}: is already there", "choose another file, or replace it with --overwrite")
    a, b = Run.open(run_a), Run.open(run_b)
    found, written = compare(a, b, _scale(grades), out, overwrite=overwrite)
    if json:
        show_json(found.as_json() | {"file": str(out) if out else None, "written": written})
        return
    _show(found)
    if out is not None:
        show("", f"{counted(written, 'pair')} that moved in {out}")


def _scale(text: str | None) -> dict[int, int] | None:
    from judge.errors import InputError

    found = read_grades(text)
    if found is None:
        return None
    scale = {}
    for grade, ours in found.items():
        if not (grade.isascii() and grade.isdecimal()) or ours is None:
            raise InputError(f"--grades {text}: {grade!r} is not a valid grade", "write --grades 3=2,2=1,1=1,0=0")
        scale[int(grade)] = ours
    return scale


def _show(found: "Diff") -> None:
    show(f"A  {_who(found.a)}", f"B  {_who(found.b)}", "")
    # An import keeps the digest of its ratings where a judge has its weights.
    imported = found.a["judge"] == found.b["judge"] == "imported"
    called = {"weights": "ratings file"} if imported else {}
    parts = [
        (called.get(part["name"] or "", part["name"] or ""), _short(part["a"]), _short(part["b"]))
        for part in found.parts
    ]
    if parts:
        show_table(parts, head=("what differs", "A", "B"))
    else:
        show("the same judge, words and input")
    show()
    show_table(_counts(found), right=(1, 2))
    if found.both == 0:
        show("", "no pair is in both: compare runs whose queries or query ids, and candidate ids, are the same")
    if found.moved:
        show()
        show_table(
            [(name, *(f"{n:,}" for n in row)) for name, row in zip(found.outcomes, found.matrix, strict=True)],
            head=("A ↓  B →", *found.outcomes),
            right=range(1, len(found.outcomes) + 1),
        )
        show()
        show_table(
            [_example(move) for move in found.largest[:SHOWN]],
            head=("moved the most", "candidate", "grade", "expected", "why"),
            stack=2,
        )
        _show_segments(found)
    show()
    show_table(
        [
            (e.export, f"{e.before:,}", f"{e.after:,}", *_change(e.added, e.removed))
            for e in found.exports
            if e.before or e.after
        ],
        head=("an export could hold", "A", "B", "added", "removed"),
        right=(1, 2, 3, 4),
    )


def _who(side: Mapping[str, Any]) -> str:
    rest = f"{side['repeats']:,} repeats, {side['unreadable']:,} unreadable, " if side["pairs"] < side["rows"] else ""
    decided = f"{rest}{side['decided']:,} decided"
    return (
        f"{side['run']}: judge {side['judge']}, guideline {side['guideline']}, fingerprint {side['fingerprint']}; "
        f"{side['pairs']:,} pairs of {side['rows']:,} rows ({decided})"
    )


def _counts(found: "Diff") -> list[tuple[str, str, str]]:
    def share(n: int) -> str:
        return f"{n / found.both:.1%}" if found.both else ""

    rows = [
        ("pairs only in A", f"{found.only_a:,}", ""),
        ("pairs only in B", f"{found.only_b:,}", ""),
        (f"pairs in both{WORDS.get(found.matched_by, '')}", f"{found.both:,}", ""),
        ("  that stayed", f"{found.same:,}", share(found.same)),
        ("  that moved", f"{found.moved:,}", share(found.moved)),
    ]
    if found.by_decision:
        rows.append(("    decided in A or B", f"{found.by_decision:,}", share(found.by_decision)))
    if found.reworded:
        rows.append(("  with other texts", f"{found.reworded:,}", share(found.reworded)))
    if found.mean_shift is not None and found.mean_movement is not None:
        rows.append(("expected grade, mean rise", f"{found.mean_shift:+.3f}", ""))
        rows.append(("expected grade, mean movement", f"{found.mean_movement:.3f}", ""))
    return rows


def _example(move: "Move") -> tuple[str, ...]:
    why = [move.b_reason or move.a_reason or ""]
    why += [f"decided by {by}" for by in (move.a_decided_by, move.b_decided_by) if by]
    why += ["other texts"] if move.reworded else []
    expected = " → ".join("–" if value is None else f"{value:.2f}" for value in (move.a_expected, move.b_expected))
    return (
        _cut(move.query, 30),
        _cut(move.title or move.candidate_id, LONGEST),
        f"{_outcome(move.a_grade, move.a_status)} → {_outcome(move.b_grade, move.b_status)}",
        expected,
        _cut("; ".join(filter(None, why)), LONGEST),
    )


def _outcome(grade: int | None, status: str) -> str:
    return status if grade is None else str(grade)


def _show_segments(found: "Diff") -> None:
    if not found.segments:
        return
    show()
    rows = [
        (
            _cut(f"{s.facet}: {s.value}", LONGEST),
            f"{s.n:,}",
            f"{s.moved / s.n:.1%}",
            f"{100 * s.difference:+.1f} points",
            "–" if s.shift is None else f"{s.shift:+.3f}",
            "–" if s.q is None else "< 0.001" if s.q < 0.001 else f"{s.q:.3f}",
        )
        for s in found.segments[:SHOWN]
    ]
    show_table(rows, head=("segment", "pairs", "moved", "than others", "mean rise", "q"), right=range(1, 6))


def _change(added: int, removed: int) -> tuple[str, str]:
    return f"+{added:,}" if added else "0", f"−{removed:,}" if removed else "0"


def _short(value: str | None) -> str:
    """A digest by its beginning; everything else as it is."""
    if value is None:
        return "–"
    return value[:12] if len(value) == 64 and not set(value) - set("0123456789abcdef") else _cut(value, 40)


def _cut(text: str, most: int) -> str:
    from judge.words.normalise import clean

    text = clean(text)
    return text if len(text) <= most else text[: most - 1] + "…"
