"""Decisions: what was decided of a flagged label, by whom and why. Appended, never edited.

A line of `RUN/decisions.jsonl` is one decision. It is on disk before the call returns, so that neither a tab that
closes nor a machine that stops loses it; a line that a crash cut short is passed over, and the next one starts anew.
The last decision of a pair counts, people's before a judge's. Labels are never changed: the export applies decisions. A
judge's opinion stands among them, and settles nothing: people see it where they decide.
"""

import json
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from pydantic import model_validator

from judge.documents import Kind, parse
from judge.errors import RunError
from judge.files import append_lines
from judge.records import Record

DECISIONS = Kind("fix or remove the line", RunError)
REFRESH = "refresh"
"""The source of a decision that reopens a pair whose texts have changed."""


class Verdict(StrEnum):
    """How a decision ended."""

    KEEP = "keep"
    """The label stands."""
    CHANGE = "change"
    """The pair gets another grade."""
    UNSURE = "unsure"
    """Whoever looked could not tell: the label stands, and the pair stays in the queue."""
    OPINION = "opinion"
    """What a judge that looked again would give: the label stands, and the pair stays in the queue."""


class Decision(Record):
    """What was decided of one pair's label."""

    query_id: str
    candidate_id: str
    verdict: Verdict
    grade: int | None = None
    """The new grade of a `change`; of an `opinion`, the judge's grade, null where it gave none. Null otherwise."""
    label: int | None = None
    """The grade that the label had when this was decided."""
    author: str
    reason: str
    """Why, in words; may be empty."""
    time: str
    """ISO 8601, UTC."""
    source: str
    """How it came: `review`, `file`, `judge` or `refresh`."""
    judged: int | None = None
    """Where a judge decided, the grade that it gave itself: more than that was weighed."""
    posterior: dict[int, float] | None = None
    """The chance of each grade by all that was weighed with a judge's answer; null where nothing was."""

    @property
    def pair(self) -> tuple[str, str]:
        """(query_id, candidate_id)."""
        return self.query_id, self.candidate_id

    @property
    def whose(self) -> tuple[str, str, str]:
        """The pair, and who decided on it."""
        return self.query_id, self.candidate_id, self.author

    @property
    def by_people(self) -> bool:
        """Whether somebody decided: neither a judge, nor `judge refresh`, which reopens what was decided."""
        return self.source not in ("judge", REFRESH)

    @property
    def is_opinion(self) -> bool:
        """Whether it settles nothing, whatever came before: an opinion, or a judge's mere word that the label is right.

        Earlier versions took the latter for a decision; often it was the judge's that had made the label. Where a judge
        keeps a label now, its answer was weighed with the evidence.
        """
        mere = self.verdict is Verdict.KEEP and self.source == "judge" and self.posterior is None
        return self.verdict is Verdict.OPINION or mere

    @property
    def settles(self) -> bool:
        """Whether nobody needs to look at the pair again while this is the decision that counts."""
        return not self.is_opinion and self.verdict is not Verdict.UNSURE

    @property
    def given(self) -> int | None:
        """The grade that its author gives the pair; null where they gave none."""
        return self.label if self.verdict is Verdict.KEEP else self.grade

    @property
    def said_grade(self) -> int | None:
        """What its author said of the pair: of a judge that decided, its own grade; see `judged`."""
        return self.given if self.judged is None else self.judged

    @property
    def likeliest(self) -> int | None:
        """The likeliest grade by all that was weighed; null where nothing was."""
        return max(self.posterior, key=self.posterior.__getitem__) if self.posterior else None

    @property
    def said(self) -> tuple[object, ...]:
        """What was decided, and whether a judge did; not when, nor by which way it came."""
        return self.verdict, self.grade, self.label, self.reason, self.source == "judge"

    @model_validator(mode="after")
    def _grade_follows_verdict(self) -> "Decision":
        if self.verdict is not Verdict.OPINION and (self.grade is not None) != (self.verdict is Verdict.CHANGE):
            raise ValueError(f"a decision to {self.verdict} has grade {self.grade}")
        return self


def counting(decisions: Iterable[Decision]) -> dict[tuple[str, str], Decision]:
    """The decision that counts, by (query_id, candidate_id): the last one that is no opinion. A judge overrules nobody:
    its decision counts only where people made none, not even that they are unsure.

    Judges of earlier versions, which weighed nothing, did decide where people were unsure: those decisions stand.
    """
    found: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        before = found.get(decision.pair)
        by_people = before is not None and before.by_people
        weighed = decision.posterior is not None or (before is not None and before.settles)
        overruling = decision.source == "judge" and by_people and weighed
        if not (decision.is_opinion or overruling):
            found[decision.pair] = decision
    return found


def settling(counted: Mapping[tuple[str, str], Decision]) -> dict[tuple[str, str], Decision]:
    """Those of the decisions that count which settle their pair."""
    return {pair: decision for pair, decision in counted.items() if decision.settles}


def outcomes(counted: Mapping[tuple[str, str], Decision]) -> dict[tuple[str, str], bool]:
    """Of each pair that people looked at, whether they changed its label; unsure is no change."""
    return {
        pair: decision.verdict is Verdict.CHANGE and decision.grade != decision.label
        for pair, decision in counted.items()
        if decision.by_people
    }


class Decisions:
    """The decisions of a run.

    Args:
        run: The run's directory.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / "decisions.jsonl"

    def unknown(self, decisions: list[Decision]) -> list[Decision]:
        """Those of `decisions` that say something new: another thing than their author's last word on the pair
        since it was last reopened.

        Nor does an earlier word of theirs that is here with its time: it was taken back since.
        """
        last: dict[tuple[str, str], dict[str, Decision]] = {}
        there = set()

        def heard(decision: Decision) -> None:
            if decision.source == REFRESH:
                last.pop(decision.pair, None)
            last.setdefault(decision.pair, {})[decision.author] = decision

        for decision in self:
            heard(decision)
            there.add((decision.whose, decision.said, decision.time))
        found = []
        for decision in decisions:
            before = last.get(decision.pair, {}).get(decision.author)
            earlier = (decision.whose, decision.said, decision.time) in there
            taken_back = earlier and (before is None or decision.time <= before.time)  # times are whole seconds
            if not (taken_back or (before and before.said == decision.said)):
                heard(decision)
                found.append(decision)
        return found

    def append(self, decisions: list[Decision]) -> None:
        """Add decisions; they are on disk when this returns.

        Raises:
            RunError: The file cannot be written.
        """
        lines = "".join(decision.model_dump_json() + "\n" for decision in decisions)
        try:
            append_lines(self.path, lines, self.path.with_name(".decisions.lock"))
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written ({error.strerror})", "make room, or fix its permissions"
            ) from None

    def __iter__(self) -> Iterator[Decision]:
        """All whole decisions in the order in which they came."""
        return self.parsed(self.read() or b"")

    def read(self) -> bytes | None:
        """The file as it stands now; null where there is none."""
        return self.path.read_bytes() if self.path.is_file() else None

    def parsed(self, raw: bytes) -> Iterator[Decision]:
        """All whole decisions of what was read.

        Raises:
            RunError: A line is neither a decision nor the beginning of one, which a crash leaves behind.
        """
        for number, line in enumerate(raw.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                yield parse(line, Decision, DECISIONS, f"{self.path}, line {number}")
            except RunError:
                if not _is_cut_short(line):
                    raise

    def latest(self) -> dict[tuple[str, str], Decision]:
        """The decision that counts, by (query_id, candidate_id)."""
        return counting(self)

    def opinions(self) -> dict[tuple[str, str], Decision]:
        """The last opinion of a judge on each pair that has one, by (query_id, candidate_id)."""
        return {decision.pair: decision for decision in self if decision.is_opinion}

    def settled(self) -> dict[tuple[str, str], Decision]:
        """Those of `latest` that settle their pair."""
        return settling(self.latest())


def _is_cut_short(line: bytes) -> bool:
    """Whether a line is the beginning of a JSON object, and not all of it: what is wrong with it is its end."""
    try:
        # A character that is cut is left out; bytes that are no text raise.
        text = getincrementaldecoder("utf-8")().decode(line)
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        inside = error.msg.startswith("Unterminated string") or (error.msg.startswith("Invalid \\u") and len(rest) < 6)
        return text.startswith("{") and (inside or any(word.startswith(rest) for word in ("true", "false", "null")))
    except (ValueError, RecursionError):  # no text, a number too long, nested too deep
        pass
    return False
