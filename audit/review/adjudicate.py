"""Another judge looks at the flagged labels again, and its answer is weighed with the evidence against them.

A judge that repeats a label against the evidence does not make it right, nor is one right that contradicts it; and the
judge that made the run has no second opinion to give. Its answer counts as far as it agreed with people so far, next to
label and engagement, and next to how far the product's category fits the query's. Where one grade is sure, the label is
decided; elsewhere the answer is an opinion, which people see where they decide. Source of the three steps: DoorDash's
audit of engagement against labels, which has a stronger judge look again and checks the category where both differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audit.review.categories import category_fit, compared_path, read_votes
from audit.review.learning import read_corrected
from audit.review.queue import Item
from audit.review.rejudge import Answer, Watch, folder_of, forget, rejudge, unwatched
from audit.review.second import Second, check_independent
from audit.review.trust import RatedPairs, reliability
from audit.review.weighing import (
    Reliability,
    category_likelihood,
    combine,
    corrected_evidence,
    judge_likelihood,
)
from judge.errors import RunError
from judge.files import now
from judge.labelling.job import Labelling
from judge.pairs.stage import Source
from judge.run.decisions import Decision, Decisions, Verdict
from judge.run.flags import Flags, read_evidence
from judge.run.store import Run

SURE = 0.95
"""The chance of one grade from which on a label is decided."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an adjudication made of a flagged pair."""

    item: Item
    """With what the judge itself said as its opinion."""
    decision: Decision
    evidence: tuple[float, ...]
    """The chance of each grade by label and engagement, corrected by people's decisions."""
    fit: float | None
    """How far the category fits, in [0, 1]; null where nothing is known."""

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        item, decision = self.item, self.decision
        names = {"query_id": item.query_id, "query": item.query, "candidate_id": item.candidate_id, "label": item.grade}
        weighed = {"evidence": self.evidence, "judge": item.opinion and item.opinion.grade, "category_fit": self.fit}
        chances = {str(grade): chance for grade, chance in (decision.posterior or {}).items()} or None
        decided = {"verdict": decision.verdict, "grade": decision.given if decision.settles else None}
        return {**names, **decided, **weighed, "posterior": chances, "stance": item.stance, "reason": decision.reason}


@dataclass(frozen=True)
class Adjudicated:
    """What an adjudication came to."""

    outcomes: Sequence[Outcome]
    reliability: Reliability | None
    """Of the judge; null where nothing was asked."""


def adjudicate(
    run: Run, second: Second, *, sure: float = SURE, rated: RatedPairs | None = None, watch: Watch = unwatched
) -> Adjudicated:
    """Re-judge the flagged pairs that nobody has settled, and decide those of which one grade is sure.

    Decisions and opinions are appended to the run's decisions. Pairs that people decided on, or are unsure of, get an
    opinion alone.

    Args:
        run: The run.
        second: The judge.
        sure: The chance of one grade, in (0.5, 1], from which on it is decided.
        rated: Pairs that people rated, which the judge is asked about too, to measure how reliable it is.
        watch: Told how far the judge is.

    Raises:
        RunError: The run has not been audited, or its pairs have no texts.
        InputError: The judge is the one that made the run.
        ModelError: The judge cannot be found or loaded.
    """
    judge_config = second.judge_config
    work = Labelling(Source(run.path), second.guideline, judge_config.model, second.serving, judge_config)
    check_independent(run, work.judge.parts, judge_config)
    items, _ = read_corrected(run)
    if items and not any(item.candidate for item in items):
        raise RunError(f"{run.path}: its pairs have no texts to judge by", "import them with --catalogue")
    if not items:
        return Adjudicated([], None)
    open_pairs = {item.key for item in items}
    rows = {flag.row for flag in Flags(run.path).read() if flag.pair in open_pairs}
    answers = rejudge(run, rows | (rated.rows if rated else set()), work, watch)
    author = f"judge {judge_config.adapter.name if judge_config.adapter else work.judge.model.name}"
    trust = reliability(run, author, answers, rated)
    outcomes = _weigh(run, items, answers, Terms(author, sure, trust))
    decisions = Decisions(run.path)
    decisions.append(decisions.unknown([outcome.decision for outcome in outcomes]))
    forget(folder_of(run, work))
    return Adjudicated(outcomes, trust)


@dataclass(frozen=True)
class Terms:
    """Who decides, from which chance on, and how reliable it is."""

    author: str
    sure: float
    trust: Reliability


def _weigh(run: Run, items: Sequence[Item], answers: Mapping[tuple[str, str], Answer], terms: Terms) -> list[Outcome]:
    values, votes = list(run.manifest.values), read_votes(run)
    table = read_evidence(run.path).select(["query_id", "candidate_id", "posterior"]).to_pylist()
    posteriors = {(row["query_id"], row["candidate_id"]): row["posterior"] for row in table}
    people = {pair for pair, decision in Decisions(run.path).latest().items() if decision.by_people}
    found = []
    for item in items:
        answer = answers.get(item.key, Answer(None))
        others = [vote for vote in votes.get(item.query_id, []) if vote.candidate_id != item.candidate_id]
        fit = category_fit(compared_path(item.candidate.get("category", "")), others)
        evidence = corrected_evidence(posteriors[item.key], values.index(item.grade), item.p_wrong)
        chances = None
        if answer.grade is not None:
            said = judge_likelihood(terms.trust.confusion, values.index(answer.grade), answer.probabilities)
            found_chances = combine(evidence, said, category_likelihood(fit, len(values)))
            chances = dict(zip(values, found_chances.tolist(), strict=True))
        opinion = Decision(
            query_id=item.query_id,
            candidate_id=item.candidate_id,
            verdict=Verdict.OPINION,
            grade=answer.grade,
            label=item.grade,
            author=terms.author,
            reason=_reason(item, answer, fit, chances),
            time=now(),
            source="judge",
            posterior=chances,
        )
        decision = opinion if item.key in people else _decided(opinion, terms.sure)
        found.append(Outcome(replace(item, opinion=opinion), decision, tuple(evidence.tolist()), fit))
    return found


def _decided(opinion: Decision, sure: float) -> Decision:
    """An opinion as a decision, where one grade is sure enough."""
    best = opinion.likeliest
    if opinion.posterior is None or best is None or opinion.posterior[best] < sure:
        return opinion
    kept = best == opinion.label
    verdict, grade = (Verdict.KEEP, None) if kept else (Verdict.CHANGE, best)
    return opinion.model_copy(update={"verdict": verdict, "grade": grade, "judged": opinion.grade})


def _reason(item: Item, answer: Answer, fit: float | None, chances: Mapping[int, float] | None) -> str:
    """What a judge says of a flagged pair, what bears on it, and what follows from all of it."""
    if answer.grade is None or chances is None:
        return f"gave no grade: {answer.reason}" if answer.reason else "gave no grade"
    again = answer.grade == item.grade
    said = f"gives {answer.grade} again" if again else f"gives {answer.grade} where the label has {item.grade}"
    known = (
        "no category to check it by" if fit is None else f"the category fits {fit:.0%} of what the query's pairs have"
    )
    most = max(chances, key=chances.__getitem__)
    return f"{said}; {known}; with label and engagement, {most} has a chance of {chances[most]:.0%}"
