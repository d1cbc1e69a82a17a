"""`judge trace`: a label's whole story."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relevance_judge.cli.options import RatingParams, json_option, run_argument
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import FILE, takes
from relevance_judge.cli.stdin import input_file

if TYPE_CHECKING:
    from judge.export.row_exports import ExportLocation
    from judge.labelling.prompt_replay import Asked
    from judge.labelling.trace import Trace

SHOWN = ("type", "strength", "q_value", "p_wrong", "suggested_grade", "suggested_action")
"""What a flag says; the rest of its row is evidence."""


@click.command()
@run_argument
@click.argument("query", metavar="QUERY", help="The query's words, or its id.")
@click.argument("candidate", metavar="CANDIDATE", help="The candidate's id.")
@click.option("--ratings", metavar="FILE", type=FILE, help="People's grades of it; as `judge agree` reads them.")
@takes(RatingParams)
@click.option("--judge", metavar="MODEL", help="Where the judge is now; only its tokenizer is read.")
@json_option
def trace(
    how: RatingParams, run: Path, query: str, candidate: str, ratings: Path | None, judge: str | None, json: bool
) -> None:
    """Show where one label came from, and where it went.

    Its row, the prompt as sent, scores, flags, decisions, and the exports that hold it.

    \b
    Example:
      judge trace runs/monday "hiking boots" P001 --ratings ratings.csv
    """
    from judge.export.row_exports import export_locations
    from judge.labelling.trace import trace as follow
    from judge.run.store import Run

    opened = Run.open(run)
    found = follow(opened, query, candidate, judge)
    given = _ratings(found, ratings, opened, how.layout()) if ratings else None
    went = export_locations(opened, found.row)
    if json:
        show_json(found.as_json() | {"exports": [each.model_dump(mode="json") for each in went], "ratings": given})
        return
    _show(found)
    _show_exports(went)
    if given is not None:
        _heading(f"ratings in {ratings}")
        rows = [(g["rater"], str(g["grade"]), g["clause"] or "", _when(g["time"])) for g in given]
        show_table(rows, head=("rater", "grade", "clause", "time")) if rows else show("none of this pair")


def _ratings(found: "Trace", file: Path, run: Any, layout: Any) -> list[dict[str, Any]]:
    from judge.ratings.panel import read_panel
    from judge.ratings.remembered import settle_layout

    guideline = run.manifest.policy
    with input_file(file) as (path, name):
        settled = settle_layout(layout, path, [run], guideline)
        panel = read_panel(path, settled, guideline.values, name)
    given = panel.of(found.query_id, found.query or "", found.candidate_id)
    return [{name: getattr(rating, name) for name in ("rater", "grade", "clause", "time")} for rating in given]


def _show(found: "Trace") -> None:
    rows = [
        ("query", found.query or "–"),
        ("query id", found.query_id),
        ("candidate id", found.candidate_id),
        ("locale", found.locale or "–"),
        ("row", f"{found.row:,} of {found.files.get('pairs', 'the input')}"),
    ]
    rows += [("catalogue", found.files["catalogue"])] if "catalogue" in found.files else []
    rows += [("skipped too", f"row {other['row']:,}: {other['reason']}") for other in found.other_rows]
    rows += [(name, text) for name, text in found.candidate.items()]
    rows += [("grade it brought", str(found.given_grade))] if found.given_grade is not None else []
    _heading("input", first=True)
    _pairs(rows)
    if found.mined:
        _heading("mined")
        _pairs([(name, _text(value)) for name, value in found.mined.items() if value is not None])
    _heading("label")
    _pairs(_label(found))
    if found.probabilities is not None:
        show()
        _show_probabilities(found)
    _heading(f"what made it: fingerprint {found.fingerprint}")
    _pairs([(name, value) for name, value in found.parts.items() if value is not None])
    _heading("how the judge was asked")
    if found.asked is None:
        show("it was not: " + ("the row was skipped" if found.status == "skipped" else "people gave the grade"))
    else:
        _show_asked(found.asked)
    _show_flags(found.flags)
    _show_decisions(found)


def _show_flags(flags: Sequence[Mapping[str, Any]]) -> None:
    from judge.run.flag_types import flag_types

    _heading("flags")
    for flag in flags:
        said = [(name, _text(value)) for name, value in flag.items() if value is not None and name in SHOWN]
        _pairs([*said, ("meaning", flag_types()[flag["type"]].meaning)])
        evidence = [f"{name} {_text(value)}" for name, value in flag.items() if value is not None and name not in SHOWN]
        _pairs([("evidence", ", ".join(evidence))])
    if not flags:
        show("none")


def _show_decisions(found: "Trace") -> None:
    _heading("decisions")
    if not found.decisions:
        show("none")
        return
    rows = []
    for d in found.decisions:
        decided = str(d.verdict) + (f" to {d.grade}" if d.grade is not None else "")
        rows.append((d.time, d.author, d.source, decided, d.reason))
    show_table(rows, head=("time", "author", "by", "decided", "reason"))
    show(_final(found))


def _show_exports(went: "Sequence[ExportLocation]") -> None:
    _heading("exports")
    if not went:
        show("none")
        return
    rows = []
    for each in went:
        whole = "in it" if not each.exported.selection.splits else f"in {each.split}"
        what = whole if each.split else f"left out: {each.left_out}"
        note = "by the decisions of today, others than then" if each.decisions_changed else ""
        rows.append((each.exported.time, each.exported.format, each.exported.out, what, note))
    show_table(rows, head=("time", "format", "where", "this row", ""))


def _label(found: "Trace") -> list[tuple[str, str]]:
    name = "" if found.grade is None else f" {found.grades.get(found.grade, '')}"
    rows = [("status", found.status), ("grade", "–" if found.grade is None else f"{found.grade}{name}")]
    rows += [("reason", found.reason)] if found.reason else []
    rows += [("judged in", found.judged_in)] if found.judged_in else []
    numbers = {"expected grade": found.expected_grade, "confidence": found.confidence}
    rows += [(what, f"{value:.4f}") for what, value in numbers.items() if value is not None]
    if found.threshold is not None:
        rows.append(("abstains below", f"{found.threshold:.4f}"))
    if found.outside_mass is not None:
        rows.append(("outside the labels", f"{found.outside_mass:.4f}"))
    return rows


def _show_probabilities(found: "Trace") -> None:
    shares = found.probabilities or ()
    columns: list[Sequence[float]] = [shares] if found.uncalibrated is None else [found.uncalibrated, shares]
    head = ("uncalibrated", "calibrated")[: len(columns)] if found.uncalibrated else ("probability",)
    rows = [
        (f"{grade} {name}", *(f"{column[index]:.4f}" for column in columns))
        for index, (grade, name) in enumerate(found.grades.items())
    ]
    show_table(rows, head=("grade", *head), right=range(1, len(head) + 1))
    if found.calibration and found.calibration.get("blend"):
        names = " and ".join(feature["name"] for feature in found.calibration["blend"]["features"])
        read = ", ".join(f"{name} {value:.3f}" for name, value in (found.features or {}).items() if value is not None)
        before = found.parts.get("recalibrated_from")
        show(
            f"calibrated: by {names}"
            + (f" ({read})" if read else "")
            + (f"; recalibrated from {before}" if before else "")
        )
    elif found.parts.get("calibration") and found.uncalibrated is None:
        show("calibrated; the run does not hold by which numbers")
    elif found.calibration:
        biases = ", ".join(f"{value:+.2f}" for value in found.calibration["bias"])
        show(f"calibrated: temperature {found.calibration['temperature']:.3f}, biases {biases}")


def _show_asked(asked: "Asked") -> None:
    if asked.missing is None and asked.prompt is None:
        cut = f"; cut to its budget: {', '.join(asked.cut)}" if asked.cut else ""
        show(f"in words, by template {asked.template}{cut}; as it is asked about alone:", "")
        for line in "\n\n".join(asked.segments).split("\n"):
            show(f"  | {line}")
        return
    if asked.prompt is None:
        show(f"the prompt cannot be shown: {asked.missing}")
        return
    prompt = asked.prompt
    sizes = [len(prompt.shared), len(prompt.query), len(prompt.candidate)]
    names = ("guideline", "query", "candidate and answer")
    show_table(
        [(name, f"{size:,}") for name, size in zip(names, sizes, strict=True)] + [("together", f"{sum(sizes):,}")],
        head=(f"template {asked.template}", "tokens"),
        right=(1,),
    )
    show()
    show_table(
        [(s.name, f"{s.tokens:,}", f"{s.kept:,}", f"{s.budget:,}", s.lost.strip()[:80]) for s in asked.spent],
        head=("text", "tokens", "kept", "budget", "cut"),
        right=(1, 2, 3),
    )
    show("", "the prompt, as sent:", "")
    for line in "".join(asked.segments).split("\n"):
        show(f"  | {line}")


def _final(found: "Trace") -> str:
    last = found.counts
    if last is None:
        return "a judge's opinion settles nothing: the label stands" + (
            ", and the pair stays in the queue" * bool(found.flags)
        )
    if found.final_grade != found.grade:
        return f"the last one counts: an export has grade {found.final_grade} by {last.author}"
    if found.status == "skipped" and last.grade is not None:
        return "the row was skipped, and stays so in an export"
    return "the last one counts: the label stands" + (", and the pair stays in the queue" * (last.verdict == "unsure"))


def _heading(text: str, *, first: bool = False) -> None:
    show(*([] if first else [""]), text.upper()[:1] + text[1:])


def _pairs(rows: Sequence[tuple[str, str]]) -> None:
    show_table([(f"  {name}", " ".join(text.split())) for name, text in rows])


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return "[" + ", ".join(_text(item) for item in value) + "]" if isinstance(value, list) else str(value)


def _when(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
