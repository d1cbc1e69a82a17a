"""The evaluation as one self-contained page: no network, no script, everything from outside escaped."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from judge.words.pages import number, report_page
from retriever.slices import UNLEARNED

TOLD = {"full": "all results", "judged": "judged only", "filled": "filled by the judge"}
"""Columns, as people read them."""


def render(report: Mapping[str, Any]) -> str:
    """The page as HTML, from what `retriever.evaluation.Evaluation.as_json` gives."""
    gaps = _gap_rows(report)
    values = {
        "r": report,
        "told": TOLD,
        "unlearned": UNLEARNED,
        "columns": [column for column in TOLD if column in report["systems"][0]["figures"]],
        "primary": report["measures"][report["primary"]],
        "heading": _heading(report),
        "deciding": [_deciding(report, each) for each in report["comparisons"]],
        "primary_rows": _primary_rows(report),
        "unit_axis": {"low": 0.0, "high": 1.0, "ticks": [0, 0.25, 0.5, 0.75, 1], "digits": 2, "sign": "-"},
        "gap_rows": gaps,
        "gap_axis": _gap_axis(gaps),
        "misspelt": [system for system in report["systems"] if system["misspelt"]],
    }
    return report_page(files("retriever").joinpath("report"), values, FUNCTIONS)


def _between(estimate: Mapping[str, Any], sign: str = "-") -> str:
    if estimate["low"] is None:
        return str(estimate["reason"] or "no interval")
    return f"{number(estimate['low'], 3, sign)} to {number(estimate['high'], 3, sign)}"


def _deciding(report: Mapping[str, Any], compared: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """On which queries a comparison decides, and its primary differences there by column: where a system learned from
    some of the queries, on the others alone."""
    gaps = {column: gaps[report["primary"]] for column, gaps in compared["differences"].items()}
    unseen = compared["slices"].get(UNLEARNED)
    return (" on queries not learned from", unseen) if unseen else ("", gaps)


def _heading(report: Mapping[str, Any]) -> str:
    if not report["comparisons"]:
        return "How good search is, by people’s grades"
    best = report["comparisons"][0]
    where, gaps = _deciding(report, best)
    verdict, judged = gaps["full"]["verdict"], gaps["judged"]["verdict"]
    said = {"cannot tell": "These queries cannot tell whether {s} or {b} is better", "equal": "{s} and {b} are equal"}
    if {verdict, judged} == {"better", "worse"}:
        return f"{best['system']} or {best['baseline']}: it depends on the results that nobody judged"
    words: str = said.get(verdict, f"{{s}} is {verdict} than {{b}}")
    return words.format(s=best["system"], b=best["baseline"]) + where


def _row(label: str, estimate: Mapping[str, Any], other: bool, sign: str) -> dict[str, Any]:
    note = number(estimate["value"], 3, sign)
    note += "" if estimate["low"] is None else f"  ({_between(estimate, sign)})"
    return {"label": label, "note": note, "other": other, **{name: estimate[name] for name in ("value", "low", "high")}}


def _primary_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        _row(f"{system['name']}, {TOLD[column]}", figures[report["primary"]], column != "full", "-")
        for system in report["systems"]
        for column, figures in system["figures"].items()
    ]


def _gap_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        _row(f"{each['system']} − {each['baseline']}, {TOLD[column]}", gaps[report["primary"]], column != "full", "+")
        for each in report["comparisons"]
        for column, gaps in each["differences"].items()
    ]


def _gap_axis(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """From the largest difference to as much on the other side of 0."""
    reach = max(
        (abs(row[end]) for row in rows for end in ("value", "low", "high") if row[end] is not None), default=0.1
    )
    step = next(s for s in (0.02, 0.04, 0.1, 0.2, 0.4, 1.0) if s >= reach or s == 1.0)
    return {"low": -step, "high": step, "ticks": [-step, 0, step], "digits": 2, "sign": "+"}


FUNCTIONS: Mapping[str, Any] = {
    "count": lambda n: f"{int(n):,}",
    "number": number,
    "percent": lambda value: "–" if value is None else f"{value:.0%}",
    "between": _between,
    "place": lambda value, axis: min(max((value - axis["low"]) / (axis["high"] - axis["low"]), 0.0), 1.0),
}
"""What the template calls."""
