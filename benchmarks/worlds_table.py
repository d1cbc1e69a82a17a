"""What `audit_worlds.py` found, in Markdown: means over seeds with 95% intervals, and counts added up."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.stats import t

LEVELS = ("0.1", "0.3", "0.5")
Case = dict[str, Any]


def tables(cases: list[Case]) -> str:
    """All tables: figures by world, impressions and probabilities; flags by type; errors by kind; promises."""
    groups: dict[tuple[Any, ...], list[Case]] = {}
    for each in cases:
        world, median, _, known = each["case"]
        groups.setdefault((world, median, known), []).append(each)
    parts = [figures(groups), flags_by_type(groups), errors_by_kind(groups), promised(groups)]
    if all("given" in each for each in cases):
        parts.append(given(groups))
    return "\n\n".join(parts)


def figures(groups: dict[tuple[Any, ...], list[Case]]) -> str:
    """One row for each world, traffic level and kind of labels."""
    heads = ("average precision", "of the oracle's", "P@100, oracle's", "expected of truly wrong")
    heads += tuple(f"false at {level}" for level in LEVELS)
    heads += ("errors flagged at 0.5", "label errors per 1,000, before and after 5%")

    def row(own: list[Case]) -> list[str]:
        cells = [mean(own, lambda e: e["ap"], 3), mean(own, lambda e: e["ap"] / e["oracle"])]
        cells.append(f"{mean(own, lambda e: e['top_100'])}, {np.mean([e['oracle_top_100'] for e in own]):.2f}")
        cells.append(mean(own, lambda e: e["expected"] / e["wrong"]))
        for level in LEVELS:
            flags, true = (sum(e["flags"][level][name] for e in own) for name in ("flags", "true"))
            cells.append(f"{flags - true} of {flags}")
        cells.append(f"{np.mean([e['flags']['0.5']['true'] / e['wrong'] for e in own]):.0%}")
        before, after = (np.mean([1000 * e[n] / e["pairs"] for e in own]) for n in ("wrong", "after_review"))
        return [*cells, f"{before:.0f}, {after:.0f}"]

    return _table(heads, groups, row)


def flags_by_type(groups: dict[tuple[Any, ...], list[Case]]) -> str:
    """False flags of all, by type, at each nominal rate; a pair can have several."""
    names = sorted({name for own in groups.values() for e in own for name in e["flags"]["0.5"]["by_type"]})

    def row(own: list[Case]) -> list[str]:
        cells = []
        for name in names:
            at = [np.sum([e["flags"][level]["by_type"].get(name, [0, 0]) for e in own], axis=0) for level in LEVELS]
            cells.append(", ".join(f"{flags - true} of {flags}" for flags, true in at))
        return cells

    return _table([f"false {name}, at {', '.join(LEVELS)}" for name in names], groups, row)


def given(groups: dict[tuple[Any, ...], list[Case]]) -> str:
    """False flags of all that users get, checks applied; what click rates and chance reach; which checks failed."""

    def row(own: list[Case]) -> list[str]:
        cells = []
        for level in LEVELS:
            queries = [query for e in own for query in e["given"][level]["queries"]]
            flags, false = np.sum(queries, axis=0) if queries else (0, 0)
            cells.append(f"{false} of {flags}")
        cells += [mean(own, lambda e: e["clicks_ap"]), mean(own, lambda e: e["wrong"] / e["pairs"])]
        views = [e["agreement"] for e in own]
        cells.append(", ".join("as claimed" if each["wrong"] is None else f"{each['wrong']:.2f}" for each in views))
        found = ["not told" if each["found"] is None else f"{each['found']:.2f}" for each in views]
        cells.append(", ".join(f"{each} ({e['followed']:.2f})" for each, e in zip(found, own, strict=True)))
        names = sorted({name for e in own for name in e["checks"]})
        return [*cells, ", ".join(f"{name} ({sum(name in e['checks'] for e in own)})" for name in names)]

    heads = [f"false as given at {level}" for level in LEVELS]
    heads += ["average precision of click rates", "of chance", "wrong by three views", "label and grade, r² (true)"]
    return _table([*heads, "checks that failed"], groups, row)


def errors_by_kind(groups: dict[tuple[Any, ...], list[Case]]) -> str:
    """Planted errors that are flagged at 0.5, by kind."""
    names = list(next(iter(groups.values()))[0]["flags"]["0.5"]["by_kind"])

    def row(own: list[Case]) -> list[str]:
        sums = [np.sum([e["flags"]["0.5"]["by_kind"][name] for e in own], axis=0) for name in names]
        return [f"{found} of {planted}" for found, planted in sums]

    return _table([f"flagged at 0.5: {name}" for name in names], groups, row)


def promised(groups: dict[tuple[Any, ...], list[Case]]) -> str:
    """How often 150 decisions promise something, of how many pairs, and how often more of these are false."""
    budgets = [each["budget"] for each in next(iter(groups.values()))[0]["promises"]]

    def row(own: list[Case]) -> list[str]:
        cells = []
        for at, budget in enumerate(budgets):
            given = [e["promises"][at] for e in own if e["promises"][at]["pairs"]]
            broken = sum(each["false"] > budget for each in given)
            pairs = f", {np.mean([each['pairs'] for each in given]):.0f} pairs, {broken} broken" if given else ""
            cells.append(f"{len(given)} of {len(own)}{pairs}")
        return cells

    return _table([f"promised {budget:g}" for budget in budgets], groups, row)


def mean(own: list[Case], value: Callable[[Case], float], digits: int = 2) -> str:
    """The mean over seeds, with its 95% interval by Student's t where there are three or more."""
    values = np.array([value(each) for each in own])
    found = f"{values.mean():.{digits}f}"
    if len(values) < 3:
        return found
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{found} ({values.mean() - half:.{digits}f}–{values.mean() + half:.{digits}f})"


def _table(
    heads: Iterable[str], groups: dict[tuple[Any, ...], list[Case]], row: Callable[[list[Case]], list[str]]
) -> str:
    every = ("world", "impressions", "probabilities", "seeds", *heads)
    lines = ["| " + " | ".join(every) + " |", "|" + "---|" * len(every)]
    for (world, median, known), own in sorted(groups.items()):
        seeds = ", ".join(str(e["case"][2]) for e in sorted(own, key=lambda e: e["case"][2]))
        cells = [world, f"{median:,}", "yes" if known else "no", seeds, *row(own)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
