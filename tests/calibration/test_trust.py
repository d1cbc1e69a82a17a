"""How far probabilities can be trusted, and how surely that is known."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from judge.calibration.calibrate import Calibration, calibrate
from judge.calibration.held_out import trust
from judge.statistics.reliability import softmax


def rated(queries=120, size=6):
    """Scores and people's shares whose quality differs by query: shapes (N, 3), and the queries."""
    rng = np.random.default_rng(3)
    query = np.repeat(np.arange(queries), size)
    truth = rng.integers(0, 3, len(query))
    skill = rng.choice([0.0, 3.0], queries)[query]
    return rng.normal(0, 1, (len(query), 3)) + skill[:, None] * np.eye(3)[truth], np.eye(3)[truth], query


def test_intervals_resample_queries_and_not_pairs():
    scores, shares, query = rated()
    chances = softmax(scores)
    found = trust(chances, shares, query, (0, 1, 2))
    draws = np.random.default_rng(1).integers(0, 120, (3000, 120))
    truth, given = shares.argmax(axis=1).reshape(120, 6), chances.argmax(axis=1).reshape(120, 6)
    loss = -np.log(chances[np.arange(len(query)), shares.argmax(axis=1)]).reshape(120, 6)
    kappa = [cohen_kappa_score(truth[rows].ravel(), given[rows].ravel(), weights="quadratic") for rows in draws[:400]]
    drawn = {
        "accuracy": (truth == given)[draws].mean(axis=(1, 2)),
        "log_loss": loss[draws].mean(axis=(1, 2)),
        "quadratic_kappa": np.array(kappa),
    }
    for name, values in drawn.items():
        assert found.intervals[name] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.02), name
        assert found.intervals[name][0] < getattr(found, name) < found.intervals[name][1]
    assert set(found.intervals) == {*drawn, "brier"}
    # Taken for queries of their own, pairs would seem to tell more than they do.
    apart = trust(chances, shares, np.arange(len(query)))
    wide, narrow = (one.intervals["accuracy"][1] - one.intervals["accuracy"][0] for one in (found, apart))
    assert wide > 1.3 * narrow


def test_few_queries_have_figures_without_intervals():
    scores, shares, query = rated(queries=4)
    assert trust(softmax(scores), shares, query, (0, 1, 2)).intervals == {}


def test_no_file_keeps_intervals():
    scores, shares, query = rated()
    found = calibrate(scores, shares, [f"q{at}" for at in query], "digest")
    assert found.before.intervals
    assert found.after.intervals
    text = found.as_text()
    assert "intervals" not in text
    again = Calibration.model_validate_json(text)
    assert again.after.intervals == {}
    assert again == found
    assert hash(again.after) == hash(found.after)
    assert again.after != again.after.model_copy(update={"n": 1})
