"""Cut points and blends: fits against an independent optimiser, cuts worked by hand, and what may not change."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

from judge.calibration.calibrate import Calibration, calibrate
from judge.calibration.choice import choose_by
from judge.calibration.crossing import Present
from judge.calibration.cuts import adjacent, best_cuts, fit_slope, quality
from judge.calibration.doubts import doubts
from judge.calibration.features import Reading
from judge.calibration.ordinal import Evidence, Ordinal, cumulative, fit_ordinal, proportional_odds

NAMES = ("judge", "cosine", "overlap")
GRADES = (0, 1, 2)


def graded(score, cuts, rng):
    """Grades that follow proportional odds, as shares."""
    return np.eye(len(cuts) + 1)[(rng.logistic(size=len(score)) + score > np.array(cuts)[:, None]).sum(axis=0)]


def shop(n=600, weights=(0.8, 0.5, 0.3), seed=0, objective="log_loss"):
    """Log-probabilities, shares, queries and evidence of a shop whose grades follow a blend."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3)) * (0.4, 0.1, 0.3) + (1.0, 0.5, 0.6)
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    shares = graded(standard @ np.array(weights) * 2, (-1.0, 0.5), rng)
    # Probabilities whose expected grade is the first feature.
    values[:, 0] = np.clip(values[:, 0], 0.1, 1.9)
    chances = np.stack([1 - values[:, 0] / 2, np.full(n, 1e-3), values[:, 0] / 2], axis=1)
    queries = [f"q{at % (n // 6)}" for at in range(n)]
    return np.log(chances), shares, queries, Evidence(Reading(NAMES), values, GRADES, objective, "fake")


def test_proportional_odds_is_the_optimum_that_another_optimiser_finds():
    rng = np.random.default_rng(1)
    standard = rng.normal(size=(80, 3))
    shares = graded(standard @ np.array([1.0, 0.6, 0.2]), (-0.8, 0.4), rng)
    weights, cuts = proportional_odds(standard, shares, 0.3, 0.02)

    def penalised(point):
        # Written again, pair by pair, from the definition: no gradient, no shared code.
        w, c = point[:3], np.sort(point[3:])
        total = 0.0
        for row, truth in zip(standard, shares.argmax(axis=1), strict=True):
            under = [0.0, *expit(c - row @ w), 1.0]
            total -= np.log(max(under[truth + 1] - under[truth], 1e-12))
        mix = (shares.mean(axis=0) + 0.5 / 80) / (1 + 1.5 / 80)
        base = np.log(mix.cumsum()[:-1] / (1 - mix.cumsum()[:-1]))
        ridge = 0.3 * ((w - w.mean()) ** 2).sum() + 0.02 * ((w**2).sum() + ((c - base) ** 2).sum())
        return total / 80 + ridge / 2

    found = minimize(penalised, [0.5, 0.5, 0.5, -1, 1], method="Nelder-Mead", options={"maxiter": 9000, "xatol": 1e-7})
    assert weights == pytest.approx(found.x[:3], abs=1e-3)
    assert cuts == pytest.approx(np.sort(found.x[3:]), abs=1e-3)


def test_two_grades_and_no_ridge_are_a_logistic_regression():
    rng = np.random.default_rng(2)
    standard = rng.normal(size=(500, 2))
    shares = graded(standard @ np.array([0.9, 0.4]), (0.3,), rng)
    weights, cuts = proportional_odds(standard, shares, 0.0, 0.0)
    oracle = LogisticRegression(C=1e9, tol=1e-8).fit(standard, shares.argmax(axis=1))
    assert weights == pytest.approx(oracle.coef_[0], abs=1e-3)
    assert -cuts == pytest.approx(oracle.intercept_, abs=1e-3)


def test_the_ridge_makes_weights_equal_and_none_is_negative():
    rng = np.random.default_rng(3)
    standard = rng.normal(size=(400, 3))
    shares = graded(standard @ np.array([1.5, 0.5, -1.0]), (-0.5, 0.5), rng)
    free, _ = proportional_odds(standard, shares, 0.0, 0.0)
    equal, _ = proportional_odds(standard, shares, 1e4, 0.0)
    assert free[2] == 0, "a feature that speaks against the grade is left out, not turned round"
    assert free[0] > free[1] > 0
    assert np.ptp(equal) < 1e-3


def test_cut_points_worked_by_hand():
    score = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    truth = np.array([0, 0, 1, 1, 2, 2])
    for objective in ("accuracy", "quadratic_kappa"):
        judged = quality(objective, GRADES, truth)
        # All six are right with one cut between .2 and .3, the other between .4 and .5: the places half way.
        cuts = best_cuts(score, truth, np.array([0.0, 0.05]), judged)
        assert cuts == pytest.approx([0.25, 0.45])
        assert judged(np.searchsorted(cuts, score)) == 1
    # Grades 0 0 0 1 1 1 against 0 0 1 1 2 2: three of six right; and as scikit-learn has it.
    given = np.array([0, 0, 0, 1, 1, 1])
    assert quality("accuracy", GRADES, truth)(given) == 3 / 6
    expected = cohen_kappa_score(truth, given, weights="quadratic", labels=[0, 1, 2])
    assert quality("quadratic_kappa", GRADES, truth)(given) == pytest.approx(expected)


def test_cuts_are_as_good_as_the_best_of_all():
    rng = np.random.default_rng(4)
    score, truth = rng.normal(size=30), rng.integers(0, 3, 30)
    judged = quality("accuracy", GRADES, truth)
    places = np.sort(score)[:-1] + np.diff(np.sort(score)) / 2
    every = max(judged(np.searchsorted(sorted((a, b)), score)) for a in places for b in places)
    found = judged(np.searchsorted(best_cuts(score, truth, np.array([-0.5, 0.5]), judged), score))
    assert every - found <= 1 / 30 + 1e-9, "one cut at a time can miss by little"


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from(("accuracy", "quadratic_kappa")))
def test_no_cut_is_a_score(seed, objective):
    # Few distinct scores, as of a judge that is asked thrice: the quantiles that a fit starts from are scores. Pairs
    # on a cut would be a tie of two grades, and get none.
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 5, 60) / 4
    truth = np.clip(np.round(score * 2 + rng.normal(0, 0.7, 60)), 0, 2).astype(int)
    judged = quality(objective, GRADES, truth)
    cuts = best_cuts(score, truth, np.array([-1.0, 3.0]), judged)
    assert not np.isin(cuts, score).any()
    assert judged(adjacent(score, cuts, 1.0).argmax(axis=1)) == judged(np.searchsorted(cuts, score, side="right"))


ascending = st.lists(st.floats(-5, 5), min_size=1, max_size=4).map(sorted)


@settings(max_examples=50)
@given(st.lists(st.floats(-8, 8), min_size=1, max_size=20), ascending, st.floats(0.05, 20))
def test_a_higher_score_is_never_a_lower_grade(scores, cuts, slope):
    score = np.sort(np.array(scores))
    for chances in (cumulative(score, np.array(cuts)), adjacent(score, np.array(cuts), slope)):
        assert chances.shape == (len(score), len(cuts) + 1)
        assert chances.sum(axis=1) == pytest.approx(np.ones(len(score)))
        # The whole distribution moves up: what lies at or below each grade falls.
        assert (np.diff(chances.cumsum(axis=1), axis=0) <= 1e-9).all()


@settings(max_examples=50)
@given(st.lists(st.integers(-80, 80), min_size=1, max_size=20), ascending, st.floats(0.5, 20))
def test_the_likeliest_grade_changes_at_the_cuts(scores, cuts, slope):
    score = np.array(scores) / 10
    clear = np.abs(score[:, None] - np.array(cuts)).min(axis=1) > 1e-3
    given_grades = adjacent(score[clear], np.array(cuts), slope).argmax(axis=1)
    assert given_grades.tolist() == np.searchsorted(cuts, score[clear]).tolist()


def test_the_slope_is_found_again():
    rng = np.random.default_rng(5)
    score, cuts = rng.normal(size=20_000), np.array([-0.5, 0.7])
    chances = adjacent(score, cuts, 2.5)
    truth = (rng.random(len(score))[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    assert fit_slope(score, np.eye(3)[truth], cuts) == pytest.approx(2.5, rel=0.05)


def test_constants_are_the_files_own():
    _, shares, queries, evidence = shop()
    query = np.unique(queries, return_inverse=True)[1]
    found = fit_ordinal(evidence, NAMES, shares, query, np.arange(600))
    again = Ordinal.model_validate_json(found.model_dump_json())
    whole = found.apply(evidence.values)
    halves = np.vstack([again.apply(evidence.values[:100]), again.apply(evidence.values[100:])])
    assert halves == pytest.approx(whole, abs=1e-15)
    # What is not known counts as the mean.
    unknown = evidence.values[:1].copy()
    unknown[0, 2] = np.nan
    mean = unknown.copy()
    mean[0, 2] = found.features[2].centre
    assert found.apply(unknown) == pytest.approx(found.apply(mean))


def test_a_blend_is_taken_where_the_texts_tell_more_than_the_judge():
    scores, shares, queries, evidence = shop()
    plain, found = calibrate(scores, shares, queries, ""), calibrate(scores, shares, queries, "", evidence)
    assert (plain.blend, found.form) == (None, "blend")
    assert found.after.log_loss < plain.after.log_loss
    assert found.before.model_dump() | {"quadratic_kappa": None} == plain.before.model_dump()
    kappa = cohen_kappa_score(shares.argmax(axis=1), scores.argmax(axis=1), weights="quadratic")
    assert found.before.quadratic_kappa == pytest.approx(kappa)
    assert found.after.quadratic_kappa > kappa
    assert "quadratic_kappa" not in plain.as_text()
    assert [feature.weight > 0 for feature in found.blend.features] == [True] * 3
    assert found.digest != plain.digest


@pytest.mark.parametrize("objective", ["log_loss", "quadratic_kappa", "accuracy"])
def test_on_noise_nothing_is_kept(objective):
    taken = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        chances = rng.dirichlet((3, 3, 3), 90)
        shares = chances.cumsum(axis=1) > rng.random((90, 1))
        shares = np.eye(3)[shares.argmax(axis=1)]  # the judge is calibrated already
        values = np.stack([chances @ np.array(GRADES), rng.normal(size=90), rng.normal(size=90)], axis=1)
        evidence = Evidence(Reading(NAMES), values, GRADES, objective, "fake")
        found = calibrate(np.log(chances), shares, [f"q{at % 15}" for at in range(90)], "", evidence)
        taken.append(found.form)
    # A rule of one standard error errs in about one of six comparisons, and there are up to four.
    assert taken.count("blend") <= 2
    assert taken.count("nothing") >= 3


def test_by_quadratic_kappa_or_accuracy_the_better_grades_are_taken():
    rng = np.random.default_rng(6)
    truth, query = rng.integers(0, 3, 60), np.repeat(np.arange(10), 6)
    # The second has more right, and when it errs it errs by two grades: worse by quadratic kappa, better by accuracy.
    first = np.where(rng.random(60) < 0.5, truth, 1)
    second = np.where(rng.random(60) < 0.7, truth, 2 - truth)
    chances = [np.eye(3)[first], np.eye(3)[second]]
    kappas = [cohen_kappa_score(truth, each, weights="quadratic") for each in (first, second)]
    accuracies = [(each == truth).mean() for each in (first, second)]
    assert (np.argmax(kappas), np.argmax(accuracies)) == (0, 1)
    for objective, best in (("quadratic_kappa", 0), ("accuracy", 1)):
        assert choose_by(objective, chances, np.eye(3)[truth], query, GRADES) == best
        assert choose_by(objective, chances[::-1], np.eye(3)[truth], query, GRADES) == 1 - best
        assert choose_by(objective, [chances[0]] * 2, np.eye(3)[truth], query, GRADES) == 0, "the simpler one"


@pytest.mark.parametrize("objective", ["quadratic_kappa", "accuracy"])
def test_a_blend_that_the_labels_went_through_stays_where_none_that_is_fitted_is_better(objective):
    scores, shares, queries, evidence = shop(240, objective=objective)
    query, every = np.unique(queries, return_inverse=True)[1], np.arange(240)
    knowing = fit_ordinal(evidence, NAMES, shares, query, every)  # it has seen all grades: no other is better
    upside_down = fit_ordinal(evidence, NAMES, shares[:, ::-1], query, every)

    def against(blend, chances, evidence=evidence):
        return calibrate(scores, shares, queries, "", evidence, Present(blend, chances, GRADES))

    chances = knowing.apply(evidence.values)
    found = against(knowing, chances)
    assert (found.stays, found.blend) == (True, knowing)
    assert found.held_out.confidence == tuple(np.round(chances.max(axis=1), 6).tolist())
    assert found.after.accuracy == pytest.approx((chances.argmax(axis=1) == shares.argmax(axis=1)).mean())
    other = against(upside_down, upside_down.apply(evidence.values))
    assert (other.stays, other.form) == (False, "blend")
    assert "better as they are" not in "".join(doubts(other, scores, evidence))
    # One of other features is no candidate, and has its figures all the same.
    lone = replace(evidence, reading=Reading(NAMES[:1]), values=evidence.values[:, :1], encoder=None)
    found = against(knowing, chances, lone)
    assert (found.stays, found.form in ("cut points", "nothing"), found.present.n) == (False, True, 240)
    assert "better as they are" in "".join(doubts(found, scores, lone)), "and is not lost without a word"
    # Nor is it where only a temperature and biases are fitted, whatever these do for the log loss.
    unsure = Present(knowing, 0.01 * chances + 0.33, GRADES)
    found = calibrate(scores, shares, queries, "", None, unsure)
    assert (found.blend, found.after.log_loss < found.present.log_loss) == (None, True)
    assert found.after.quadratic_kappa < found.present.quadratic_kappa
    said = "".join(doubts(found, scores, None, unsure))
    assert f"--features cosine,overlap --objective {objective}" in said
    assert ("quadratic kappa" in said, "log loss" in said) == (True, False)
    # Another blend in its place, which is worse, drops none.
    worse = other.model_copy(update={"present": found.present})
    assert "or try other features" in "".join(doubts(worse, scores, evidence, unsure))


def test_a_feature_that_is_always_the_same_is_left_out():
    _, shares, queries, evidence = shop(60)
    evidence.values[:, 1] = 0.4
    query = np.unique(queries, return_inverse=True)[1]
    found = fit_ordinal(evidence, NAMES, shares, query, np.arange(60))
    assert found.names == ("judge", "overlap")


def test_where_no_feature_tells_anything_the_mix_of_grades_is_left():
    _, shares, queries, evidence = shop(60)
    evidence.values[:] = 0.4
    query = np.unique(queries, return_inverse=True)[1]
    found = fit_ordinal(evidence, NAMES, shares, query, np.arange(60))
    assert found.encoder is None
    # With 60 pairs the ridge towards that mix is felt, a little.
    assert found.apply(evidence.columns(found.names))[0] == pytest.approx(shares.mean(axis=0), abs=0.02)


WRONG = {
    "unknown feature": {"features": ["judge", "colour"]},
    "a feature twice": {"features": ["judge", "judge"]},
    "no features": {"features": []},
    "descending cuts": {"cuts": [1, 0]},
    "no cuts": {"cuts": []},
    "a slope": {"slope": 1},
    "no number": {"cuts": [float("nan"), 1]},
    "cosine of no encoder": {"features": ["judge", "cosine"]},
    "encoder of no cosine": {"encoder": "fake"},
    "no spread": {"spread": 0},
    "copies of no cosine": {"near": 0.25},
    "any copy of no cosine": {"near": 0.0},
    "likeness of no overlap": {"alike": 0.5},
    "accessories of no overlap": {"features": ["cosine"], "encoder": "fake", "attached": 0.25},
    "titles of no overlap": {"features": ["cosine"], "encoder": "fake", "against": 0.25},
    "odds of no judge": {"features": ["overlap"], "odds": True},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_numbers_that_are_no_blend_are_refused(wrong):
    said = {"objective": "log_loss", "features": ["judge"], "cuts": [0, 1], "spread": 1} | wrong
    spread = said.pop("spread")
    said["features"] = [{"name": name, "centre": 0, "spread": spread, "weight": 1} for name in said["features"]]
    with pytest.raises(ValidationError):
        Ordinal.model_validate(said)


def test_a_blend_has_cuts_between_the_grades_of_its_calibration():
    scores, shares, queries, evidence = shop(60)
    said = calibrate(scores, shares, queries, "digest", evidence).model_dump(mode="json")
    blend = fit_ordinal(evidence, NAMES[:1], shares, np.arange(60), np.arange(60)).model_dump(mode="json")
    Calibration.model_validate(said | {"blend": blend})
    with pytest.raises(ValidationError):
        Calibration.model_validate(said | {"blend": blend | {"cuts": blend["cuts"][:1]}})
