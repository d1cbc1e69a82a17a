"""One figure of what trained retrievers find: NDCG@10 of every arm, with intervals.

    python -m benchmarks.retriever_figure runs/claim-medium runs/esci --out docs/retriever.svg

Reads what `benchmarks.retriever_claim` and `benchmarks.retriever_esci` left in their folders: the mean of all seeds
that are there. Arms and sets that were not run are left out.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from retriever.intervals import Mean, means

CLAIM = {
    "start": "the encoder, untrained",
    "bm25": "BM25",
    "fusion": "both, by reciprocal ranks",
    "true": "trained on true grades",
    "unaudited": "on labels of which 20% are wrong",
    "audited-grid": "on the same, audited and corrected",
    "audited-feed": "the same in a second world",
    "clicks-grid": "on raw clicks",
    "clicks-feed": "on clicks of the second world",
}
ESCI = {
    "start": "the encoder, untrained",
    "bm25": "BM25",
    "random": "trained with random negatives",
    "dense": "with dense negatives, unjudged",
    "structured": "with structured ones, judged",
    "supcon": "on all grades, supcon",
    "mnrl": "on all grades, mnrl",
    "circle": "circle, after supcon",
    "again": "supcon, after supcon",
    "misspell": "supcon, half the queries misspelt",
    "made": "supcon, and on made queries",
}
COLUMNS = {"full": "all results, what nobody judged as irrelevant", "judged only": "judged results only"}
LEFT, WIDTH, RIGHT, ROW, HEAD = 270, 480, 130, 25, 62
LOWEST, TICKS = 0.4, (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
STYLE = """
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-size:12.5px}
.page{fill:#f6f8fa;stroke:#d0d7de}.ink{fill:#1f2328}.soft{fill:#57606a}.rule{stroke:#d8dee4}
.full{fill:#0757c2;stroke:#0757c2}.judged{fill:#f6f8fa;stroke:#9a4a00}.judged-line{stroke:#9a4a00}.full-line{stroke:#0757c2}
.name{font-size:14.5px;font-weight:600}
@media(prefers-color-scheme:dark){.page{fill:#0d1117;stroke:#30363d}.ink{fill:#e6edf3}.soft{fill:#9da7b1}.rule{stroke:#30363d}
.full{fill:#6cb0ff;stroke:#6cb0ff}.judged{fill:#0d1117;stroke:#f0a860}.judged-line{stroke:#f0a860}.full-line{stroke:#6cb0ff}}
"""


@dataclass(frozen=True)
class Panel:
    """One set."""

    title: str
    arms: Mapping[str, Mapping[str, Mean]]
    """An arm's label to its figures by column."""


def read_panel(title: str, folder: Path, names: Mapping[str, str]) -> Panel:
    """What a benchmark left behind; the title may say `{queries}` and `{seeds}`."""
    arms: dict[str, dict[str, Mean]] = {}
    queries, seeds = 0, 1
    for name, label in names.items():
        alone = folder / "results" / f"{name}.npz"
        paths = [alone] if alone.is_file() else sorted((folder / "results").glob(f"{name}-[0-9].npz"))
        found = [dict(np.load(path)) for path in paths]
        if found:
            arms[label] = means({column: np.mean([one[column] for one in found], axis=0) for column in COLUMNS})
            queries, seeds = len(found[0]["full"]), max(seeds, len(found))
    told = "one seed" if seeds == 1 else f"mean of {seeds} seeds"
    return Panel(title.format(queries=f"{queries:,}", seeds=told), arms)


def figure(panels: Sequence[Panel]) -> str:
    """An SVG that is read in light and dark."""
    heights = [HEAD + ROW * len(panel.arms) + 44 for panel in panels]
    width, height = LEFT + WIDTH + RIGHT, sum(heights) + 56
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t">']
    out += [f'<title id="t">NDCG@10 of retrievers, by what they were trained on</title><style>{STYLE}</style>']
    out += [f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="12" class="page"/>']
    top = 10
    for panel, size in zip(panels, heights, strict=True):
        out += _panel(panel, top)
        top += size
    out += _legend(top + 20)
    return "\n".join([*out, "</svg>", ""])


def _panel(panel: Panel, top: int) -> Iterator[str]:
    bottom = top + HEAD + ROW * len(panel.arms)
    yield f'<text x="24" y="{top + 28}" class="ink name">{escape(panel.title)}</text>'
    for tick in TICKS:
        at = _place(tick)
        yield f'<line x1="{at}" x2="{at}" y1="{top + HEAD - 12}" y2="{bottom}" class="rule"/>'
        yield f'<text x="{at}" y="{bottom + 18}" class="soft" text-anchor="middle">{tick:.1f}</text>'
    for number, (label, found) in enumerate(panel.arms.items()):
        middle = top + HEAD + ROW * number + 4
        yield f'<text x="{LEFT - 16}" y="{middle + 4}" class="ink" text-anchor="end">{escape(label)}</text>'
        for column, kind, level in (("full", "full", middle - 4), ("judged only", "judged", middle + 5)):
            mean = found[column]
            if mean.value is None:
                continue
            if mean.low is not None and mean.high is not None:
                ends = f'x1="{_place(mean.low)}" x2="{_place(mean.high)}" y1="{level}" y2="{level}"'
                yield f'<line {ends} class="{kind}-line" stroke-width="2.5" stroke-linecap="round"/>'
            yield f'<circle cx="{_place(mean.value)}" cy="{level}" r="4.2" class="{kind}" stroke-width="2"/>'
        told = " · ".join(f"{found[c].value:.3f}" if found[c].value is not None else "–" for c in COLUMNS)
        yield f'<text x="{LEFT + WIDTH + 16}" y="{middle + 4}" class="soft">{told}</text>'


def _legend(top: int) -> Iterator[str]:
    at = 24
    for kind, label in zip(("full", "judged"), COLUMNS.values(), strict=True):
        yield f'<circle cx="{at + 5}" cy="{top - 4}" r="4.2" class="{kind}" stroke-width="2"/>'
        yield f'<text x="{at + 18}" y="{top}" class="soft">{label}</text>'
        at += 310
    yield f'<text x="{at - 90}" y="{top}" class="soft">NDCG@10; lines: 95%, resampled queries</text>'


def _place(value: float) -> float:
    return round(LEFT + WIDTH * (max(value, LOWEST) - LOWEST) / (1 - LOWEST), 1)


def main() -> None:
    """Draw what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claim", type=Path)
    parser.add_argument("esci", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/retriever.svg"))
    given = parser.parse_args()
    claim = "Home Depot: {queries} unseen queries, 1,000 to train on ({seeds})"
    esci = "ESCI: {queries} unseen queries, 52 to train on ({seeds})"
    panels = [read_panel(claim, given.claim, CLAIM), read_panel(esci, given.esci, ESCI)]
    given.out.write_text(figure([panel for panel in panels if panel.arms]), encoding="utf-8")


if __name__ == "__main__":
    main()
