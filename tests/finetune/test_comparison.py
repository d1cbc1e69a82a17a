"""Whether a fine-tuned judge is better than the one before it, and what is said where it is not."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from finetune.comparison import Compared, compare

GRADES = (0, 1, 2)
QUERY = np.repeat(np.arange(40), 6)
TRUTH = np.random.default_rng(0).integers(0, 3, len(QUERY))


def answers(right, seed, sure=0.8):
    """Probabilities of a judge that is right on such a share of the pairs, the rest drawn from the other grades."""
    rng = np.random.default_rng(seed)
    given = np.where(rng.random(len(TRUTH)) < right, TRUTH, (TRUTH + rng.integers(1, 3, len(TRUTH))) % 3)
    return sure * np.eye(3)[given] + (1 - sure) / 3


def compared(own, before, objective="quadratic_kappa", pairs=240):
    shares, queries = np.eye(3)[TRUTH[:pairs]], [f"q{at}" for at in QUERY[:pairs]]
    return compare("ours", objective, (own[:pairs], before[:pairs]), shares, queries, GRADES)


def test_the_difference_is_of_both_judges_on_the_same_draws_of_queries():
    own, before = answers(0.8, 1), answers(0.6, 2)
    found = compared(own, before).differences["quadratic_kappa"]

    def kappa(rows, chances):
        return cohen_kappa_score(TRUTH[rows], chances[rows].argmax(axis=1), weights="quadratic")

    def less(rows):
        return kappa(rows, own) - kappa(rows, before)

    assert found.value == pytest.approx(less(np.arange(len(TRUTH))))
    draws = np.random.default_rng(1).integers(0, 40, (500, 40))
    drawn = [less((draw[:, None] * 6 + np.arange(6)).ravel()) for draw in draws]
    assert found.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.03)


def test_only_what_is_better_by_more_than_chance_raises_no_doubt():
    good, fair = answers(0.9, 1), answers(0.5, 2)
    assert compared(good, fair).doubt is None
    assert compared(fair, fair).doubt is None, "the same answers"
    worse = compared(fair, good).doubt
    assert "on 240 held-out pairs of 40 queries" in worse
    assert "worse than ours" in worse
    assert "95% interval" in worse
    # As good, or too few to tell: not the same as better.
    assert "not better than ours by more than chance" in compared(answers(0.5, 3), answers(0.5, 4)).doubt
    assert "not better than ours by more than chance" in compared(good, fair, pairs=18).doubt
    again = Compared.model_validate_json(compared(fair, good).model_dump_json())
    assert again.doubt == worse


def test_each_objective_counts_the_way_it_is_better_and_grades_count_with_it():
    good, fair = answers(0.9, 1), answers(0.5, 2)
    for objective in ("log_loss", "accuracy"):
        assert compared(good, fair, objective).doubt is None
        assert "worse than ours" in compared(fair, good, objective).doubt
        assert objective.replace("_", " ") in compared(fair, good, objective).doubt
    # The likelier to be right, and yet the poorer grades: it is sure of little, and gives nearly all pairs one grade.
    careful, bold = 0.1 * answers(0.55, 5) + 0.3, answers(0.8, 6, sure=0.9999)
    doubt = compared(careful, bold, "log_loss").doubt
    assert ("quadratic kappa" in doubt, "log loss" in doubt) == (True, False)
