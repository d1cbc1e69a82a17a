"""Results as a notebook shows them, HTML tables and SVG charts, and as Python prints them.

Every text in them is escaped: some are adversarial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from judge.errors import InputError, JudgeError
from judge.text import one_line

if TYPE_CHECKING:
    from audit.agreement.charts import Bin
    from judge.statistics.intervals import Estimate

SHOWN = 20
"""Rows of a long result that a notebook shows."""
PRINTED = 8
"""Rows of a result that Python prints."""
LEFT, WIDTH, LINE = 190, 320, 26
COLOUR, SOFT = "#1e5fb3", 'fill-opacity="0.7"'


@dataclass(frozen=True)
class Sheet:
    """What there is to show of a result; `total` is the number of rows where not all are given."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    total: int | None = None


class Result:
    """A result that shows its main figures: as HTML in a notebook, in a few lines where it is printed."""

    def _sheet(self) -> Sheet:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        found = self._sheet()
        return table(found.caption, found.head, found.rows, found.total)

    def __repr__(self) -> str:
        from rich.cells import cell_len

        name = type(self).__name__
        try:
            found = self._sheet()
        except (OSError, JudgeError):  # its file is gone
            return f"<{name}>"
        grid = [[one_line(str(cell))[:40] for cell in row] for row in (found.head, *found.rows[:PRINTED])]
        widths = [max(map(cell_len, column)) for column in zip(*grid, strict=True)]
        lines = ["  ".join(map(_padded, row, widths)).rstrip() for row in grid]
        more = max(found.total or 0, len(found.rows)) - PRINTED
        lines += [f"… and {more:,} more"] if more > 0 else []
        return "\n".join([f"{name}: {one_line(found.caption)}", *(f"  {line}" for line in lines if line)])


def _padded(text: str, width: int) -> str:
    """A text with blanks behind it; in a terminal, letters of Japanese and Chinese are two wide, and marks nothing."""
    from rich.cells import cell_len

    return text + " " * (width - cell_len(text))


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]], total: int | None = None) -> str:
    """An HTML table; `total` is the number of rows where not all are given."""
    cells = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    titles = "".join(f"<th>{_text(title)}</th>" for title in head)
    more = f"<p>… and {total - len(rows):,} more</p>" if total is not None and total > len(rows) else ""
    body = f"<thead><tr>{titles}</tr></thead><tbody>{cells}</tbody>"
    return f"<div><table><caption>{_text(caption)}</caption>{body}</table>{more}</div>"


def number(value: float | None) -> str:
    """Three digits, or a dash."""
    return "–" if value is None else f"{value:.3f}"


@dataclass(frozen=True)
class Chart:
    """A drawing that notebooks show; `svg` is its text, without scripts or outside references."""

    svg: str

    def _repr_html_(self) -> str:
        return self.svg


def intervals(title: str, figures: Mapping[str, "Estimate"]) -> Chart:
    """Each figure as a dot on [0, 1] with its interval; what is undefined, or below 0, is written out."""
    parts, said = [], []
    for place, (name, found) in enumerate(figures.items()):
        y = 48 + LINE * place
        parts.append(f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{_text(name)}</text>')
        if found.value is None:
            reason = found.reason or "undefined"
            parts.append(f'<text x="{LEFT}" y="{y + 4}" {SOFT}>{_text(reason)}</text>')
            said.append(f"{name}: {reason}")
            continue
        between = f" ({' to '.join(map(number, found.interval))})" if found.interval else ""
        said.append(f"{name} {number(found.value)}{between}")
        if found.interval:
            low, high = map(_x, found.interval)
            parts.append(f'<path d="M{low} {y}H{high}" stroke="{COLOUR}" stroke-width="3" stroke-opacity="0.5"/>')
        parts.append(f'<circle cx="{_x(found.value)}" cy="{y}" r="5" fill="{COLOUR}"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 12}" y="{y + 4}">{number(found.value)}</text>')
    height = 48 + LINE * len(figures) + 14
    style = f'y="{height - 4}" text-anchor="middle" {SOFT}'
    ticks = (f'<text x="{_x(share)}" {style}>{share:g}</text>' for share in (0, 0.5, 1))
    frame = f'<path d="M{LEFT} 34V{height - 18}M{LEFT + WIDTH} 34V{height - 18}" stroke="#bbb"/>'
    return _chart(title, said, LEFT + WIDTH + 60, height, [frame, *parts, *ticks])


def reliability(title: str, bins: "Sequence[Bin]") -> Chart:
    """How often a judge is right, by how sure it says it is: a dot a bin, its area its share of the pairs."""
    left, top, side = 56, 34, 260

    def x(share: float) -> float:
        return round(left + side * share, 1)

    def y(share: float) -> float:
        return round(top + side * (1 - share), 1)

    parts = [f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#bbb"/>']
    parts.append(f'<path d="M{x(0)} {y(0)}L{x(1)} {y(1)}" stroke="#bbb" stroke-dasharray="4 4"/>')
    total, said = sum(found.n for found in bins), []
    for found in bins:
        radius = 2 + 16 * (found.n / total) ** 0.5
        note = f"{found.n:,} pairs, confidence {found.confidence:.3f}, right {found.accuracy:.3f}"
        said.append(note)
        at = f'cx="{x(found.confidence)}" cy="{y(found.accuracy)}"'
        parts.append(f'<circle {at} r="{radius:.1f}" fill="{COLOUR}" fill-opacity="0.6"><title>{note}</title></circle>')
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{x(share)}" y="{top + side + 16}" text-anchor="middle" {SOFT}>{share:g}</text>')
        parts.append(f'<text x="{left - 6}" y="{y(share) + 4}" text-anchor="end" {SOFT}>{share:g}</text>')
    parts.append(f'<text x="{x(0.5)}" y="{top + side + 34}" text-anchor="middle">confidence</text>')
    parts.append(f'<text transform="translate(16 {y(0.5)}) rotate(-90)" text-anchor="middle">share right</text>')
    return _chart(title, said, left + side + 20, top + side + 44, parts)


def as_pandas(arrow: Any) -> Any:
    """An Arrow table as a pandas DataFrame.

    Raises:
        InputError: pandas is not installed.
    """
    from importlib.util import find_spec

    if find_spec("pandas") is None:
        raise InputError("pandas is not installed", "pip install pandas, or take .to_arrow()")
    import pandas as pd
    import pyarrow as pa

    # Whole numbers stay whole where some are missing.
    whole = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    return arrow.to_pandas(types_mapper=whole.get)


def _chart(title: str, said: Sequence[str], width: int, height: int, parts: Sequence[str]) -> Chart:
    """Its letters have the colour of the notebook's, which may be dark; `said` is for those who do not see it."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" viewBox="0 0 {width} {height}" role="img"'
    head += ' font-size="12" font-family="sans-serif" fill="currentColor"'
    head += f"><title>{_text(title)}</title><desc>{_text('; '.join(said))}</desc>"
    return Chart("\n".join([head, f'<text x="10" y="20" font-size="14">{_text(title)}</text>', *parts, "</svg>"]))


def _x(share: float) -> float:
    return round(LEFT + WIDTH * min(max(share, 0.0), 1.0), 1)


def _text(value: Any) -> str:
    return escape(one_line(str(value)))
