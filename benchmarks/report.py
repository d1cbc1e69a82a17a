"""A benchmark's table (Markdown) and chart (SVG), drawn by hand: bars need no plotting library."""

import json
import statistics
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.serving import Found, Measured

HEAD = (
    "| candidates a query | | pairs per core-second | of the arithmetic limit | without an answer "
    "| largest probability error | other grade than the reference |"
)
FONT = 'font-family="sans-serif" font-size="12"'
COLOURS = ("#1b6ca8", "#5fa8d3", "#b5838d", "#a3a380", "#9a8c98", "#6d6875")


def write_report(found: "Found", folder: Path) -> None:
    """Write `benchmarks.md`, `benchmarks.svg` and `benchmarks.json` into a folder."""
    (folder / "benchmarks.json").write_text(json.dumps(asdict(found), indent=2) + "\n")
    (folder / "benchmarks.svg").write_text(chart(found))
    (folder / "benchmarks.md").write_text(table(found))


def spread(values: list[float], form: str = ".2f") -> str:
    """Median, with the range where there are several."""
    middle = f"{statistics.median(values):{form}}"
    return f"{middle} ({min(values):{form}}–{max(values):{form}})" if len(values) > 1 else middle


def table(found: "Found") -> str:
    """The page: what was measured, how, and the figures."""
    rounds = len(found.rates)
    tokens = ", ".join(f"{value:.0f} at {n}" for n, value in found.tokens.items())
    lines = [
        "# Speed, beside what a user would otherwise do",
        "",
        f"{found.machine}; SmolLM2-135M-Instruct in fp32; `make bench`, {rounds} interleaved rounds; medians, in",
        "brackets the range. A guideline of about 150 tokens, the example shop's queries and products; unique tokens",
        f"a pair: {tokens} candidates a query. Matrix products run at {spread(found.rates, '.0f')} GFLOP/s a core;",
        "the limit is that rate over unique tokens × 2 × parameters without the embedding. Tokenising is included,",
        "start-up is not.",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row, found) for row in found.measured]
    lines += ["", "| | start-up | peak memory | batch |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {start:.1f} s | {found.peaks.get(name, 0.0):,.0f} MiB | {found.batches[name] or 'its own'} |"
        for name, start in found.starts.items()
    ]
    lines += [
        "",
        "The reference computes every prompt alone, in transformers. The CrossEncoder runs the same checkpoint with an",
        "untrained head and without the guideline: its speed is what such a model has, its answers mean nothing.",
        "Rivals that compute each prompt whole do not gain from candidates of one query. On a GPU: not measured.",
        "",
        "![Pairs per core-second](benchmarks.svg)",
        "",
    ]
    return "\n".join(lines)


def _line(row: "Measured", found: "Found") -> str:
    fastest = max(statistics.median(r.speeds) for r in found.measured if r.candidates == row.candidates)
    speed = spread(row.speeds)
    if statistics.median(row.speeds) == fastest:
        speed = f"**{speed}**"
    none = f"{row.unparsable} of {row.asked}" if row.asked else "–"
    error = "gives none" if row.largest_error is None else f"{row.largest_error:.0e}"
    other = "–" if row.other_grades is None else f"{row.other_grades} of {row.asked - row.unparsable}"
    share = statistics.median(row.shares)
    return f"| {row.candidates} | {row.name} | {speed} | {share:.0%} | {none} | {error} | {other} |"


def chart(found: "Found") -> str:
    """Bars by candidates a query, a bar a contestant, with the arithmetic limit as a line."""
    groups = list(dict.fromkeys(row.candidates for row in found.measured))
    names = list(found.starts)
    limits = {
        n: statistics.median(row.speeds[i] / row.shares[i] for i in range(len(row.speeds)))
        for n in groups
        for row in found.measured
        if row.candidates == n and row.name == names[0]
    }
    top = 1.1 * max([*limits.values(), *(max(row.speeds) for row in found.measured)])
    width, height, bar = 60 + len(groups) * (len(names) * 22 + 30), 360, 20
    scale = 260 / top
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width, 720)} {height}" {FONT}>',
        "<title>Pairs per core-second by candidates a query</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="18">pairs per core-second; black line: arithmetic limit; bracket: range over rounds</text>',
    ]
    for place, group in enumerate(groups):
        left = 40 + place * (len(names) * 22 + 30)
        for index, name in enumerate(names):
            row = next(r for r in found.measured if r.name == name and r.candidates == group)
            value, x = statistics.median(row.speeds), left + index * 22
            out.append(_bar(x, value * scale, bar, COLOURS[index % len(COLOURS)], f"{name}: {value:.2f}"))
            low, high = (290 - edge * scale for edge in (min(row.speeds), max(row.speeds)))
            out.append(f'<line x1="{x + 10}" x2="{x + 10}" y1="{low:.1f}" y2="{high:.1f}" stroke="#333"/>')
            place_of_text = f'x="{x + 10}" y="{286 - value * scale:.1f}" text-anchor="middle" font-size="9"'
            out.append(f"<text {place_of_text}>{value:.1f}</text>")
        y, right = 290 - limits[group] * scale, left + len(names) * 22
        out.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="black" stroke-width="2"/>')
        out.append(f'<text x="{left}" y="306">{group} a query</text>')
    for index, name in enumerate(names):
        x = 10 + (index % 3) * 230
        y = 326 + (index // 3) * 18
        out.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLOURS[index % len(COLOURS)]}"/>')
        out.append(f'<text x="{x + 18}" y="{y}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def _bar(x: float, height: float, width: float, colour: str, title: str) -> str:
    box = f'x="{x}" y="{290 - height:.1f}" width="{width}" height="{height:.1f}" fill="{colour}"'
    return f"<rect {box}><title>{escape(title)}</title></rect>"
