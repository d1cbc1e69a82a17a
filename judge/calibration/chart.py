"""A reliability chart as SVG: how often a judge is right, by how sure it says it is."""

from collections.abc import Mapping
from html import escape

import numpy as np
import numpy.typing as npt

from judge.statistics.reliability import reliability_bins

SIZE, EDGE = 300, 44
SERIES = ("#b3541e", "#1e5fb3")


def reliability_svg(title: str, series: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]) -> str:
    """One chart without scripts or outside references.

    Args:
        title: What stands above it; escaped.
        series: By name, the likeliest grade's probability of each pair and whether that grade was right, both (N,).
            A bin is a dot at its mean confidence and accuracy, its area its share of the pairs.
    """
    span, said = SIZE + 2 * EDGE, []
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {span + 120} {span}" role="img" font-size="12">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',  # it is shown on dark pages, too
        f'<text x="{EDGE}" y="20" font-size="14">{escape(title)}</text>',
        f'<rect x="{EDGE}" y="{EDGE}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#999"/>',
        f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#999" stroke-dasharray="4 4"/>',
        f'<text x="{_x(0.5)}" y="{span - 10}" text-anchor="middle">confidence</text>',
        f'<text transform="translate(14 {_y(0.5)}) rotate(-90)" text-anchor="middle">share right</text>',
    ]
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{_x(tick)}" y="{span - 26}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{EDGE - 6}" y="{_y(tick) + 4}" text-anchor="end">{tick:g}</text>')
    for index, (name, (confidence, right)) in enumerate(series.items()):
        colour = SERIES[index % len(SERIES)]
        bins = reliability_bins(confidence, right)
        for sure, hits, n in zip(bins.confidence, bins.accuracy, bins.n, strict=True):
            if not n:
                continue
            radius = 2 + 14 * float(np.sqrt(n / bins.n.sum()))
            note = f"{name}: {n} pairs, confidence {sure:.3f}, right {hits:.3f}"
            said.append(note)
            parts.append(
                f'<circle cx="{_x(sure)}" cy="{_y(hits)}" r="{radius:.1f}" fill="{colour}"'
                f' fill-opacity="0.6"><title>{escape(note)}</title></circle>'
            )
        place = EDGE + 16 + 20 * index
        parts.append(f'<circle cx="{span - 20}" cy="{place - 4}" r="6" fill="{colour}" fill-opacity="0.6"/>')
        parts.append(f'<text x="{span - 8}" y="{place}">{escape(name)}</text>')
    return "\n".join([*parts, f"<desc>{escape('; '.join(said))}</desc></svg>"])


def _x(share: float) -> float:
    return round(EDGE + SIZE * float(share), 1)


def _y(share: float) -> float:
    return round(EDGE + SIZE * (1 - float(share)), 1)
