"""A stronger judge looks at the flagged labels again; where it contradicts one, the product's category decides.

A judge that contradicts a label is not yet right. The query's categories are learned from the run itself: every pair
votes for its category path with the grade that label and engagement together expect of it. If the judge would raise a
pair and its path fits, or lower it and its path does not, the judge's grade is taken; otherwise people decide. Source:
DoorDash's audit of engagement against labels, where a category check breaks the tie.
"""

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.engagement.queue import Item, read_queue
from judge.adapter import Manner, Wishes, find_manner
from judge.decisions import Decision, Decisions, Verdict
from judge.engines import Serving
from judge.errors import InputError, RunError
from judge.files import now
from judge.guideline import Guideline
from judge.job import Labelling
from judge.pairs import Source
from judge.sql import quoted
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


@dataclass(frozen=True)
class Second:
    """The judge that looks again, asked as `judge label` would ask it."""

    guideline: Guideline
    manner: Manner
    serving: Serving


def second_manner(run: Run, judge: str, *, chat: bool = False) -> tuple[Guideline, Manner]:
    """By which guideline, and how, a judge is asked about a run: a taught one as it was taught, else by the run's.

    `chat` says that it is a name at a chat endpoint.

    Raises:
        InputError: The judge was taught another policy than the run's: their grades do not mean the same.
        ModelError: Its `judge.json`, or the adapter beside it, cannot be used.
    """
    own = Guideline.model_validate(run.manifest.guideline)
    taught, manner = find_manner(Wishes(judge, chat=chat))
    if manner.tuned is None:
        return own, manner
    if _policy(taught) != _policy(own):
        raise InputError(
            f"--with {judge}: was taught the guideline {taught.name} {taught.version}, and {run.path} was labelled by "
            f"{own.name} {own.version}",
            "name a judge that was taught the run's guideline, or one that was not taught",
        )
    return taught, manner


def _policy(guideline: Guideline) -> dict[str, Any]:
    """What grades mean; which fields are read, and how much of them, is no part of it."""
    return guideline.model_dump(mode="json", exclude={"fields", "query_tokens", "candidate_tokens"})


def adjudicate(run: Run, second: Second, progress: Callable[[int], None] = lambda rows: None) -> list[Decision]:
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
    with tempfile.TemporaryDirectory(prefix="adjudicate-") as scratch:
        grades, name = _rejudge(run, {item.key for item in items}, second, Path(scratch), progress)
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
    # What people settled while the judge was at work stands: the last decision of a pair counts.
    settled = Decisions(run.path).settled()
    found = [decision for decision in found if (decision.query_id, decision.candidate_id) not in settled]
    Decisions(run.path).append(found)
    return found


def read_votes(run: Run) -> dict[str, list[Vote]]:
    """What every audited pair says of its query's categories, by query."""
    path = run.path / "evidence.parquet"
    if not path.is_file():
        raise RunError(f"{run.path}: has no evidence", "run `judge audit RUN EVENTS --out DIR` first")
    values = run.manifest.values
    votes: dict[str, list[Vote]] = {}
    for query_id, candidate_id, candidate, posterior in run.query(f"""
            SELECT e.query_id, e.candidate_id, p.candidate, e.posterior
            FROM read_parquet({quoted(path)}) e JOIN pairs p USING (row)"""):
        expected = sum(p * (value - values[0]) for p, value in zip(posterior, values, strict=True))
        text = (candidate or {}).get("category") or ""
        vote = Vote(candidate_id, category_path(text), expected / (values[-1] - values[0]))
        votes.setdefault(query_id, []).append(vote)
    return votes


def _rejudge(
    run: Run, wanted: Set[tuple[str, str]], second: Second, scratch: Path, progress: Callable[[int], None]
) -> tuple[Mapping[tuple[str, str], int], str]:
    """The grades that the second judge gives some pairs, by pair, and its name."""
    flags = quoted(run.path / "flags.parquet")
    pairs = scratch / "pairs.jsonl"
    with pairs.open("w", encoding="utf-8") as stream:
        for query_id, query, candidate_id, locale, candidate in run.query(f"""
                SELECT query_id, query, candidate_id, locale, candidate FROM pairs
                WHERE row IN (SELECT row FROM read_parquet({flags})) ORDER BY row"""):
            if (query_id, candidate_id) in wanted:
                row: dict[str, Any] = {name: text for name, text in candidate.items() if text is not None}
                row |= {"query_id": query_id, "query": query, "candidate_id": candidate_id, "locale": locale}
                stream.write(json.dumps(row) + "\n")
    manner = second.manner
    work = Labelling(Source(pairs), second.guideline, manner.model, second.serving, manner)
    again = Run(scratch / "run")
    with again.writing():
        work.begin(again)
        work.go_on(again, progress)
    found = again.query("SELECT query_id, candidate_id, grade FROM labels WHERE grade IS NOT NULL")
    name = manner.adapter.name if manner.adapter else work.judge.model.name
    return {(query_id, candidate_id): grade for query_id, candidate_id, grade in found}, name


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
