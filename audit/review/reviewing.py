"""The review queue as one person goes through it: what to decide next, and what was decided."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from audit.review.learning import read_query
from audit.review.queue import Item, Stance, read_queue
from audit.review.sheet import parse_decision
from judge.errors import InputError
from judge.files import now
from judge.places import check_writable
from judge.run.decisions import Decision, Decisions, settling
from judge.run.flag_types import flag_types
from judge.run.store import Run


class Review:
    """The queue of a run as one person goes through it.

    Args:
        run: A run that has been audited.
        author: Who decides.

    Raises:
        InputError: The run cannot be written.
        RunError: It has not been audited.
    """

    def __init__(self, run: Run, author: str) -> None:
        check_writable(run.path, fix="the run keeps what is decided: fix its permissions, or review a copy of it")
        self.author = author
        self.guideline = run.manifest.policy
        self.items = read_queue(run, everything=True)
        self.report = run.path / "audit.html"
        self._run = run
        self._places = {item.key: index for index, item in enumerate(self.items)}
        self._whole: set[str] = set()
        self._decisions = Decisions(run.path)
        self._lock = Lock()

    def find(self, query_id: str, candidate_id: str) -> int:
        """The place of a pair. Of one that is not flagged, as in a query whose labels are doubted together, all pairs
        of its query are added, to be decided on one after the other.

        Raises:
            InputError: No graded pair of the run has these ids.
            RunError: The run's evidence cannot be read.
        """
        with self._lock:
            if (query_id, candidate_id) not in self._places:
                for item in read_query(self._run, query_id):
                    if item.key not in self._places:
                        self._places[item.key] = len(self.items)
                        self.items.append(item)
                self._whole.add(query_id)
        if (query_id, candidate_id) not in self._places:
            raise InputError("the audit has no such pair", "load the report again")
        return self._places[query_id, candidate_id]

    def state(self, wanted: int | None = None) -> dict[str, Any]:
        """The item at a place of the queue, or the first that nobody has settled; `item` is null when all are."""
        latest = self._decisions.latest()
        settled = settling(latest)
        left = [i for i, item in enumerate(self.items) if item.key not in settled]
        fresh = [i for i in left if self.items[i].key not in latest]
        place = wanted if wanted is not None and 0 <= wanted < len(self.items) else next(iter(fresh or left), None)
        item = None if place is None else self._shown(place, latest.get(self.items[place].key))
        return {"total": len(self.items), "settled": len(self.items) - len(left), "place": place, "item": item}

    def decide(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Append one decision, and return the state of what to decide next: the query's next pair where the query is
        decided on as a whole. Where somebody else decided on the pair since it was shown (`decisions` of the body says
        how often it was decided on then), nothing is appended: the state is that of the pair, and `overtaken` says why.

        Raises:
            InputError: The body names no pair of the queue, or no decision.
        """
        key = str(body.get("query_id")), str(body.get("candidate_id"))
        if key not in self._places:
            raise InputError("the pair is not in the queue", "load the page again")
        item = self.items[self._places[key]]
        verdict, grade = parse_decision(str(body.get("decision", "")), self.guideline.values, "the page", item.grade)
        decision = Decision(
            query_id=item.query_id,
            candidate_id=item.candidate_id,
            verdict=verdict,
            grade=grade,
            label=item.grade,
            author=self.author,
            reason=str(body.get("reason", ""))[:10_000],
            time=now(),
            source="review",
        )
        with self._lock:
            there, seen = self._of(key), body.get("decisions")
            if isinstance(seen, int) and seen < len(there):
                told = f"{there[-1].author} decided on this pair meanwhile: decide again if it should be otherwise"
                return {**self.state(self._places[key]), "overtaken": told}
            self._decisions.append([decision])
        latest = self._decisions.latest()
        left = (at for at, each in enumerate(self.items) if each.query_id == key[0] and each.key not in latest)
        return self.state(next(left, None) if key[0] in self._whole else None)

    def _of(self, pair: tuple[str, str]) -> list[Decision]:
        return [decision for decision in self._decisions if decision.pair == pair]

    def _shown(self, place: int, decision: Decision | None) -> dict[str, Any]:
        item: Item = self.items[place]
        return {
            "query_id": item.query_id,
            "candidate_id": item.candidate_id,
            "query": item.query,
            "candidate": dict(item.candidate),
            "grade": item.grade,
            "likeliest": item.suggested_grade,
            "suggested": item.suggestion,
            "seconded": item.stance is Stance.SUGGESTED_CHANGE,
            "types": [
                {"name": kind.words, "meaning": kind.meaning} for kind in (flag_types()[name] for name in item.types)
            ],
            "p_wrong": item.p_wrong,
            "probabilities": item.probabilities,
            "evidence": item.evidence,
            "decided": None if decision is None else decision.model_dump(mode="json"),
            "decisions": len(self._of(item.key)),
        }
