"""Measures of a confusion matrix and their intervals: by hand, against scikit-learn, on degenerate input."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from judge.statistics import measures
from judge.statistics.agreement import agreement_measures
from judge.statistics.intervals import NO_PAIRS, by_query, confusion_by_query

pytestmark = pytest.mark.filterwarnings("error")
quick = settings(max_examples=60, database=None, derandomize=True)
squares = st.integers(2, 5).flatmap(lambda k: arrays(np.int64, (k, k), elements=st.integers(0, 12)))

# Rows sum to 10, 10, 10 and columns to 9, 9, 12; 21 of 30 agree, the other 9 are one step apart.
WORKED = np.array([[8, 2, 0], [1, 5, 4], [0, 2, 8]])
STEPS = [0, 1, 2]
UNEVEN = [0, 1, 3]
ALL_SAME = np.array([[0, 0], [0, 7]])

SCALAR = {
    "accuracy": measures.accuracy,
    "within_1": measures.within_1,
    "macro_f1": measures.macro_f1,
    "majority_baseline": measures.majority_baseline,
    "cohen_kappa": measures.cohen_kappa,
    "weighted_kappa": partial(measures.weighted_kappa, values=UNEVEN),
    "gwet_ac1": measures.gwet_ac1,
    "gwet_ac2": partial(measures.gwet_ac2, values=UNEVEN),
}
PER_GRADE = {"precision": measures.precision, "recall": measures.recall}


def labels(confusion):
    """The (reference, judged) label arrays that a confusion matrix counts."""
    rows, columns = np.indices(confusion.shape)
    return np.repeat(rows, confusion.ravel()), np.repeat(columns, confusion.ravel())


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (measures.accuracy(WORKED), 21 / 30),
        (measures.within_1(WORKED), 1.0),  # no pair is two steps apart, whatever the grades' values
        (measures.within_1([[5, 1, 3], [0, 4, 1], [2, 0, 4]]), 15 / 20),  # 3 + 2 of 20 pairs are two steps apart
        (measures.precision(WORKED), [8 / 9, 5 / 9, 8 / 12]),
        (measures.recall(WORKED), [0.8, 0.5, 0.8]),
        (measures.macro_f1(WORKED), (16 / 19 + 10 / 19 + 16 / 22) / 3),  # 2 hits / (row + column)
        (measures.majority_baseline([[8, 0], [2, 2]]), 8 / 12),
        (measures.cohen_kappa(WORKED), 0.55),  # chance (90 + 90 + 120) / 900 = 1/3; (.7 - 1/3) / (2/3)
        # Expected cost in steps, by column: (9*(1 + 2) + 9*(1 + 1) + 12*(2 + 1)) / 3 = 27; observed 9.
        (measures.weighted_kappa(WORKED, STEPS, "linear"), 1 - 9 / 27),
        # Squared: (9*(1 + 4) + 9*(1 + 1) + 12*(4 + 1)) / 3 = 41; observed 9.
        (measures.weighted_kappa(WORKED, STEPS), 1 - 9 / 41),
        # Values 0, 1, 3: observed 2*1 + 1*1 + 4*4 + 2*4 = 27; (9*(1+9) + 9*(1+4) + 12*(9+4)) / 3 = 97.
        (measures.weighted_kappa(WORKED, UNEVEN), 1 - 27 / 97),
        # Shares (19, 19, 22)/60: sum of p(1 - p) = 1 - 1206/3600 = .665; chance .665 / 2.
        (measures.gwet_ac1(WORKED), (0.7 - 0.3325) / (1 - 0.3325)),
        # Credits 1, .75, 0 sum to 6: chance 6/6 * .665; observed .7 + .3 * .75.
        (measures.gwet_ac2(WORKED, STEPS), (0.925 - 0.665) / (1 - 0.665)),
        (measures.agreement_weights(UNEVEN, "linear")[0], [1, 2 / 3, 0]),
        (measures.agreement_weights([0, 1, 5, 9], "ordinal")[0], [1, 1 - 1 / 6, 1 - 3 / 6, 0]),
    ],
)
def test_values_worked_by_hand(measured, expected):
    assert measured == pytest.approx(expected, abs=1e-12)


def test_published_values():
    # Two abstractors, 100 records: the table cont3x3abstractors of the R package irrCAC, by Gwet.
    table = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]
    assert measures.cohen_kappa(table) == pytest.approx(0.7964094, abs=1e-7)
    assert measures.gwet_ac1(table) == pytest.approx(0.8493305, abs=1e-7)
    for weights, published in (("linear", 0.900), ("ordinal", 0.925), ("quadratic", 0.940)):
        assert measures.gwet_ac2(table, [1, 2, 3], weights) == pytest.approx(published, abs=5e-4)


@quick
@given(squares)
def test_scikit_learn_agrees(confusion):
    assume(not np.isnan(measures.cohen_kappa(confusion)))
    reference, judged = labels(confusion)
    grades = list(range(len(confusion)))
    kappa = partial(metrics.cohen_kappa_score, reference, judged, labels=grades)
    per_grade = {"labels": grades, "average": None, "zero_division": np.nan}
    ours_and_theirs = [
        (measures.accuracy(confusion), metrics.accuracy_score(reference, judged)),
        (measures.macro_f1(confusion), metrics.f1_score(reference, judged, average="macro")),
        (measures.precision(confusion), metrics.precision_score(reference, judged, **per_grade)),
        (measures.recall(confusion), metrics.recall_score(reference, judged, **per_grade)),
        (measures.cohen_kappa(confusion), kappa()),
        (measures.weighted_kappa(confusion, grades, "linear"), kappa(weights="linear")),
        (measures.weighted_kappa(confusion, grades), kappa(weights="quadratic")),
    ]
    for ours, theirs in ours_and_theirs:
        assert ours == pytest.approx(theirs, abs=1e-12, nan_ok=True)


@quick
@given(arrays(np.int64, (2, 3, 3, 3), elements=st.sampled_from([0, 0, 1, 5])))
def test_a_batch_equals_a_loop(batch):
    for measure in (SCALAR | PER_GRADE).values():
        together = measure(batch)
        looped = np.array([[measure(matrix) for matrix in row] for row in batch])
        assert together.shape == looped.shape
        np.testing.assert_allclose(together, looped, atol=1e-12)


@quick
@given(arrays(np.int64, (3, 3), elements=st.sampled_from([0, 0, 0, 1, 5])))
def test_a_measure_has_a_reason_wherever_it_is_nan(confusion):
    for measure in agreement_measures().values():
        for name, function in measure.of_confusion([0, 1, 2]).items():
            if np.isnan(function(confusion)):
                assert measure.reason(confusion), name
                assert (measure.reason(confusion) == NO_PAIRS) == (not confusion.any())


def test_undefined_is_nan_with_its_reason_and_never_0():
    for measure in agreement_measures().values():
        for function in measure.of_confusion([0, 1, 2]).values():
            assert np.isnan(function(np.zeros((3, 3))))
        assert measure.reason(np.zeros((3, 3))) == NO_PAIRS
    assert np.isnan(measures.cohen_kappa(ALL_SAME))
    assert np.isnan(measures.weighted_kappa(ALL_SAME, [0, 1]))
    assert "chance agreement is 1" in agreement_measures()["weighted_kappa"].reason(ALL_SAME)
    assert np.isnan(measures.gwet_ac1([[4]]))
    assert "nothing to agree about" in agreement_measures()["gwet_ac1"].reason([[4]])
    np.testing.assert_equal(measures.recall(ALL_SAME), [np.nan, 1.0])


def test_one_grade_that_both_give_is_defined_for_gwet_and_accuracy():
    assert measures.gwet_ac1(ALL_SAME) == 1
    assert measures.accuracy(ALL_SAME) == 1
    # A constant judge against people who vary has learnt nothing: kappa is 0, and that 0 is a finding.
    assert measures.cohen_kappa([[0, 5], [0, 5]]) == pytest.approx(0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: measures.accuracy([[1, 2, 3], [4, 5, 6]]),
        lambda: measures.weighted_kappa(WORKED, [0, 1]),
        lambda: measures.weighted_kappa(WORKED, [0, 2, 1]),
        lambda: measures.weighted_kappa(WORKED, STEPS, "cubic"),
        lambda: confusion_by_query([0, 0], [0, 5], [0, 1], STEPS),
        lambda: confusion_by_query([0, 0], [0, 1], [0, math.nan], STEPS),
        lambda: confusion_by_query([0, 0], [0, 1], [0], STEPS),
        lambda: by_query([WORKED, WORKED], measures.accuracy, level=95),
    ],
)
def test_wrong_input_is_refused(call):
    with pytest.raises(ValueError):
        call()


# Intervals
