"""Another judge looks at the flagged labels again. What it says is an opinion, which people see where they decide.

A judge that repeats a label against the evidence does not make it right, nor is one right that contradicts it; and the
judge that made the run has no second opinion to give. To help people decide, an opinion says how far the product's
category fits the query's. These are learned from the run itself: every pair votes for its category path with the grade
that label and engagement together expect of it. Source: DoorDash's audit of engagement against labels, which checks
the category where judge and label differ.
"""

import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audit.review.queue import Item, read_queue
from judge.engines import Serving
from judge.errors import InputError, ModelError, RunError
from judge.files import now
from judge.labelling.config import FILE, AdapterManifest, JudgeConfig, JudgeRequest, read_tuned, resolve_judge
from judge.labelling.job import Labelling
from judge.models.model import find_model
from judge.pairs.stage import Source
from judge.run.decisions import Decision, Decisions, Verdict
from judge.run.flags import Flags, read_evidence
from judge.run.store import Run
from judge.words.guideline import Guideline


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """One pair's say on its query's categories."""

    candidate_id: str
    path: tuple[str, ...]
    """Category names, root first; empty where the product has none."""
    weight: float
    """In [0, 1]: the expected grade over the highest."""


def category_path(text: str) -> tuple[str, ...]:
    """`A > B > C` as its names, compared without case."""
    return tuple(name for part in re.split(r"[>|]|/(?!\d)", text) if (name := " ".join(part.lower().split())))


def category_fit(path: Sequence[str], votes: Sequence[SecondOpinion]) -> float | None:
    """Share of the votes that a path agrees with, in [0, 1]; a vote counts as far as the paths run together.

    Null where the product has no path, or nothing else of the query has.
    """
    known = [vote for vote in votes if vote.path and vote.weight > 0]
    total = sum(vote.weight for vote in known)
    if not path or not total:
        return None
    return sum(vote.weight * _shared(path, vote.path) / len(vote.path) for vote in known) / total


def reason(item: Item, given: int | None, votes: Sequence[SecondOpinion], why: str | None = None) -> str:
    """What a judge says of a flagged pair that it graded `given`, null where it could not (`why` says it), and what
    bears on it."""
    if given is None:
        return f"gave no grade: {why}" if why else "gave no grade"
    if given == item.grade:
        return f"gives {given} again"
    path = category_path(item.candidate.get("category", ""))
    fit = category_fit(path, [vote for vote in votes if vote.candidate_id != item.candidate_id])
    said = f"gives {given} where the label has {item.grade}"
    if fit is None:
        return f"{said}; no category to check it by"
    return f"{said}; the category fits {fit:.0%} of what the query's shoppers and graders chose"


@dataclass(frozen=True)
class Second:
    """The judge that looks again, asked as `judge label` would ask it."""

    guideline: Guideline
    judge_config: JudgeConfig
    serving: Serving


def second_judge(run: Run, judge: str, *, chat: bool = False) -> tuple[Guideline, JudgeConfig]:
    """Guideline and configuration of a judge that is asked about a run: a fine-tuned judge's own, else the run's.

    `chat` says that it is a name at a chat endpoint.

    Raises:
        InputError: The judge was fine-tuned on another policy than the run's: their grades do not mean the same.
        ModelError: Its `judge.json`, or the adapter next to it, cannot be used.
    """
    own = Guideline.model_validate(run.manifest.guideline)
    tuned, judge_config = resolve_judge(JudgeRequest(judge, chat=chat))
    if judge_config.tuned is None:
        return own, judge_config
    if tuned.policy != own.policy:
        raise InputError(
            f"--with {judge}: was fine-tuned on the guideline {tuned.name} {tuned.version}, and "
            f"{run.path} was labelled by {own.name} {own.version}",
            "name a judge that was fine-tuned on the run's guideline, or a base model",
        )
    return tuned, judge_config


def check_independent(run: Run, parts: Mapping[str, str | None], judge_config: JudgeConfig) -> None:
    """Refuse the judge that made the run: it can only repeat itself, whatever guideline or template it is asked by.
    Of an ensemble, no member is independent.

    Args:
        run: The run, whose judge is known by its fingerprint. People's grades have none.
        parts: What the judge that is asked adds to a fingerprint.
        judge_config: How it is asked.

    Raises:
        InputError: Both are the same base weights and the same adapter, merged or not.
    """
    for own in (run.manifest.parts, *run.manifest.members):
        _check_other(run, own, parts, judge_config)


def _check_other(
    run: Run, own: Mapping[str, str | None], parts: Mapping[str, str | None], judge_config: JudgeConfig
) -> None:
    # Two names at endpoints that read the same base's tokens can be two adapters of it; one name alone says nothing.
    served = own.get("served"), parts.get("served")
    if None not in served and served[0] != served[1]:
        return
    asked = _origins(parts, judge_config.tuned)
    if _origins(own, None) & asked or _origins(own, _own_tuned(own)) & asked:
        name = judge_config.adapter or judge_config.model
        raise InputError(
            f"--with {name}: is the judge that labelled {run.path} and would only repeat itself",
            "name another judge: a larger model, or one fine-tuned on other ratings",
        )


def _origins(parts: Mapping[str, str | None], tuned: AdapterManifest | None) -> set[tuple[str, str | None]]:
    """What a judge is made of: the weights and the adapter that are loaded, and those that were merged into one."""
    weights = parts.get("weights")
    found = {(weights, parts.get("adapter") or parts.get("declared_adapter"))} if weights else set()
    return found | ({(tuned.base.weights, tuned.merged)} if tuned and tuned.merged else set())


def _own_tuned(parts: Mapping[str, str | None]) -> AdapterManifest | None:
    """What the judge of a run says of itself, where it is a fine-tuned judge's directory that is still the same."""
    directory = Path(parts.get("judge") or "")
    try:
        if not (directory / FILE).is_file() or find_model(str(directory)).weights != parts.get("weights"):
            return None
        return read_tuned(directory)
    except (ModelError, OSError):
        return None


def adjudicate(run: Run, second: Second, progress: Callable[[int], None] = lambda rows: None) -> list[Item]:
    """Re-judge the flagged pairs that nobody has settled; the judge's opinions are appended to the run's decisions.

    Returns:
        Those pairs, each with the opinion. None of them is settled by it.

    Raises:
        RunError: The run has not been audited, or its pairs have no texts.
        InputError: The judge is the one that made the run.
        ModelError: The judge cannot be found or loaded.
    """
    judge_config = second.judge_config
    with tempfile.TemporaryDirectory(prefix="adjudicate-") as folder:
        scratch = Path(folder)
        source = Source(scratch / "pairs.jsonl")
        work = Labelling(source, second.guideline, judge_config.model, second.serving, judge_config)
        check_independent(run, work.judge.parts, judge_config)
        items = read_queue(run)
        if items and not any(item.candidate for item in items):
            raise RunError(f"{run.path}: its pairs have no texts to judge by", "import them with --catalogue")
        if not items:
            return []
        grades = _rejudge(run, {item.key for item in items}, work, Run(scratch / "run"), progress)
    name = judge_config.adapter.name if judge_config.adapter else work.judge.model.name
    votes = read_votes(run)
    found = []
    for item in items:
        given, why = grades.get(item.key, (None, None))
        opinion = Decision(
            query_id=item.query_id,
            candidate_id=item.candidate_id,
            verdict=Verdict.OPINION,
            grade=given,
            label=item.grade,
            author=f"judge {name}",
            reason=reason(item, given, votes.get(item.query_id, []), why),
            time=now(),
            source="judge",
        )
        found.append(replace(item, opinion=opinion))
    decisions = Decisions(run.path)
    decisions.append(decisions.unknown([item.opinion for item in found if item.opinion]))
    return found


def read_votes(run: Run) -> dict[str, list[SecondOpinion]]:
    """What every audited pair says of its query's categories, by query."""
    evidence, values = read_evidence(run.path), run.manifest.values
    votes: dict[str, list[SecondOpinion]] = {}
    sql = "SELECT e.query_id, e.candidate_id, p.candidate, e.posterior FROM evidence e JOIN pairs p USING (row)"
    for query_id, candidate_id, candidate, posterior in run.query(sql, evidence=evidence):
        expected = sum(p * (value - values[0]) for p, value in zip(posterior, values, strict=True))
        text = (candidate or {}).get("category") or ""
        vote = SecondOpinion(candidate_id, category_path(text), expected / (values[-1] - values[0]))
        votes.setdefault(query_id, []).append(vote)
    return votes


def _rejudge(
    run: Run, wanted: Set[tuple[str, str]], work: Labelling, again: Run, progress: Callable[[int], None]
) -> Mapping[tuple[str, str], tuple[int | None, str | None]]:
    """The grade that the second judge gives each of some pairs, or why it gives none; `again` is the run that it labels
    them in."""
    import pyarrow as pa

    rows = {flag.row for flag in Flags(run.path).read() if flag.pair in wanted}
    flagged = pa.table({"row": pa.array(sorted(rows), pa.int64())})
    with work.source.pairs.open("w", encoding="utf-8") as stream:
        sql = "SELECT query_id, query, candidate_id, locale, candidate FROM pairs SEMI JOIN flagged USING (row)"
        for query_id, query, candidate_id, locale, candidate in run.query(f"{sql} ORDER BY row", flagged=flagged):
            row: dict[str, Any] = {name: text for name, text in candidate.items() if text is not None}
            row |= {"query_id": query_id, "query": query, "candidate_id": candidate_id, "locale": locale}
            stream.write(json.dumps(row) + "\n")
    with again.writing():
        work.begin(again)
        work.go_on(again, progress)
    found = again.query("SELECT query_id, candidate_id, grade, reason FROM labels")
    return {(query_id, candidate_id): (grade, why) for query_id, candidate_id, grade, why in found}


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length
