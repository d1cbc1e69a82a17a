"""The audit as one self-contained page: no scripts, nothing from outside, everything escaped; charts are inline SVG."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from audit.engagement.auditing import Audit
from judge.records import Flag
from judge.run.flag_types import flag_types
from judge.words.guideline import Guideline
from judge.words.pages import page

TOP = 60
"""Flagged pairs shown with their texts; all of them are in flags.parquet."""
WIDTH, HEIGHT, LEFT, BOTTOM = 560, 240, 44, 34


def as_html(found: Audit, flags: Sequence[Flag]) -> str:
    """The report. `flags` are all of them, strongest first."""
    summary = found.as_json()
    values = {
        "audit": summary,
        "guideline": Guideline.model_validate(found.run.manifest.guideline),
        "meaning": {name: kind.meaning for name, kind in flag_types().items()},
        "flags": by_pair(flags)[:TOP],
        "flagged": len(by_pair(flags)),
        "curve": curve_points(summary["examination"]["curve"]),
        "bars": type_bars(summary["flags"]),
        "zero": zero_bars(summary["zero_click"]["by_kind"]),
        "frame": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "bottom": HEIGHT - BOTTOM},
    }
    return page(files("audit.engagement"), "report.html.j2", values)


def by_pair(flags: Sequence[Flag]) -> list[dict[str, Any]]:
    """One entry for each flagged pair: its strongest flag, with `types` of them all."""
    found: dict[int, dict[str, Any]] = {}
    for flag in flags:
        found.setdefault(flag.row, {**dict(flag), "types": []})["types"].append(flag.type)
    return list(found.values())


def curve_points(curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The examination curve in the chart's units: dots, a line, a band of the intervals, and ticks."""
    deepest = max((point["position"] for point in curve), default=1)
    top = max([1.0, *(point["high"] or 0 for point in curve)])

    def x(position: int) -> float:
        return round(LEFT + (WIDTH - LEFT - 16) * (position - 1) / max(deepest - 1, 1), 1)

    def y(value: float) -> float:
        return round(12 + (HEIGHT - BOTTOM - 12) * (1 - value / top), 1)

    known = [point for point in curve if point["examined"] is not None]
    banded = [point for point in known if point["low"] is not None]
    edge = [(x(p["position"]), y(p["high"])) for p in banded]
    edge += [(x(p["position"]), y(p["low"])) for p in reversed(banded)]
    step = max(1, -(-deepest // 15))
    return {
        "dots": [(x(p["position"]), y(p["examined"])) for p in known],
        "band": _path(edge),
        "x": [(x(p), p) for p in range(1, deepest + 1, step)],
        "y": [(y(v / 4), f"{v / 4:.2f}") for v in range(5)],
    }


def type_bars(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """One bar for each type of flag, lengths in the chart's units."""
    most = max([1, *counts.values()])
    return [{"name": name, "count": count, "length": round(300 * count / most, 1)} for name, count in counts.items()]


def zero_bars(kinds: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One bar for each kind of query: the share of popular ones that mostly end without a click."""
    return [{"name": name, "length": round(300 * (group["share"] or 0), 1), **group} for name, group in kinds.items()]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{px},{py}" for px, py in points)
