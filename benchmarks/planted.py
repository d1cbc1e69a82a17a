"""Real grades with planted errors: labels, and what kind of error each is."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rated_sets import CHORUS, ESCI
from scipy.special import expit
from worlds import Shop

CATEGORIES = 12
KINDS = ("right", "one too high", "one too low", "two off", "whole query")


def real_grades(folder: Path, sets: tuple[str, ...], limit: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """(grade 0..2, query numbered from 0) of all pairs of `sets`, each of shape (N,), N about `limit` at most.

    Raises:
        FileNotFoundError: A set is not in `folder`.
    """
    readers = {
        "esci": ("judgments.csv", lambda row: ESCI[row["esci_label"]]),
        "chorus": ("ratings.csv", lambda row: CHORUS[row["adjudicated"]]),
        "homedepot": ("ratings.csv", lambda row: (float(row["relevance"]) > 5 / 3) + (float(row["relevance"]) > 7 / 3)),
    }
    found: dict[tuple[str, str], list[int]] = {}
    for name in sets:
        path, read = readers[name]
        with (folder / name / path).open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                found.setdefault((name, row["query"]), []).append(int(read(row)))
    sizes = np.array([len(grades) for grades in found.values()])
    kept = [grades for grades, end in zip(found.values(), np.cumsum(sizes), strict=True) if end <= limit]
    return np.concatenate(kept), np.repeat(np.arange(len(kept)), [len(grades) for grades in kept])


def plant_errors(
    grade: np.ndarray, query: np.ndarray, rng: np.random.Generator, share: float = 0.08
) -> tuple[np.ndarray, np.ndarray]:
    """(label, kind of error as a position in `KINDS`): a lenient judge's slips, blunders, and misread queries.

    Of the errors about two thirds are slips by one, most of them upwards, a sixth are of any size, and a sixth are in
    queries that were misread as a whole, whose labels are drawn anew.
    """
    label = grade.copy()
    chances = np.array([[0, 0.85, 0.15], [0.3, 0, 0.7], [0.1, 0.9, 0]])
    slip = (rng.random(len(grade))[:, None] > np.cumsum(chances, axis=1)[grade]).sum(axis=1)
    any_other = (grade + rng.integers(1, 3, len(grade))) % 3
    dice = rng.random(len(grade))
    label = np.where(dice < share * 4 / 6, slip, label)
    label = np.where((dice >= share * 4 / 6) & (dice < share * 5 / 6), any_other, label)
    queries = query.max() + 1
    misread = np.isin(query, rng.choice(queries, round(share / 6 / 0.66 * queries), replace=False))
    label = np.where(misread, rng.integers(3, size=len(grade)), label)
    return label, kinds_of(label, grade, misread)


def kinds_of(label: np.ndarray, grade: np.ndarray, misread: np.ndarray | None = None) -> np.ndarray:
    """Positions in `KINDS`, shape (N,)."""
    misread = np.zeros(len(label), dtype=bool) if misread is None else misread
    return np.select([label == grade, misread, np.abs(label - grade) == 2, label > grade], [0, 4, 3, 1], default=2)


Errors = Callable[[Shop, np.random.Generator], np.ndarray]


def usual(share: float) -> Errors:
    """A lenient judge's slips, blunders and misread queries."""
    return lambda shop, rng: plant_errors(shop.grade, shop.query, rng, share)[0]


def upwards(shop: Shop, rng: np.random.Generator) -> np.ndarray:
    """Every error is one grade too high."""
    return np.minimum(shop.grade + (rng.random(len(shop.grade)) < 0.15), 2)


def one_rater(shop: Shop, rng: np.random.Generator) -> np.ndarray:
    """Whoever rated a quarter of the queries was wrong in a third of them, mostly upwards; the others hardly ever."""
    careless = (rng.random(shop.query.max() + 1) < 0.25)[shop.query]
    wrong = rng.random(len(shop.grade)) < np.where(careless, 0.33, 0.015)
    up = np.where(shop.grade == 2, -1, np.where(rng.random(len(shop.grade)) < 0.8, 1, -1))
    return np.where(wrong, np.where(shop.grade == 0, 1, shop.grade + up), shop.grade)


def by_popularity(shop: Shop, rng: np.random.Generator) -> np.ndarray:
    """What is liked beyond its grade is rated too high, and what is not too low."""
    centre = np.take_along_axis(shop.centres[:, :, 0], shop.grade[:, None], axis=1)[:, 0]
    liked = shop.signals[:, 0] - centre
    wrong = rng.random(len(liked)) < 0.2 * expit(2.5 * (np.abs(liked) / liked.std() - 1))
    return np.where(wrong, np.clip(shop.grade + np.sign(liked).astype(int), 0, 2), shop.grade)


def by_category(shop: Shop, rng: np.random.Generator) -> np.ndarray:
    """In two categories nearly half of the labels are one too low; elsewhere 3% are any other."""
    own = rng.integers(CATEGORIES, size=shop.query.max() + 1)[shop.query]
    stray = rng.random(len(own)) < 0.3
    category = np.where(stray, rng.integers(CATEGORIES, size=len(own)), own)
    low = (category < 2) & (rng.random(len(own)) < 0.45)
    other = rng.random(len(own)) < 0.03
    label = np.where(other, (shop.grade + rng.integers(1, 3, len(own))) % 3, shop.grade)
    return np.where(low, np.maximum(shop.grade - 1, 0), label)
