"""Training records that set a query's rows against each other: their texts, out of what `judge.export.mining` picks."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from judge.export.mining import Rows, mine, why_unused
from judge.export.query_batches import Window
from judge.export.soft import scaled, soft_grades
from judge.export.texts import candidate_text
from judge.export.views import Made, Work
from judge.words.normalise import same_words


def set_against(window: Window, work: Work, *, exact: bool, soft: bool = False) -> Made:
    """Records of a higher grade and lower ones of a window: one negative each, or exactly as many as asked for.

    `soft` adds a `label` from the judge's probabilities, scores being in [0, 1]: how much more the positive scores than
    the negative, or, with exactly so many, the list of the record's scores.
    """
    import pyarrow as pa

    rules, values = work.chosen.selection.negatives, np.array(work.chosen.values)
    texts = candidate_text(window.table.column("candidate").combine_chunks(), work.chosen.fields)
    said = [same_words(text) for text in texts.to_pylist()]
    sound = window.sure & ~window.flagged
    rows = Rows(
        query=np.repeat(np.arange(len(window.starts)), window.ends - window.starts),
        level=np.searchsorted(values, window.grade),
        able=sound & ~window.has_better_copy & ~_has_better_text(window, work, said),
        text=pa.array(said).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64),
        levels=len(values),
        hard=window.hard > 0,
        which=work.chosen.selection.hard,
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
    if soft:
        scores = scaled(soft_grades(window), work.chosen.values)
        if exact:
            several = scores[np.concatenate([positive[:, None], negatives], axis=1)]
            bounds = pa.array(np.arange(len(several) + 1) * several.shape[1], pa.int32())
            columns["label"] = pa.ListArray.from_arrays(bounds, pa.array(several.ravel()))
        else:
            columns["label"] = pa.array(scores[positive] - scores[negatives[:, 0]])
    return pa.table(columns), window.split[positive]


def _has_better_text(window: Window, work: Work, said: Sequence[str]) -> npt.NDArray[np.bool_]:
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
