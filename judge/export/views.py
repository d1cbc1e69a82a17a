"""Views of the labels as tables: Arrow tables out of windows, for Parquet files.

sentence-transformers reads columns by order and takes every column but `label`, `labels`, `score` and `scores` for a
text: its views hold nothing else.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.export.chosen import Chosen
from judge.export.mining import Rows, mine, why_unused
from judge.export.query_batches import Window
from judge.export.texts import candidate_text
from judge.words.normalise import same_words

Ints = npt.NDArray[np.int64]

BESIDE = ("probabilities", "expected_grade", "grade", "fingerprint")
"""Columns of the labels that views may ask for."""


@dataclass
class Work:
    """What a view needs beside a window, and what it notes."""

    chosen: Chosen
    unused: Counter[str] = field(default_factory=Counter)
    """Rows that were chosen and are in no record, by reason."""


Made = tuple[Any, Ints]
"""An Arrow table, and the split of each of its rows."""


@dataclass(frozen=True)
class View:
    """One view: what it makes of a window."""

    name: str
    make: Callable[[Window, Work], Made]
    need_text: bool
    labels: tuple[str, ...] = ()
    """Columns of the labels that it reads."""
    rows: bool = True
    """Whether it has a record for each row; else of groups of rows."""
    opposes: bool = False
    """Whether it sets rows against each other: then it looks at graded rows that are left out, too."""


def judgments(window: Window, work: Work) -> Made:
    """Everything that is known of each graded pair."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = window.table
    keys = zip(table.column("query_id").to_pylist(), table.column("candidate_id").to_pylist(), strict=True)
    settled = work.chosen.decisions.settled
    found = [settled.get(key) for key in keys] if settled else [None] * len(table)
    confidence = pa.array(window.confidence, mask=np.isnan(window.confidence))
    columns = {
        "query_id": table.column("query_id"),
        "query": table.column("query"),
        "candidate_id": table.column("candidate_id"),
        "candidate": table.column("candidate"),
        "locale": table.column("locale"),
        "grade": pa.array(window.grade, pa.int32()),
        "probabilities": table.column("probabilities"),
        "expected_grade": table.column("expected_grade"),
        "confidence": confidence,
        "label_grade": pc.cast(table.column("grade"), pa.int32()),
        "decided_by": pa.array([d.author if d else None for d in found], pa.string()),
        "decision_reason": pa.array([d.reason if d else None for d in found], pa.string()),
        "fingerprint": table.column("fingerprint"),
    }
    return pa.table(columns), window.split


def pairs(window: Window, work: Work) -> Made:
    """`sentence1, sentence2, score` in [0, 1], or `label`: the grade's place among the grades."""
    import pyarrow as pa

    values = np.array(work.chosen.values)
    columns = {
        "sentence1": window.table.column("query"),
        "sentence2": candidate_text(window.table.column("candidate").combine_chunks(), work.chosen.fields),
    }
    if work.chosen.selection.pairs == "labelled":
        columns["label"] = pa.array(np.searchsorted(values, window.grade))
    else:
        grade = window.grade.astype(np.float64)
        if work.chosen.selection.score == "expected":
            expected = window.table.column("expected_grade").to_numpy().astype(np.float64)
            # What people graded or decided has no probabilities of its own, nor has what another judge decided.
            changed = window.table.column("grade").to_numpy() != window.grade
            grade = np.where(changed | np.isnan(window.confidence) | np.isnan(expected), grade, expected)
        columns["score"] = pa.array(np.clip((grade - values[0]) / (values[-1] - values[0]), 0, 1))
    return pa.table(columns), window.split


def qrels(window: Window, work: Work) -> Made:
    """`query-id, corpus-id, score`, as MTEB names them."""
    import pyarrow as pa

    columns = {
        "query-id": window.table.column("query_id"),
        "corpus-id": window.table.column("candidate_id"),
        "score": pa.array(window.grade),
    }
    return pa.table(columns), window.split


def listwise(window: Window, work: Work) -> Made:
    """`query, docs, labels`: each query with its candidates' texts and their grades."""
    import pyarrow as pa

    texts = candidate_text(window.table.column("candidate").combine_chunks(), work.chosen.fields)
    bounds = pa.array(np.append(window.starts, len(window.grade)), pa.int32())
    columns = {
        "query": window.table.column("query").take(pa.array(window.starts)),
        "docs": pa.ListArray.from_arrays(bounds, texts),
        "labels": pa.ListArray.from_arrays(bounds, pa.array(window.grade)),
    }
    return pa.table(columns), window.split[window.starts]


def triplets(window: Window, work: Work) -> Made:
    """`anchor, positive, negative`: the query, and one pair of its candidates, the higher grade first."""
    return _tuples(window, work, exact=False)


def n_tuples(window: Window, work: Work) -> Made:
    """`anchor, positive, negative_1 … negative_n`: the query, a candidate, and n of lower grades."""
    return _tuples(window, work, exact=True)


def _tuples(window: Window, work: Work, *, exact: bool) -> Made:
    import pyarrow as pa

    rules, values = work.chosen.selection.negatives, np.array(work.chosen.values)
    texts = candidate_text(window.table.column("candidate").combine_chunks(), work.chosen.fields)
    said = [same_words(text) for text in texts.to_pylist()]
    sound = window.sure & ~window.flagged
    rows = Rows(
        query=np.repeat(np.arange(len(window.starts)), window.ends - window.starts),
        level=np.searchsorted(values, window.grade),
        able=sound & ~window.has_better_copy & ~_bettered(window, work, said),
        text=pa.array(said).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64),
        levels=len(values),
    )
    higher = sound & np.isin(window.grade, values[1:] if rules.positives is None else rules.positives)
    positive, negatives = mine(rows, rules, higher)
    if exact:
        whole = negatives[:, -1] >= 0
        positive, negatives = positive[whole], negatives[whole]
    else:
        there = negatives >= 0
        positive, negatives = np.repeat(positive, there.sum(axis=1)), negatives[there].reshape(-1, 1)
    used = np.zeros(len(window.grade), dtype=bool)
    used[positive] = used[negatives.ravel()] = True
    work.unused.update(why_unused(rows, used, higher, np.isin(np.arange(len(used)), positive)))
    columns = {
        "anchor": window.table.column("query").take(pa.array(positive)),
        "positive": texts.take(pa.array(positive)),
    }
    for number in range(negatives.shape[1]):
        name = f"negative_{number + 1}" if exact else "negative"
        columns[name] = texts.take(pa.array(negatives[:, number]))
    return pa.table(columns), window.split[positive]


def _bettered(window: Window, work: Work, said: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether a row of the query has the row's text and a higher grade, and is left out of the export."""
    aside, worse = window.aside, np.zeros(len(window.grade), dtype=bool)
    if aside is None:
        return worse
    best: dict[tuple[int, str], int] = {}
    others = candidate_text(aside.candidate, work.chosen.fields).to_pylist()
    for query, text, grade in zip(aside.query.tolist(), others, aside.grade.tolist(), strict=True):
        best[query, same_words(text)] = max(grade, best.get((query, same_words(text)), grade))
    query = np.repeat(np.arange(len(window.starts)), window.ends - window.starts)
    for place in np.flatnonzero(np.isin(query, aside.query)).tolist():
        worse[place] = best.get((int(query[place]), said[place]), -1) > window.grade[place]
    return worse


VIEWS = {
    view.name: view
    for view in (
        View("judgments", judgments, need_text=False, labels=BESIDE),
        View("pairs", pairs, need_text=True, labels=("expected_grade", "grade")),
        View("triplets", triplets, need_text=True, rows=False, opposes=True),
        View("n-tuples", n_tuples, need_text=True, rows=False, opposes=True),
        View("listwise", listwise, need_text=True, rows=False),
        View("qrels", qrels, need_text=False),
    )
}
