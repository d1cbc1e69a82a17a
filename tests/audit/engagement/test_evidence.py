"""Grades from engagement: gradients, hand-worked posteriors, confident learning vs cleanlab."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import betabinom

from audit.engagement.confident import suspects, thresholds
from audit.engagement.evidence import (
    LOOSER,
    TAIL,
    Counts,
    Rates,
    _infer,
    _likelihood,
    update,
)


def made(seed=0, queries=40, size=12):
    """Labels of which a tenth is wrong, and clicks by the true grade."""
    rng = np.random.default_rng(seed)
    grade = rng.integers(3, size=queries * size)
    query = np.repeat(np.arange(queries), size)
    base = rng.normal(0, 0.4, queries)[query]
    rate = 1 / (1 + np.exp(-(np.array([-3.5, -2.0, -0.6])[grade] + base + rng.normal(0, 0.3, len(grade)))))
    trials = rng.integers(50, 800, len(grade)).astype(float)
    label = np.where(rng.random(len(grade)) < 0.1, (grade + rng.integers(1, 3, len(grade))) % 3, grade)
    prior = np.where(np.arange(3) == label[:, None], 0.9, 0.05)
    return grade, label, prior, Counts(trials, rng.binomial(trials.astype(int), rate).astype(float), query)


@pytest.mark.parametrize("learn_prior", [True, False])
def test_the_gradient_is_that_of_the_likelihood(learn_prior):
    _, _, prior, counts = made(queries=3, size=5)
    theta = np.array([-3.0, -0.2, 0.1, 2.0, 2.5, 1.5, -0.6, 0.2, -2.5])
    _, slope = _likelihood(theta, prior, counts, learn_prior)
    numeric = approx_fprime(theta, lambda t: _likelihood(t, prior, counts, learn_prior)[0], 1e-5)
    assert slope == pytest.approx(numeric, rel=2e-3, abs=2e-2)


def test_a_posterior_by_hand():
    # One pair alone, no difference between queries: the prior times the mixture of two beta-binomials.
    rates = Rates(np.array([-3.0, 0.0]), np.array([20.0, 40.0]), 1e-9, 1.0, 0.0)
    found, expected = _infer(rates, np.array([[0.7, 0.3]]), Counts(np.array([10.0]), np.array([4.0]), np.array([0])))

    def chance(grade):
        m, k = rates.mean[grade], rates.kappa[grade]
        core, tail = (betabinom.pmf(4, 10, m * x, (1 - m) * x) for x in (k, k / LOOSER))
        return (1 - TAIL) * core + TAIL * tail

    odds = 0.7 * chance(0), 0.3 * chance(1)
    assert found[0] == pytest.approx(np.array(odds) / sum(odds))
    assert expected[0] == pytest.approx(rates.mean)


def test_engagement_finds_wrong_labels():
    grade, label, prior, counts = made()
    found = update(prior, counts)
    wrong = 1 - found.posterior[np.arange(len(label)), label]
    assert wrong[grade != label].mean() > 0.6
    assert wrong[grade == label].mean() < 0.08
    assert np.all(np.diff(found.rates.mean) > 0)
    assert found.posterior.sum(axis=1) == pytest.approx(1)


def test_pairs_without_impressions_keep_what_is_believed_of_them():
    _, _, prior, counts = made()
    counts.trials[:7] = counts.successes[:7] = 0
    found = update(prior, counts)
    assert found.posterior[:7] == pytest.approx(found.rates.believed(prior)[:7])
    assert np.isnan(found.expected[:7]).all()


def test_too_little_teaches_nothing_and_says_so():
    prior = np.full((5, 3), 1 / 3)
    found = update(prior, Counts(np.ones(5), np.zeros(5), np.arange(5)))
    assert found.rates is None
    assert found.posterior is prior
    assert "too few" in found.reason


def test_a_querys_own_base_rate_counts():
    # In a query where all is clicked much, much is little: 20% is below what its middle grades get.
    _, _, prior, counts = made(queries=40)
    counts.successes[:12] = np.round(counts.trials[:12] * 0.5)
    counts.successes[0] = np.round(counts.trials[0] * 0.2)
    counts.successes[12:24] = np.round(counts.trials[12:24] * 0.05)
    counts.successes[12] = np.round(counts.trials[12] * 0.2)
    flat = np.full_like(prior, 1 / 3)
    found = update(flat, counts, learn_prior=False).posterior @ np.arange(3)
    assert found[0] < found[12]


def test_confident_learning_agrees_with_cleanlab():
    cleanlab = pytest.importorskip("cleanlab")
    from cleanlab.count import compute_confident_joint, get_confident_thresholds

    assert tuple(map(int, cleanlab.__version__.split(".")[:2])) >= (2, 8)
    rng = np.random.default_rng(2)
    labels = rng.integers(3, size=400)
    shares = rng.dirichlet(np.ones(3), 400) + 1.2 * np.eye(3)[labels] * (rng.random((400, 1)) < 0.85)
    shares /= shares.sum(axis=1, keepdims=True)
    assert thresholds(labels, shares) == pytest.approx(get_confident_thresholds(labels, shares))
    _, theirs = compute_confident_joint(labels, shares, return_indices_of_off_diagonals=True)
    assert np.flatnonzero(suspects(labels, shares)[0]).tolist() == sorted(theirs)
