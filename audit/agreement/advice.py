"""What to do next, in sentences: the few findings of a report that call for somebody to act."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from judge.statistics.agreement import headline

LEAN = 0.05
"""Bias in grades below which nobody needs to be told."""


@dataclass(frozen=True)
class Advice:
    """A sentence, and the section of the page that it rests on."""

    text: str
    where: str


def advise(report: Mapping[str, Any]) -> list[Advice]:
    """The findings whose interval excludes chance, or that are plain counts; most reports have three to six."""
    return [*_judge(report), *_clauses(report), *_raters(report), *_segments(report), *_ties(report)]


def _judge(report: Mapping[str, Any]) -> Iterator[Advice]:
    for ceiling in report["ceiling"]:
        gap = ceiling["difference"]
        if ceiling["measure"] != headline().name or gap["value"] is None or gap["low"] is None:
            continue
        if gap["high"] < 0:
            yield Advice(
                f"The judge is {-gap['value']:.2f} of quadratic kappa below people ({-gap['high']:.2f} to "
                f"{-gap['low']:.2f}): calibrate or train it before its labels stand for theirs.",
                "who",
            )
        elif gap["low"] > 0:
            yield Advice(
                f"The judge agrees with people more than they do with each other (by {gap['value']:.2f}): "
                "the raters and the guideline are now what limits the figure.",
                "who",
            )
    gain = report["accuracy_gain"]
    least = gain["value"] if gain["low"] is None else gain["low"]
    if report["run"] and least is not None and least <= 0:
        yield Advice(
            "The judge is not clearly better than always giving the commonest grade: do not use its labels yet.",
            "agreement",
        )


def _clauses(report: Mapping[str, Any]) -> Iterator[Advice]:
    worst = [c for c in report["clauses"] if c["agreement"]["value"] is not None and c["n"] >= 5]
    if worst and worst[0]["agreement"]["value"] < 1:
        first = worst[0]
        yield Advice(
            f"The clause “{first['clause']}” is behind most disagreements: {first['agreement']['value']:.0%} agreement "
            f"on {first['n']} pairs. Reword it, or give it an example.",
            "clauses",
        )
    if report["confused"]:
        first = report["confused"][0]
        yield Advice(
            f"Raters confuse “{first['first']}” with “{first['second']}” most ({first['n']} times, "
            f"{first['grades_differ']} with different grades): say which one wins.",
            "clauses",
        )
    over = sum(clause["over"] for clause in report["clauses"])
    if over:
        yield Advice(f"{over} ratings give more than the clause they name allows: have them graded again.", "clauses")


def _raters(report: Mapping[str, Any]) -> Iterator[Advice]:
    for rater in report["raters"]:
        bias, drift = rater["bias"], rater["drift"]
        if bias["low"] is not None and abs(bias["value"]) >= LEAN and bias["low"] * bias["high"] > 0:
            way = "lenient" if bias["value"] > 0 else "strict"
            yield Advice(f"{rater['rater']} is too {way} by {abs(bias['value']):.2f} grades on average.", "raters")
        if drift["high"] is not None and drift["high"] < 0:
            yield Advice(f"{rater['rater']} agrees less and less over time ({drift['value']:+.0%}).", "raters")


def _segments(report: Mapping[str, Any]) -> Iterator[Advice]:
    for segment in report["segments"][:2]:
        if segment["q"] is not None and segment["q"] <= 0.05 and segment["difference"] < 0:
            yield Advice(
                f"Agreement is lower by {-segment['difference']:.0%} for {segment['facet']} “{segment['value']}” "
                f"({segment['n']} pairs): rate more of these first.",
                "segments",
            )


def _ties(report: Mapping[str, Any]) -> Iterator[Advice]:
    if report["people"]["tied"]:
        yield Advice(
            f"{report['people']['tied']} pairs have no majority: decide them, the widest first.", "disagreements"
        )
