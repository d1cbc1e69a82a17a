"""The learning curve's table, with intervals by resampling queries, and its figure, drawn by hand."""

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.blend import RatedSet, interval, resampled
from benchmarks.curve_answers import VALUES, pairs
from benchmarks.learning_curve import Step
from judge.statistics.ranks import spearman

Floats = npt.NDArray[np.float64]
ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- learning curve: made by benchmarks/learning_curve.py -->", "<!-- end of learning curve -->"
RIVALS = (
    *(("fine-tuned, calibrated", other) for other in ("boosting", "boosting with cosine")),
    *(
        ("fine-tuned, blend fitted", other)
        for other in ("boosting", "boosting with cosine, cut points", "cosine", "judge, blend fitted")
    ),
)
HEADS = ("pairs to learn from", "method", "seeds", "accuracy", "quadratic kappa", "rank correlation", "within queries")
HEADS += ("quadratic kappa by seed",)
DRAWN = {
    "boosting with cosine": ("#8a5a00", "#e0b050"),
    "cosine": ("#57606a", "#9da7b1"),
    "judge, blend fitted": ("#1a7f37", "#56d364"),
    "fine-tuned, calibrated": ("#0757c2", "#6cb0ff"),
    "fine-tuned, blend fitted": ("#8250df", "#c297ff"),
}
"""Lines, with their colours on light and on dark."""
WITHOUT = {"fine-tuned, calibrated": "judge"} | dict.fromkeys(
    ("fine-tuned, blend fitted", "judge, blend fitted"), "judge, shipped blend"
)
"""What they are before any rating."""


class Answers:
    """What is there of the methods that have answered all parts of the test that any has."""

    def __init__(self, out: Path, steps: Sequence[Step]) -> None:
        known: dict[tuple[str, int, int], dict[int, Path]] = {}
        for step in steps:
            known.setdefault((step.method, step.size, step.seed), {})[step.part] = step.path(out)
        self.parts = sorted(set.union(*(set(parts) for parts in known.values())))
        known = {which: parts for which, parts in known.items() if len(parts) == len(self.parts)}
        rows = [row for part in self.parts for row in pairs(out, f"test-{part}")]
        query = np.unique([row["query"] for row in rows], return_inverse=True)[1]
        none = np.empty((len(rows), 0))
        truth, mean = np.array([row["grade"] for row in rows]), np.array([row["mean"] for row in rows])
        self.rated = RatedSet(none, none, truth, mean, query, VALUES)
        self.times = resampled(self.rated.queries)
        self.each: dict[tuple[str, int], dict[int, Floats]] = {}
        for (method, size, seed), parts in known.items():
            told = [json.loads(line) for part in self.parts for line in parts[part].read_text("utf-8").splitlines()]
            self.each.setdefault((method, size), {})[seed] = self._figures(told)

    def _figures(self, told: Sequence[Mapping[str, float | None]]) -> Floats:
        grades, score = [row["grade"] for row in told], np.array([row["score"] for row in told], dtype=np.float64)
        given = None if None in grades else np.array(grades, dtype=np.int64)
        return np.column_stack([self.rated.figures(given, score, self.times), self._within(score)])

    def _within(self, score: Floats) -> Floats:
        """The mean over queries of Spearman's correlation within each, where people's means differ; shape (R,)."""
        found = np.full(self.rated.queries, np.nan)
        for query in np.flatnonzero(np.bincount(self.rated.query) > 1):
            rows = self.rated.query == query
            if np.ptp(self.rated.mean[rows]):
                # One score for all orders nothing.
                found[query] = np.nan_to_num(spearman(score[rows], self.rated.mean[rows]))
        known = ~np.isnan(found)
        times = self.times[:, known]
        return np.asarray((times @ found[known]) / np.maximum(times.sum(axis=1), 1))

    def mean(self, method: str, size: int, seeds: Sequence[int] | None = None) -> Floats:
        """The mean over seeds."""
        there = self.each[method, size]
        return np.asarray(np.mean([there[seed] for seed in (there if seeds is None else seeds)], axis=0))


def write_report(out: Path, steps: Sequence[Step], docs: Path = ROOT / "docs") -> None:
    """Write the table into `finetune.md`, between its marks, and the figure next to it."""
    answers = Answers(out, steps)
    page = docs / "finetune.md"
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    table = "\n".join([BEGIN, "", *tables(answers), "", END])
    page.write_text(before + table + rest.partition(END)[2], encoding="utf-8")
    (docs / "learning-curve.svg").write_text(_figure(answers), encoding="utf-8")


def tables(answers: Answers) -> list[str]:
    """Lines of all methods' figures, and of differences between some."""
    return [*_table(answers), "", *_differences(answers)]


def _table(answers: Answers) -> list[str]:
    rated = answers.rated
    majority = np.bincount(rated.truth).max() / len(rated.truth)
    lines = [
        f"{len(rated.truth):,} pairs of {rated.queries:,} unseen queries, the commonest grade {majority:.3f}.",
        "Intervals are 95%, by resampling queries, of the mean over seeds.",
        "",
        f"| {' | '.join(HEADS)} |",
        "|---" * len(HEADS) + "|",
    ]
    for method, size in sorted(answers.each, key=lambda key: key[1]):
        found = answers.mean(method, size)
        cells = " | ".join(interval(found[:, at], ".3f") for at in range(4))
        seeds = answers.each[method, size]
        each = ", ".join(f"{seeds[seed][0, 1]:.3f}" for seed in sorted(seeds) if not np.isnan(seeds[seed][0, 1]))
        lines.append(f"| {size:,} | {method} | {len(seeds)} | {cells} | {each} |")
    return lines


def _differences(answers: Answers) -> list[str]:
    lines = ["| pairs | difference, paired by pair and seed | quadratic kappa | rank correlation | within queries |"]
    lines.append("|---|---|---|---|---|")
    for size in sorted({size for _, size in answers.each}):
        for ours, theirs in RIVALS:
            if not {(ours, size), (theirs, size)} <= answers.each.keys():
                continue
            seeds = [seed for seed in answers.each[ours, size] if seed in answers.each[theirs, size]]
            gap = answers.mean(ours, size, seeds) - answers.mean(theirs, size, seeds)
            cells = " | ".join(interval(gap[:, at], "+.3f") for at in (1, 2, 3))
            lines.append(f"| {size:,} | {ours} less {theirs} | {cells} |")
    return lines


WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 230, 52, 60, 76
TICKS = (0, 100, 500, 2000, 8000)
PANELS = ((1, "quadratic kappa"), (2, "rank correlation"))


def _figure(answers: Answers) -> str:
    colours = [f".c{at}{{stroke:{light};fill:{light}}}" for at, (light, _) in enumerate(DRAWN.values())]
    dark = [f".c{at}{{stroke:{shade};fill:{shade}}}" for at, (_, shade) in enumerate(DRAWN.values())]
    width = LEFT + 2 * WIDTH + GAP + 24
    height = TOP + HEIGHT + 58 + 18 * math.ceil(len(DRAWN) / 2)
    what = (
        f"Home Depot: {len(answers.rated.truth):,} pairs of unseen queries, by how many rated pairs were learned from"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t">',
        f'<title id="t">{escape(what)}</title>',
        '<style>text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}',
        ".page{fill:#fff;stroke:#d0d7de}.ink{fill:#1f2328}.soft{fill:#57606a}.rule{stroke:#d8dee4;fill:none}",
        ".line{fill:none;stroke-width:2}.range{stroke-width:1.4;stroke-opacity:.55}",
        *colours,
        "@media(prefers-color-scheme:dark){.page{fill:#0d1117;stroke:#30363d}.ink{fill:#e6edf3}.soft{fill:#9da7b1}",
        ".rule{stroke:#30363d}",
        *dark,
        "}.c0.line,.c1.line,.c2.line,.c3.line,.c4.line{fill:none}</style>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="12" class="page"/>',
        f'<text x="{LEFT - 30}" y="28" class="ink" font-weight="600">{escape(what)}</text>',
    ]
    for place, (at, name) in enumerate(PANELS):
        parts += _panel(answers, at, name, LEFT + place * (WIDTH + GAP))
    for index, name in enumerate(DRAWN):
        x, y = LEFT + (index % 2) * (WIDTH + GAP), TOP + HEIGHT + 66 + 18 * (index // 2)
        parts.append(f'<path d="M{x} {y - 4}h20" class="c{index} line"/><circle cx="{x + 10}" cy="{y - 4}" r="3.5" ')
        parts.append(f'class="c{index}"/><text x="{x + 28}" y="{y}" class="ink">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _panel(answers: Answers, at: int, name: str, left: int) -> list[str]:
    """One measure: a line a method, its 95% interval at each size."""
    shown = {}
    for method in DRAWN:
        sizes = {size for other, size in answers.each if other == method and size} | {0}
        found = {size: (WITHOUT.get(method, method) if not size else method, size) for size in sorted(sizes)}
        shown[method] = {size: answers.mean(*key)[:, at] for size, key in found.items() if key in answers.each}
        shown[method] = {size: values for size, values in shown[method].items() if not np.isnan(values[0])}
    spans = [np.nanquantile(v[1:], (0.025, 0.975)) for points in shown.values() for v in points.values()]
    low, high = math.floor(20 * min(s[0] for s in spans)) / 20, math.ceil(20 * max(s[1] for s in spans)) / 20

    def y(value: float) -> float:
        return round(TOP + HEIGHT * (high - value) / (high - low), 1)

    parts = [f'<text x="{left}" y="{TOP - 10}" class="ink">{name}</text>']
    for step in range(round(low * 20), round(high * 20) + 1):
        parts.append(f'<path d="M{left} {y(step / 20)}h{WIDTH}" class="rule"/>')
        if step % 2 == 0:
            parts.append(
                f'<text x="{left - 8}" y="{y(step / 20) + 4}" class="soft" text-anchor="end">{step / 20:.1f}</text>'
            )
    for tick in TICKS:
        place = _x(tick) + left
        parts.append(f'<text x="{place}" y="{TOP + HEIGHT + 18}" class="soft" text-anchor="middle">{tick:,}</text>')
    middle = left + WIDTH / 2
    parts.append(f'<text x="{middle}" y="{TOP + HEIGHT + 38}" class="soft" text-anchor="middle">rated pairs</text>')
    for index, (method, points) in enumerate(shown.items()):
        # Apart from each other, so that intervals of one size do not hide each other.
        places = {size: round(_x(size) + left + 4 * (index - (len(shown) - 1) / 2), 1) for size in points}
        route = "L".join(f"{places[size]} {y(float(values[0]))}" for size, values in points.items())
        parts.append(f'<path d="M{route}" class="c{index} line"/>')
        for size, values in points.items():
            least, most = np.nanquantile(values[1:], (0.025, 0.975))
            parts.append(f'<path d="M{places[size]} {y(float(least))}V{y(float(most))}" class="c{index} range"/>')
            note = f"{method}, {size:,} pairs: {interval(values, '.3f')}"
            parts.append(f'<circle cx="{places[size]}" cy="{y(float(values[0]))}" r="3.5" class="c{index}">')
            parts.append(f"<title>{escape(note)}</title></circle>")
    return parts


def _x(size: int) -> float:
    """Sizes by their logarithms, none at all to the left of them."""
    edge = 24
    if not size:
        return edge
    share = math.log(size / TICKS[1]) / math.log(TICKS[-1] / TICKS[1])
    return round(edge + 56 + (WIDTH - 2 * edge - 56) * share, 1)
