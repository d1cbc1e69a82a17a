"""A benchmark's table (Markdown) and chart (SVG), drawn by hand: bars need no plotting library."""

import json
import statistics
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

HEAD = (
    "| candidates a query | | pairs per core-second | pairs per second, all cores | of the arithmetic limit "
    "| without an answer | largest probability error | other grade than the reference |"
)
FONT = 'font-family="sans-serif" font-size="12"'
COLOURS = ("#1b6ca8", "#5fa8d3", "#9cc9e3", "#b5838d", "#a3a380", "#9a8c98", "#6d6875")
RATIOS_AT = 20
"""Candidates a query at which contestants are compared in words."""
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
"""Between these a README has its table."""


@dataclass
class Measured:
    """One contestant at one number of candidates a query."""

    name: str
    candidates: int
    speeds: list[float] = field(default_factory=list)
    """Pairs per processor second, a value a round."""
    walls: list[float] = field(default_factory=list)
    """Pairs per second of the clock, all processes together, a value a round."""
    shares: list[float] = field(default_factory=list)
    """Of the arithmetic limit, a value a round."""
    unparsable: int = 0
    asked: int = 0
    largest_error: float | None = None
    """Of a probability, against every prompt computed alone; null where it gives none."""
    other_grades: int | None = None
    """Answers whose grade is not the reference's most probable one."""


@dataclass
class Found:
    """All that a run measured."""

    machine: str
    cores: int
    rates: list[float]
    """Matrix products, GFLOP/s a core with all cores at work, a value a round."""
    ordered_rates: list[float]
    """The same with weights in the order of the kernels, as the embedded engine has them; the limit is the faster."""
    guideline: int
    """Its tokens."""
    tokens: dict[int, float]
    """Unique tokens a pair, by candidates a query."""
    attention: dict[int, float]
    """Attention's operations, which the limit leaves out, over those it counts, by candidates a query."""
    starts: dict[str, float]
    peaks: dict[str, float]
    batches: dict[str, int | None]
    measured: list[Measured]
    broken: dict[str, str] = field(default_factory=dict)
    """Why a contestant did not go on."""


def write_report(found: Found, folder: Path) -> None:
    """Write `benchmarks.md`, `benchmarks.svg` and `benchmarks.json` into a folder."""
    (folder / "benchmarks.json").write_text(json.dumps(asdict(found), indent=2) + "\n")
    (folder / "benchmarks.svg").write_text(chart(found))
    (folder / "benchmarks.md").write_text(table(found))


def spread(values: list[float], form: str = ".2f") -> str:
    """Median, with the range where there are several."""
    middle = f"{statistics.median(values):{form}}"
    return f"{middle} ({min(values):{form}}–{max(values):{form}})" if len(values) > 1 else middle


def table(found: Found) -> str:
    """The page: what was measured, how, and the figures."""
    rounds = len(found.rates)
    tokens = ", ".join(f"{value:.0f} at {n}" for n, value in found.tokens.items())
    attention = ", ".join(f"{value:.0%} at {n}" for n, value in found.attention.items())
    lines = [
        "# Speed, compared with the usual alternatives",
        "",
        f"{found.machine}; SmolLM2-135M-Instruct in fp32; `make bench`, {_times(rounds)} interleaved; medians, in",
        f"brackets the range. A contestant is {found.cores} processes of one thread, each on a core of its own; a",
        "core-second is one of processor time, tokenising included, start-up not. A guideline of",
        f"{found.guideline} tokens, the example shop's queries and products; unique tokens a pair: {tokens}",
        f"candidates a query. Matrix products run at {spread(found.rates, '.0f')} GFLOP/s a core in torch as it is,",
        f"at {spread(found.ordered_rates, '.0f')} with weights in the order of the kernels, as the embedded engine",
        "has them; the limit is the faster rate over unique tokens × 2 × parameters without the embedding. Attention",
        f"is work that it leaves out: {attention} candidates a query on top.",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row, found) for row in found.measured]
    lines += ["", "| | start-up | peak memory, all processes | batch |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {start:.1f} s | {found.peaks.get(name, 0.0):,.0f} MiB | {found.batches[name] or 'its own'} |"
        for name, start in found.starts.items()
    ]
    lines += ["", *(f"**{name} is not measured whole: {why}.**" for name, why in found.broken.items())]
    lines += [
        "",
        "The reference computes every prompt alone, in transformers. The CrossEncoder runs the same checkpoint with an",
        "untrained head and without the guideline: its speed is what such a model has, its answers mean nothing.",
        "Rivals that compute each prompt whole do not gain from candidates of one query. `classify` reads the labels'",
        "rows alone. llama.cpp keeps what a prompt shares with the one before, and multiplies by the 4-bit weights as",
        "they are packed: products cheaper than the limit's, and other probabilities. On a GPU:",
        "`python -m benchmarks.gpu`, not measured here.",
        "",
        "![Pairs per core-second](benchmarks.svg)",
        "",
    ]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def summary(found: Found) -> str:
    """A README's table: pairs per core-second, contestants by candidates a query."""
    groups = list(dict.fromkeys(row.candidates for row in found.measured))
    lines = ["| candidates a query | " + " | ".join(map(str, groups)) + " |", "|---|" + "---|" * len(groups)]
    for name in found.starts:
        cells = [_cell(row, found) for group in groups for row in _rows(found, name, group) or [None]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    limits = [f"{limit:.1f}" for limit in (_limit(found, group) for group in groups)]
    lines += [f"| *arithmetic limit* | {' | '.join(limits)} |", "", ratios(found, RATIOS_AT), ""]
    lines.append(
        f"Pairs per core-second, medians of {_times(len(found.rates))} on {found.machine}, a guideline of"
        f" {found.guideline} tokens; bold: the fastest. What was measured how, errors and unparsable answers:"
        " [benchmarks.md](benchmarks.md)."
    )
    return "\n".join(lines)


def ratios(found: Found, group: int) -> str:
    """How many times as fast the first contestant is as each other one: medians and ranges of the rounds' ratios."""
    rows = [row for row in found.measured if row.candidates == group]
    first, told = next((row for row in rows if row.name == next(iter(found.starts))), None), []
    if first is None:
        return ""
    for row in rows:
        if row is not first:
            times = [ours / theirs for ours, theirs in zip(first.speeds, row.speeds, strict=False)]
            told.append(f"{spread(times, '.1f')} times that of {row.name}")
    if not told:
        return ""
    share = spread(first.shares, ".0%")
    return f"At {group} candidates a query the speed of {first.name} is {'; '.join(told)}. It is {share} of the limit."


def write_readme(found: Found, path: Path) -> None:
    """Put the table between a README's marks.

    Raises:
        ValueError: It has no marks.
    """
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{path} has no {BEGIN} … {END}")
    path.write_text(f"{before}{BEGIN}\n\n{summary(found)}\n\n{END}{after}", encoding="utf-8")


def _times(rounds: int) -> str:
    return f"{rounds} rounds" if rounds > 1 else "one round"


def _rows(found: Found, name: str, group: int) -> list[Measured | None]:
    return [row for row in found.measured if (row.name, row.candidates) == (name, group)]


def _limit(found: Found, group: int) -> float:
    """Pairs per core-second at the limit: what share a speed was, turned round."""
    row = next(row for row in found.measured if row.candidates == group)
    return statistics.median(speed / share for speed, share in zip(row.speeds, row.shares, strict=True))


def _fastest(found: Found, group: int) -> float:
    return max(statistics.median(row.speeds) for row in found.measured if row.candidates == group)


def _cell(row: Measured | None, found: Found) -> str:
    if row is None:
        return "–"
    speed = statistics.median(row.speeds)
    return f"**{speed:.2f}**" if speed == _fastest(found, row.candidates) else f"{speed:.2f}"


def _line(row: Measured, found: Found) -> str:
    speed = spread(row.speeds)
    if statistics.median(row.speeds) == _fastest(found, row.candidates):
        speed = f"**{speed}**"
    none = f"{row.unparsable} of {row.asked}" if row.asked else "–"
    error = "gives none" if row.largest_error is None else f"{row.largest_error:.0e}"
    other = "–" if row.other_grades is None else f"{row.other_grades} of {row.asked - row.unparsable}"
    share = statistics.median(row.shares)
    wall = f"{statistics.median(row.walls):.2f}" if row.walls else "–"
    return f"| {row.candidates} | {row.name} | {speed} | {wall} | {share:.0%} | {none} | {error} | {other} |"


def chart(found: Found) -> str:
    """Bars by candidates a query, a bar a contestant, with the arithmetic limit as a line."""
    groups = list(dict.fromkeys(row.candidates for row in found.measured))
    names = list(found.starts)
    limits = {group: _limit(found, group) for group in groups}
    top = 1.1 * max([*limits.values(), *(max(row.speeds) for row in found.measured)])
    width, height, bar = 60 + len(groups) * (len(names) * 22 + 30), 320 + 18 * -(-len(names) // 3), 20
    scale = 260 / top
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width, 720)} {height}" {FONT}>',
        "<title>Pairs per core-second by candidates a query</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="10" y="18">pairs per core-second; black line: arithmetic limit; thin line: range over rounds</text>',
    ]
    for place, group in enumerate(groups):
        left = 40 + place * (len(names) * 22 + 30)
        for index, name in enumerate(names):
            row = next(iter(_rows(found, name, group)), None)
            if row is None:
                continue
            value, x = statistics.median(row.speeds), left + index * 22
            out.append(_bar(x, value * scale, bar, COLOURS[index % len(COLOURS)], f"{name}: {value:.2f}"))
            low, high = (290 - edge * scale for edge in (min(row.speeds), max(row.speeds)))
            out.append(f'<line x1="{x + 10}" x2="{x + 10}" y1="{low:.1f}" y2="{high:.1f}" stroke="#333"/>')
            place_of_text = f'x="{x + 10}" y="{high - 4:.1f}" text-anchor="middle" font-size="9"'
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
