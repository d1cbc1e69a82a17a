"""A stronger judge looks at the flagged labels again; where it contradicts one, the product's category decides.

A judge that contradicts a label is not yet right. The query's categories are learned from the run itself: every pair
votes for its category path with the grade that label and engagement together expect of it. If the judge would raise a
pair and its path fits, or lower it and its path does not, the judge's grade is taken; otherwise people decide. Source:
DoorDash's audit of engagement against labels, where a category check breaks the tie.
"""

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.engagement.queue import Item, read_queue
from judge.decisions import Decision, Decisions, Verdict
from judge.engines import Serving
from judge.errors import RunError
from judge.files import now
from judge.guideline import Guideline
from judge.job import Labelling
from judge.pairs import Source
from judge.store import Run

FITS, STRANGE = 0.5, 0.2
"""Share of a query's category votes from which a path fits, and up to which it does not."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One pair's say on its query's categories."""

    candidate_id: str
    path: tuple[str, ...]
    """Category names, root first; empty where the product has none."""
    weight: float
    """In [0, 1]: the expected grade over the highest."""


def category_path(text: str) -> tuple[str, ...]:
    """`A > B > C` as its names, compared without case."""
    return tuple(name for part in re.split(r"[>|]|/(?!\d)", text) if (name := " ".join(part.lower().split())))


def category_fit(path: Sequence[str], votes: Sequence[Vote]) -> float | None:
    """Share of the votes that a path agrees with, in [0, 1]; a vote counts as far as the paths run together.

    Null where the product has no path, or nothing else of the query has.
    """
    known = [vote for vote in votes if vote.path and vote.weight > 0]
    total = sum(vote.weight for vote in known)
    if not path or not total:
        return None
    return sum(vote.weight * _shared(path, vote.path) / len(vote.path) for vote in known) / total


def decide_item(item: Item, given: int | None, votes: Sequence[Vote]) -> tuple[Verdict, int | None, str]:
    """(verdict, new grade, reason) of a flagged pair that a stronger judge graded `given`; null where it could not."""
    if given is None:
        return Verdict.UNSURE, None, "the judge gave no grade"
    if given == item.grade:
        return Verdict.KEEP, None, f"the judge gives {given} again"
    path = category_path(item.candidate.get("category", ""))
    fit = category_fit(path, [vote for vote in votes if vote.candidate_id != item.candidate_id])
    said = f"the judge gives {given} where the label has {item.grade}"
    if fit is None:
        return Verdict.UNSURE, None, f"{said}; no category to check it by"
    said += f"; the category fits {fit:.0%} of what the query's shoppers and graders chose"
    if (given > item.grade and fit >= FITS) or (given < item.grade and fit <= STRANGE):
        return Verdict.CHANGE, given, said
    return Verdict.UNSURE, None, f"{said}, which does not bear the judge out"


def adjudicate(
    run: Run, judge: str, engine: str, progress: Callable[[int], None] = lambda rows: None
) -> list[Decision]:
    """Re-judge the flagged pairs that nobody has settled; the decisions are appended to the run.

    Raises:
        RunError: The run has not been audited, or its pairs have no texts.
        ModelError: The judge cannot be found or loaded.
    """
    items = read_queue(run)
    if items and not any(item.candidate for item in items):
        raise RunError(f"{run.path}: its pairs have no texts to judge by", "import them with --catalogue")
    if not items:
        return []
    guideline = Guideline.model_validate(run.manifest.guideline)
    with tempfile.TemporaryDirectory(prefix="adjudicate-") as scratch:
        grades, name = _rejudge(items, guideline, (judge, engine), Path(scratch), progress)
    votes = read_votes(run)
    found = []
    for item in items:
        verdict, grade, reason = decide_item(item, grades.get(item.key), votes.get(item.query_id, []))
        found.append(
            Decision(
                query_id=item.query_id,
                candidate_id=item.candidate_id,
                verdict=verdict,
                grade=grade,
                label=item.grade,
                author=f"judge {name}",
                reason=reason,
                time=now(),
                source="judge",
            )
        )
    Decisions(run.path).append(found)
    return found


def read_votes(run: Run) -> dict[str, list[Vote]]:
    """What every audited pair says of its query's categories, by query."""
    path = run.path / "evidence.parquet"
    if not path.is_file():
        raise RunError(f"{run.path}: has no evidence", "run `judge audit RUN EVENTS --out DIR` first")
    target = str(path).replace("'", "''")
    values = run.manifest.values
    votes: dict[str, list[Vote]] = {}
    for query_id, candidate_id, candidate, posterior in run.query(f"""
            SELECT e.query_id, e.candidate_id, p.candidate, e.posterior
            FROM read_parquet('{target}') e JOIN pairs p USING (row)"""):
        expected = sum(p * (value - values[0]) for p, value in zip(posterior, values, strict=True))
        text = (candidate or {}).get("category") or ""
        vote = Vote(candidate_id, category_path(text), expected / (values[-1] - values[0]))
        votes.setdefault(query_id, []).append(vote)
    return votes


def _rejudge(
    items: Sequence[Item],
    guideline: Guideline,
    judge: tuple[str, str],
    scratch: Path,
    progress: Callable[[int], None],
) -> tuple[Mapping[tuple[str, str], int], str]:
    """The grades that another judge gives the items, by pair, and the judge's name."""
    pairs = scratch / "pairs.jsonl"
    with pairs.open("w", encoding="utf-8") as stream:
        for item in items:
            row: dict[str, Any] = dict(item.candidate)
            row |= {"query_id": item.query_id, "query": item.query, "candidate_id": item.candidate_id}
            stream.write(json.dumps(row) + "\n")
    work = Labelling(Source(pairs), guideline, judge[0], Serving(judge[1]))
    again = Run(scratch / "run")
    with again.writing():
        work.begin(again)
        work.go_on(again, progress)
    found = again.query("SELECT query_id, candidate_id, grade FROM labels WHERE grade IS NOT NULL")
    return {(query_id, candidate_id): grade for query_id, candidate_id, grade in found}, work.judge.model.name


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
