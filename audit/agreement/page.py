"""The agreement report as one self-contained page: no network, no storage, everything from outside escaped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from audit.agreement.advice import advise
from judge.statistics.agreement import agreement_measures, shown_in
from judge.words.pages import number, report_page

SEGMENTS = 16
"""Segments that are drawn; the table has all."""


def render(report: Mapping[str, Any]) -> str:
    """The page as HTML, from what `audit.agreement.agree.Report.as_json` gives."""
    values = {
        "r": report,
        "advice": advise(report),
        "measures": [_row(label, report[name]) for name, label in shown_in("chart").items() if name in report],
        "every": (every := [(label, report[name]) for name, label in _labels(report) if name in report]),
        "shared_reason": shared_reason([estimate for _, estimate in every]),
        "segment_rows": [_segment_row(segment) for segment in report["segments"][:SEGMENTS]],
    }
    return report_page(files("audit.agreement").joinpath("report"), values, FUNCTIONS)


def percent(value: float | None) -> str:
    """A share in percent, or a dash."""
    return "–" if value is None else f"{value:.1%}"


def _between(estimate: Mapping[str, Any], form: Any) -> str:
    if estimate["low"] is None:
        return str(estimate["reason"] or "no interval")
    return f"{form(estimate['low'], 2)} to {form(estimate['high'], 2)}"


def shared_reason(estimates: Sequence[Mapping[str, Any]]) -> str | None:
    """Why several figures of a table have no interval, where it is the same for them: a note says it once."""
    without = [each["reason"] for each in estimates if each["value"] is not None and each["low"] is None]
    counts = Counter(without).most_common(1)
    return str(counts[0][0]) if counts and counts[0][1] > 1 else None


def _p_value(p: float | None) -> str:
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _labels(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for measure in agreement_measures().values():
        found |= measure.labels(report["grades"], report["grade_names"])
    return list(found.items())


def _row(label: str, estimate: Mapping[str, Any], other: bool = False, note: str = "") -> dict[str, Any]:
    shown = {name: estimate[name] for name in ("value", "low", "high")}
    if not note:
        note = number(shown["value"], 2)
        note += "" if shown["low"] is None else f"  ({number(shown['low'], 2)} to {number(shown['high'], 2)})"
    return {"label": label, "note": note, "other": other, **shown}


def _segment_row(segment: Mapping[str, Any]) -> dict[str, Any]:
    sure = segment["q"] is not None and segment["q"] <= 0.05
    share = percent(segment["agreement"]["value"])
    return _row(f"{segment['facet']}: {segment['value']}", segment["agreement"], sure, f"{share} of {segment['n']:,}")


def _corners(points: Sequence[tuple[float, float]]) -> str:
    found = []
    for wanted in (0.25, 0.5, 0.75, 1.0):
        near = min(points, key=lambda point: abs(point[0] - wanted))
        found.append(f"{percent(near[0])} kept: {percent(near[1])} wrong")
    return "; ".join(found)


FUNCTIONS: Mapping[str, Any] = {
    "count": lambda n: f"{int(n):,}",
    "number": number,
    "percent": percent,
    "interval": lambda e: _between(e, number),
    "interval_percent": lambda e: _between(e, lambda value, digits: percent(value)),
    "signed": lambda value, digits=2: number(value, digits, "+"),
    "p_value": _p_value,
    "grade": lambda value: f"{value:g}" if value is not None else "–",
    "clip": lambda value, low, high: min(max((value - low) / (high - low), 0.0), 1.0),
    "below_zero": lambda rows: any(row["low"] is not None and row["low"] < -0.05 for row in rows),
    "spoken": lambda bins: "; ".join(f"{percent(b['confidence'])} sure, {percent(b['accuracy'])} right" for b in bins),
    "spoken_rows": lambda rows: "; ".join(f"{row['label']} {row['note']}" for row in rows),
    "corners": _corners,
}
"""What the template and its macros call."""
