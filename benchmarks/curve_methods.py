"""What is compared on the learning curve: each method's grades and scores of unseen pairs, from what is in a folder."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.curve_answers import (
    NAMES,
    Asked,
    Floats,
    features,
    fitted_blend,
    own_calibration,
    pairs,
    said,
    tuned,
)
from benchmarks.home_depot import write
from benchmarks.lexical import probabilities
from benchmarks.rated_sets import VALUES, Item
from judge.calibration.calibrate import CALIBRATION, Calibration
from judge.calibration.features import Reading, blend_encoder, log_odds
from judge.calibration.ordinal import Evidence, Ordinal, fit_ordinal
from judge.documents import load
from judge.files import write_whole
from judge.labelling.blending import FILE
from judge.models.shipped import SHIPPED, shipped_directory

Given = tuple[Sequence[int] | None, Floats]
"""Grades, null where a score has no cut points, and scores, shape (N,)."""
FOLDS = 5
BLEND = 500
"""The most pairs that a blend's five constants are fitted on: more would cost the judge's answers to all of them."""


def by_cosine(asked: Asked) -> Given:
    """MiniLM's cosine, with cut points where there are ratings."""
    values = features(asked.folder, asked.test)[:, :1]
    return _cut(asked, ("cosine",), features(asked.folder, asked.train)[:, :1], values)


def by_cosine_and_overlap(asked: Asked) -> Given:
    """The sum of both, each standardised as the shipped blend does it."""
    return None, _sum(NAMES[1:], features(asked.folder, asked.test))


def by_boosting(asked: Asked, more: bool = False) -> Given:
    """Gradient boosting over TF-IDF and overlap features."""
    train, test = (_items(asked.folder, name) for name in (asked.train, asked.test))
    further = None
    if more:
        further = features(asked.folder, asked.train)[: asked.size, :1], features(asked.folder, asked.test)[:, :1]
    grades, chances = probabilities(train[: asked.size], test, asked.seed, further)
    return [grades[at] for at in chances.argmax(axis=1)], chances @ np.array(grades)


def by_cut_boosting(asked: Asked) -> Given:
    """Boosting with the cosine, its expected grade cut for quadratic kappa as `_cut` does it: the cuts are fitted to
    what boosting says of queries that it did not learn from, in five parts."""
    rows = pairs(asked.folder, asked.train)[: asked.size]
    kept = asked.folder / "cuts" / f"boosting-{asked.size}-{asked.seed}.json"
    if not kept.is_file():
        items, cosine = _items(asked.folder, asked.train)[: asked.size], features(asked.folder, asked.train)[:, :1]
        query = np.unique([row["query"] for row in rows], return_inverse=True)[1]
        fold, score = np.random.default_rng(asked.seed).permutation(query.max() + 1)[query] % FOLDS, np.empty(len(rows))
        for number in range(FOLDS):
            inside, others = (np.flatnonzero(fold == number), np.flatnonzero(fold != number))
            train, test = ([items[at] for at in some] for some in (others, inside))
            grades, chances = probabilities(train, test, asked.seed, (cosine[others], cosine[inside]))
            score[inside] = chances @ np.array(grades)
        kept.parent.mkdir(exist_ok=True)
        write_whole(kept, json.dumps(score.tolist()).encode())
    known = np.array(json.loads(kept.read_text("utf-8")))
    return _cut(asked, ("judge",), known[:, None], by_boosting(asked, more=True)[1][:, None])


def by_judge(asked: Asked) -> Given:
    """The shipped judge alone."""
    chances = said(asked.folder, SHIPPED, asked.test)
    return chances.argmax(axis=1).tolist(), chances @ np.array(VALUES)


def by_shipped_blend(asked: Asked) -> Given:
    """What it says blended with cosine and overlap by the shipped constants."""
    values, blend = _with_features(asked.folder, SHIPPED, asked.test), shipped_blend()
    return blend.apply(values).argmax(axis=1).tolist(), blend.score(values)


def by_fitted_blend(asked: Asked) -> Given:
    """The shipped judge, its blend fitted on the ratings: `judge calibrate --features cosine,overlap`."""
    first = f"first-{asked.seed}"
    if not (asked.folder / f"{first}.jsonl").is_file():
        write(asked.folder / f"{first}.jsonl", pairs(asked.folder, asked.train)[:BLEND])
    known, values = (_with_features(asked.folder, SHIPPED, name) for name in (first, asked.test))
    return _cut(asked, NAMES, known, values)


def by_calibrated(asked: Asked) -> Given:
    """The judge fine-tuned on the ratings, through the temperature and biases that `judge finetune` gave it."""
    chances, own = said(asked.folder, tuned(asked), asked.test), own_calibration(asked)
    if own is not None:
        chances = own.apply(np.log(np.maximum(chances, 1e-12)))
    return chances.argmax(axis=1).tolist(), chances @ np.array(VALUES)


def by_calibrated_blend(asked: Asked) -> Given:
    """The same judge, a blend fitted on what its training held out; the judge as it is, where none was better."""
    values, blend = _with_features(asked.folder, tuned(asked), asked.test), fitted_blend(asked, shipped_blend())
    if blend is None:
        return said(asked.folder, tuned(asked), asked.test).argmax(axis=1).tolist(), values[:, 0]
    values = values[:, [NAMES.index(name) for name in blend.names]]
    return blend.apply(values).argmax(axis=1).tolist(), blend.score(values)


METHODS: dict[str, Callable[[Asked], Given]] = {
    "cosine": by_cosine,
    "cosine and overlap": by_cosine_and_overlap,
    "boosting": by_boosting,
    "boosting with cosine": lambda asked: by_boosting(asked, more=True),
    "boosting with cosine, cut points": by_cut_boosting,
    "judge": by_judge,
    "judge, shipped blend": by_shipped_blend,
    "judge, blend fitted": by_fitted_blend,
    "fine-tuned, calibrated": by_calibrated,
    "fine-tuned, blend fitted": by_calibrated_blend,
}


def _items(folder: Path, name: str) -> list[Item]:
    rows = pairs(folder, name)
    return [Item(row["query"], row["candidate_id"], {"title": row["title"]}, row["grade"], {}) for row in rows]


def _cut(asked: Asked, names: Sequence[str], known: Floats, values: Floats) -> Given:
    """Weights and cut points for quadratic kappa, from the first `size` pairs of what is known."""
    if not asked.size:
        return None, _sum(names, values)
    rated = pairs(asked.folder, asked.train)[: asked.size]
    encoder = blend_encoder(names)
    evidence = Evidence(Reading(names), known[: asked.size], VALUES, "quadratic_kappa", encoder and encoder.digest)
    query = np.unique([row["query"] for row in rated], return_inverse=True)[1]
    shares = np.eye(len(VALUES))[[row["grade"] for row in rated]]
    fitted = fit_ordinal(evidence, names, shares, query, np.arange(len(rated)))
    values = values[:, [names.index(name) for name in fitted.names]]
    return fitted.apply(values).argmax(axis=1).tolist(), fitted.score(values)


def _sum(names: Sequence[str], values: Floats) -> Floats:
    known = {feature.name: feature for feature in shipped_blend().features}
    standard = (values - [known[name].centre for name in names]) / [known[name].spread for name in names]
    return np.asarray(np.nan_to_num(standard).sum(axis=1))


def _with_features(folder: Path, judge: str, name: str) -> Floats:
    """The features of `NAMES`, shape (N, 3)."""
    return np.column_stack([log_odds(said(folder, judge, name)), features(folder, name)])


def shipped_blend() -> Ordinal:
    """The shipped judge's."""
    directory = shipped_directory(SHIPPED)
    assert directory is not None
    blend = load(directory / FILE, Calibration, CALIBRATION).blend
    assert blend is not None
    assert blend.reading == Reading(NAMES)
    return blend
