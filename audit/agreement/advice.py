"""What to do next, in sentences: the few findings of a report that call for somebody to act."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from judge.statistics.agreement import headline

LEAN = 0.05
"""Bias, in steps of the scale, below which nobody needs to be told."""
CHANCE = 0.05
"""The false discovery rate among raters, and among segments."""

LEAST_PAIRS = 5
"""Pairs below which a clause is not reported."""
FAULTS = {
    "guideline": "People disagree: reword the clause, or give it an example.",
    "judge": "People agree, so the clause is clear: keep it, and fine-tune the judge on such pairs.",
    "unknown": "Have two people rate such pairs, to find out whether the clause or the judge is at fault.",
}
"""What to do about a clause, by whose fault the disagreements are."""


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
                f"{-gap['low']:.2f}): calibrate or fine-tune it before its labels replace theirs.",
                "who",
            )
        elif gap["low"] > 0:
            yield Advice(
                f"The judge agrees with people more than they do with each other (by {gap['value']:.2f}): "
                "the raters and the guideline now limit the figure.",
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
    known = [c for c in report["clauses"] if c["agreement"]["value"] is not None and c["n"] >= LEAST_PAIRS]
    worst = [c for c in known if c["agreement"]["value"] < 1]
    for fault, fix in FAULTS.items():
        first = next((c for c in worst if _fault(c, report["run"]) == fault), None)
        if first:
            yield Advice(f"“{first['clause']}”: {_shares(first, report['run'])}. {fix}", "clauses")
    if report["confused"] and report["confused"][0]["grades_differ"]:
        first = report["confused"][0]
        times = f"{first['grades_differ']} times of {first['n']}"
        yield Advice(
            f"Raters confuse “{first['first']}” with “{first['second']}”, and it changes the grade {times}: "
            "say which one wins.",
            "clauses",
        )
    over = sum(clause["over"] for clause in report["clauses"])
    if over:
        yield Advice(f"{over} ratings give more than the clause they name allows: rate them again.", "clauses")


def _shares(clause: Mapping[str, Any], run: str | None) -> str:
    people = clause["people"]["value"]
    who = "the judge agrees with them on" if run else "agreement on"
    among = f", people with each other on {people:.0%}" if run and people is not None else ""
    return f"{who} {clause['agreement']['value']:.0%} of {clause['n']} pairs{among}"


def _fault(clause: Mapping[str, Any], run: str | None) -> str:
    """Whose fault a clause's disagreements are. Where people disagree half as often as the judge does with them, or
    more, the clause leaves open what to give; otherwise they can tell, and the judge cannot."""
    if not run:
        return "guideline"
    people = clause["people"]["value"]
    if people is None:
        return "unknown"
    return "guideline" if 1 - people >= (1 - clause["agreement"]["value"]) / 2 else "judge"


def _raters(report: Mapping[str, Any]) -> Iterator[Advice]:
    for rater in report["raters"]:
        lowest, *_, highest = grades = report["grades"]
        step = (highest - lowest) / (len(grades) - 1)
        bias, drift = rater["bias"], rater["drift"]
        if _beyond_chance(bias, rater["bias_q"]) and abs(bias["value"]) >= LEAN * step:
            way = "lenient" if bias["value"] > 0 else "strict"
            much = f"{abs(bias['value']):.2f} " + ("grades" if step == 1 else f"on a scale of {lowest} to {highest},")
            yield Advice(f"{rater['rater']} is too {way} by {much} on average.", "raters")
        if _beyond_chance(drift, rater["drift_q"]) and drift["high"] < 0:
            yield Advice(f"{rater['rater']} agrees less and less over time ({drift['value']:+.0%}).", "raters")


def _beyond_chance(figure: Mapping[str, Any], q: float | None) -> bool:
    """Whether its interval excludes 0, and it stands out among all raters: of many, some do the first by chance."""
    return figure["low"] is not None and figure["low"] * figure["high"] > 0 and q is not None and q <= CHANCE


def _segments(report: Mapping[str, Any]) -> Iterator[Advice]:
    for segment in report["segments"][:2]:
        if segment["q"] is not None and segment["q"] <= CHANCE and segment["difference"] < 0:
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
