"""What people's decisions say of an audit: a random sample to decide on, corrected chances, what is left to find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audit.review.queue import NUMBERS, Item, read_queue
from judge.calibration.promise import (
    Promise,
    corrected,
    draw,
    order_digest,
    promises,
    read_sample,
    write_sample,
)
from judge.errors import InputError
from judge.notes import note
from judge.places import check_writable
from judge.run.decisions import Decisions, outcomes
from judge.run.flags import Flags, has_ranks, read_evidence
from judge.run.store import Run

NEXT = 50
"""Reviews for which it is said what they will find."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What was reviewed, against what the model said, and what is to come."""

    reviewed: int
    """Pairs with evidence that people decided on; unsure is a decision."""
    wrong: int
    """Of those, the labels that were changed."""
    model_wrong: float
    """How many of them the model expected."""
    next_pairs: int
    next_wrong: float
    """Labels among the next so many pairs of the queue that are expected wrong, by the corrected chances."""
    promises: tuple[Promise, ...]
    """At several rates of false flags; none before a sample was drawn and decided on."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        names = ("reviewed", "wrong", "model_wrong", "next_pairs", "next_wrong")
        return {name: getattr(self, name) for name in names} | {"promises": [p.model_dump() for p in self.promises]}


def read_corrected(run: Run) -> tuple[list[Item], Progress]:
    """The queue with chances corrected by the decisions so far, and what these say.

    Raises:
        RunError: The run has not been audited.
    """
    items = read_queue(run)
    wrong = outcomes(Decisions(run.path).latest())
    chances = {item.key: item.p_wrong for item in read_queue(run, everything=True)}
    # An audit of an earlier version ranks no pairs: its flags alone are known.
    ranked = None
    if has_ranks(run.path):
        ranked = read_evidence(run.path, ranked=True)
        chances |= dict(zip(_keys(ranked), ranked["p_wrong"].to_pylist(), strict=True))
    known = [pair for pair in wrong if pair in chances]
    given = np.array([chances[pair] for pair in known])
    was = np.array([wrong[pair] for pair in known], dtype=bool)
    right = corrected(np.array([item.p_wrong for item in items]), given, was)
    items = [replace(item, p_wrong=float(p)) for item, p in zip(items, right, strict=True)]
    soon = items[:NEXT]
    found = Progress(
        len(known),
        int(was.sum()),
        float(given.sum()),
        len(soon),
        float(sum(item.p_wrong for item in soon)),
        tuple(_promises(run, ranked, wrong)),
    )
    return items, found


def read_calibration_sample(run: Run, count: int, seed: int = 0) -> list[Item]:
    """Pairs of a random sample that nobody has looked at yet, in no order; draws the sample if there is none.

    Raises:
        InputError: Another sample is drawn already, no pair has engagement, or the run cannot be written.
        RunError: The run has not been audited, or by a version that ranked no pairs.
    """
    check_writable(run.path, fix="the run keeps its sample: fix its permissions, or draw one of a copy")
    ranked = _in_order(read_evidence(run.path, ranked=True))
    if not ranked.num_rows:
        raise InputError(f"{run.path}: no pair has engagement to draw from", "audit it by the events of its queries")
    order = ranked["row"].to_numpy()
    sample = read_sample(run.path)
    if sample is None or sample.order != order_digest(order):
        if sample is not None:
            note(
                f"another audit has put the pairs in another order since a sample of {len(sample.pairs)} was drawn: it "
                "promises nothing any more, and another one is drawn; its decisions stay"
            )
        sample = draw(order, _keys(ranked), ranked["p_wrong"].to_numpy(), count, seed)
        write_sample(run.path, sample)
    elif len(sample.pairs) != min(count, sample.pool):
        raise InputError(
            f"{run.path}: a sample of {len(sample.pairs)} pairs is drawn already",
            f"go on with it (--calibration-sample {len(sample.pairs)}): a promise from a sample that was chosen after "
            "decisions would not hold",
        )
    looked = outcomes(Decisions(run.path).latest())
    left = [rank for rank, pair in zip(sample.ranks, sample.pairs, strict=True) if pair not in looked]
    rows = [ranked.slice(rank - 1, 1).to_pylist()[0] for rank in np.random.default_rng(seed).permutation(left)]
    return _items(run, rows)


def read_query(run: Run, query_id: str) -> list[Item]:
    """All graded pairs of a query, flagged or not, the likeliest wrong label first.

    Raises:
        RunError: The run has not been audited, or by a version that ranked no pairs.
    """
    import pyarrow.compute as pc

    evidence = read_evidence(run.path, ranked=True)
    return _items(run, evidence.filter(pc.equal(evidence["query_id"], query_id)).sort_by("rank").to_pylist())


def _items(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[Item]:
    import pyarrow as pa

    types: dict[int, list[str]] = {}
    for flag in Flags(run.path).read():
        types.setdefault(flag.row, []).append(flag.type)
    wanted = pa.table({"row": pa.array([row["row"] for row in rows], pa.int64())})
    found = run.query(
        "SELECT row, candidate, probabilities FROM labels JOIN pairs USING (row) SEMI JOIN wanted USING (row)",
        wanted=wanted,
    )
    texts = {row: (candidate or {}, said and tuple(said)) for row, candidate, said in found}
    values = run.manifest.values
    items = []
    for row in rows:
        own = list(values).index(row["grade"])
        others = [-1.0 if at == own else chance for at, chance in enumerate(row["posterior"])]
        candidate, said = texts[row["row"]]
        items.append(
            Item(
                query_id=row["query_id"],
                query=row["query"],
                candidate_id=row["candidate_id"],
                candidate={name: text for name, text in candidate.items() if text is not None},
                grade=row["grade"],
                suggested_grade=values[int(np.argmax(others))],
                types=tuple(types.get(row["row"], ())),
                p_wrong=row["p_wrong"],
                probabilities=said,
                numbers={name: row.get(name) for name in NUMBERS},
            )
        )
    return items


def _promises(run: Run, ranked: Any, wrong: Mapping[tuple[str, str], bool]) -> list[Promise]:
    sample = read_sample(run.path)
    if sample is None or ranked is None or sample.order != order_digest(_in_order(ranked)["row"].to_numpy()):
        return []
    return promises(sample, wrong)


def _in_order(evidence: Any) -> Any:
    """The pairs with a rank, by it."""
    import pyarrow.compute as pc

    return evidence.filter(pc.is_valid(evidence["rank"])).sort_by("rank")


def _keys(table: Any) -> list[tuple[str, str]]:
    return list(zip(table["query_id"].to_pylist(), table["candidate_id"].to_pylist(), strict=True))
