"""The audit as one self-contained page: nothing from outside, everything escaped; charts are inline SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import numpy as np

from audit.engagement.advice import next_step
from audit.engagement.auditing import Audit
from audit.engagement.usual import in_words, usual
from judge.records import Flag
from judge.run.flag_types import flag_types
from judge.text import candidate_name
from judge.words.guideline import Guideline
from judge.words.pages import report_page

TOP = 200
"""Flagged pairs shown with their texts; all of them are in flags.parquet."""
QUERIES = 10
"""Queries doubted as a whole that are shown; all of them are in audit.json."""
WIDTH, HEIGHT, LEFT, BOTTOM = 560, 240, 44, 34


def as_html(found: Audit, flags: Sequence[Flag]) -> str:
    """The report. `flags` are all of them, strongest first."""
    summary = found.as_json()
    guideline = found.run.manifest.policy
    pairs = by_pair(flags)
    values = {
        "audit": summary,
        "guideline": guideline,
        "grade_names": {grade.value: grade.name for grade in guideline.grades},
        "types": {name: (kind.words, kind.meaning) for name, kind in flag_types().items()},
        "flags": _with_words(found, pairs[:TOP], guideline),
        "flagged": len(pairs),
        "doubted": _with_links(found),
        "step": next_step(found),
        "promised": [each for each in summary["rate"]["promises"] if each["pairs"]],
        "curve": curve_points(summary["examination"]["curve"]),
        "zero": zero_bars(summary["zero_click"]["by_kind"]),
        "frame": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "bottom": HEIGHT - BOTTOM},
    }
    return report_page(files("audit.engagement").joinpath("page"), values, plain=True)


def _with_words(found: Audit, pairs: Sequence[dict[str, Any]], guideline: Guideline) -> list[dict[str, Any]]:
    """Flagged pairs with what shoppers did in words, how sure the judge was, and where the review page has them."""
    labelled, gets = found.labelled, usual(found.labelled, found.weighed)
    place = {int(row): at for at, row in enumerate(labelled.row)}
    out = []
    for pair in pairs:
        at = place[pair["row"]]
        sure = labelled.probabilities[at, labelled.grade[at]]
        flag = Flag(**{name: pair[name] for name in Flag.model_fields})
        words = in_words(flag, {name: each[at] for name, each in gets.items()}, guideline)
        link = urlencode({name: pair[name] for name in ("query_id", "candidate_id")})
        more = {"name": candidate_name(flag.candidate), "sure": None if np.isnan(sure) else float(sure)}
        out.append({**pair, **more, "words": words, "link": link})
    return out


def _with_links(found: Audit) -> list[dict[str, Any]]:
    """The first queries that are doubted as a whole, and where the review page has their likeliest wrong label."""
    labelled, shown = found.labelled, found.doubted[:QUERIES]
    first: dict[str, str] = {}
    for at in found.weighed.order if shown else ():
        first.setdefault(labelled.query_id[at], labelled.candidate_id[at])
    links = [urlencode({"query_id": q.query_id, "candidate_id": first[q.query_id]}) for q in shown]
    return [{**asdict(query), "link": link} for query, link in zip(shown, links, strict=True)]


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


def zero_bars(kinds: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One bar for each kind of query: the share of popular ones that mostly end without a click."""
    return [{"name": name, "length": round(300 * (group["share"] or 0), 1), **group} for name, group in kinds.items()]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{px},{py}" for px, py in points)
