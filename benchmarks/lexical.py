"""The lexical baseline: TF-IDF and overlap features with gradient boosting (scikit-learn)."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from benchmarks.rated_sets import Item

ROUNDS = 200
"""Of boosting."""
FIELDS = ("title", "brand", "category", "colour", "description")
Floats = npt.NDArray[np.float64]


def predict(train: Sequence["Item"], test: Sequence["Item"], seed: int = 0) -> list[int]:
    """Grades for the test pairs; vocabularies and trees come from the training pairs alone."""
    grades, chances = probabilities(train, test, seed)
    return [grades[at] for at in chances.argmax(axis=1)]


def probabilities(
    train: Sequence["Item"], test: Sequence["Item"], seed: int = 0, more: tuple[Floats, Floats] | None = None
) -> tuple[list[int], Floats]:
    """The grades that training pairs have, and their probabilities for the test pairs, shape (N, K).

    `more` are further features of training and test pairs, each of shape (N, F).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = Features(train)
    known, asked = features(train), features(test)
    if more:
        known, asked = np.hstack([known, more[0]]), np.hstack([asked, more[1]])
    model = HistGradientBoostingClassifier(max_iter=ROUNDS, learning_rate=0.05, max_leaf_nodes=15, random_state=seed)
    model.fit(known, [item.grade for item in train])
    return model.classes_.tolist(), model.predict_proba(asked)


class Features:
    """Numbers that say how a query's words stand in a product, shape (N, F)."""

    def __init__(self, train: Sequence["Item"]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = [text for item in train for text in (item.query, _whole(item))]
        self._kinds = [
            TfidfVectorizer(sublinear_tf=True).fit(texts),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2).fit(texts),
        ]

    def __call__(self, items: Sequence["Item"]) -> Floats:
        """The features of some pairs."""
        queries = [item.query for item in items]
        columns = []
        for vectors in self._kinds:
            asked, texts = vectors.transform(queries), [[_whole(item) for item in items]]
            texts += [[item.texts.get(field, "") for item in items] for field in FIELDS]
            columns += [np.asarray(asked.multiply(vectors.transform(t)).sum(axis=1)).ravel() for t in texts]
        return np.column_stack([*columns, np.array([_overlap(item) for item in items])])


def _overlap(item: "Item") -> list[float]:
    asked = _words(item.query)
    found: list[float] = [len(asked), len(item.query), len(_words(item.texts.get("title", "")))]
    for text in (_whole(item), *(item.texts.get(field, "") for field in FIELDS)):
        words = _words(text)
        shared = [word for word in asked if word in set(words)]
        found += [len(shared) / max(1, len(asked)), len(set(shared)) / max(1, len({*asked, *words}))]
    title = _words(item.texts.get("title", ""))
    places = [title.index(word) / len(title) for word in asked if word in title]
    numbers = [word for word in asked if any(c.isdigit() for c in word)]
    held = [word in _words(_whole(item)) for word in numbers]
    found += [min(places, default=1.0), float(item.query.lower() in _whole(item).lower())]
    found += [float(bool(asked) and asked[-1] in title), len(numbers), float(np.mean(held)) if held else -1.0]
    return found


def _whole(item: "Item") -> str:
    return " ".join(item.texts.get(field, "") for field in FIELDS)


def _words(text: str) -> list[str]:
    """Lower-case words without a plural s: enough to match "cables" with "cable"."""
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in re.findall(r"\w+", text.lower())]
