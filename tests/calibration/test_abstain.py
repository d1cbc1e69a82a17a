"""Abstaining: the promise holds, also where pairs of one query err together, and people see what is left to them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_rows import labelled_pair
from scipy.stats import binomtest

from judge.calibration.abstain import (
    Threshold,
    betting_bound,
    by_query,
    choose,
    upper_bound,
    walk,
    within_reach,
)
from judge.calibration.calibrate import DECIMALS, Calibration, calibrate
from judge.calibration.held_out import HeldOut
from judge.errors import InputError
from judge.records import Failure, Pair, Scores, Status
from judge.run.store import Run


def draw(rng, queries, size, together):
    """Held-out pairs: more confident ones err less, and a query's errors share a part of their chance."""
    query = np.repeat(np.arange(queries), size)
    confidence = rng.uniform(0.34, 1.0, queries * size)
    chance = np.clip((1 - confidence) * (1 + together * rng.choice([-1, 1], queries)[query]), 0, 1)
    return HeldOut(
        confidence=tuple(confidence), wrong=tuple(rng.random(queries * size) < chance), query=tuple(query.tolist())
    )


@pytest.mark.parametrize(("budget", "together"), [(0.2, 0.0), (0.25, 0.0), (0.25, 0.6), (0.3, 1.0)])
def test_the_promise_holds_as_often_as_it_says(budget, together):
    rng = np.random.default_rng(1)
    trials, broken, graded = 200, 0, []
    for _ in range(trials):
        held = draw(rng, 60, 15, together)
        found, _ = walk(*map(np.array, (held.confidence, held.wrong, held.query)), budget)
        if found is None:
            continue
        # Errors are (1 - confidence) on average, so above a threshold t on U(.34, 1) the error rate is (1 - t) / 2.
        t = max(found.least, 0.34)
        broken += (1 - t) / 2 > budget
        graded.append(found.coverage)
        chosen = (held, found)
    assert choose(chosen[0], budget) == chosen[1]
    assert binomtest(broken, trials, 0.1, alternative="greater").pvalue > 0.01, f"{broken} of {trials} broken"
    assert len(graded) > trials / 2, "the promise is not kept by grading nothing"


@pytest.mark.parametrize(
    ("queries", "size", "misread", "there", "elsewhere", "budget"),
    [(10, 30, 0.1, 0.9, 0.01, 0.09), (5, 40, 0.1, 0.9, 0.01, 0.05), (60, 15, 0.2, 0.9, 0.02, 0.19)],
)
def test_the_promise_holds_where_whole_queries_are_misread(queries, size, misread, there, elsewhere, budget):
    rng = np.random.default_rng(2)
    assert misread * there + (1 - misread) * elsewhere > budget, "so that every promise is a broken one"
    trials, broken = 100, 0
    for _ in range(trials):
        query = np.repeat(np.arange(queries), size)
        chance = np.where(rng.random(queries) < misread, there, elsewhere)[query]
        wrong = rng.random(len(query)) < chance
        broken += walk(rng.uniform(0.34, 1.0, len(query)), wrong, query, budget)[0] is not None
    assert binomtest(broken, trials, 0.1, alternative="greater").pvalue > 0.01, f"{broken} of {trials} broken"


def test_the_bound_of_queries_without_errors_by_hand():
    # Each of Q queries multiplies the half that is staked whole by 1 / (1 - rate). At rate .1 that is .9 ** -20 = 8.225
    # of it, and less of the others: 1 + f / 9 to the 20th for f of 1/2, 1/4, 1/8, 1/16.
    capital = 0.5 * 0.9**-20 + sum(w * (1 + f / 9) ** 20 for f, w in ((0.5, 0.25), (0.25, 0.125), (0.125, 0.0625)))
    capital += 0.0625 * (1 + 1 / 144) ** 20
    assert upper_bound(np.zeros(20), np.arange(20), 1 / capital) == pytest.approx(0.1)
    # Never below the exact bound of as many independent trials, and near it.
    exact = binomtest(0, 60).proportion_ci(0.9, "exact").high
    assert exact < upper_bound(np.zeros(60), np.arange(60), 0.05) < 1.2 * exact
    assert upper_bound(np.ones(5), np.arange(5), 0.05) == 1.0


def test_more_pairs_of_the_same_queries_promise_nothing_more():
    few, many = np.repeat(np.arange(6), 2), np.repeat(np.arange(6), 100)
    assert upper_bound(np.zeros(12), few, 0.05) == pytest.approx(upper_bound(np.zeros(600), many, 0.05))
    # Numbers of queries need not be dense.
    assert upper_bound(np.zeros(12), 7 * few + 3, 0.05) == pytest.approx(upper_bound(np.zeros(12), few, 0.05))


def test_a_large_query_counts_as_the_median_one_by_hand():
    # Queries of 2, 2 and 40 pairs with 0, 1 and 10 errors: the median has 2, so the last counts as 2 pairs with .5.
    wrong = np.array([0, 0, 1, 0] + [1] * 10 + [0] * 30, dtype=float)
    sizes, errors = by_query(wrong, np.repeat([0, 1, 5], [2, 2, 40]))
    assert (sizes.tolist(), errors.tolist()) == ([2, 2, 2], [0, 1, 0.5])
    # 40 queries of 3 pairs and one of 400, nothing wrong: as 41 queries of 3. Scaled by the largest, nearly nothing.
    query = np.repeat(np.arange(41), [3] * 40 + [400])
    bound = upper_bound(np.zeros(len(query)), query, 0.05)
    assert bound == pytest.approx(upper_bound(np.zeros(123), np.repeat(np.arange(41), 3), 0.05))
    assert bound < 0.1
    assert betting_bound(np.bincount(query).astype(float), np.zeros(41), 0.05) > 0.8
    # No bound is below what was found in all pairs, however few queries have it.
    assert upper_bound((query == 40).astype(float), query, 0.05) >= 400 / 520


def test_the_bound_holds_for_queries_of_very_unequal_sizes():
    # A tenth of the queries is wrong in .6 of its pairs, the rest in .05: .105 of the pairs, whatever the sizes.
    rng = np.random.default_rng(4)
    trials, below = 300, 0
    for _ in range(trials):
        sizes = np.maximum(rng.lognormal(1.0, 1.2, 40), 1).astype(int)
        query = np.repeat(np.arange(40), sizes)
        chance = np.where(rng.random(40) < 0.1, 0.6, 0.05)[query]
        below += upper_bound((rng.random(len(query)) < chance).astype(float), query, 0.1) < 0.105
    assert binomtest(below, trials, 0.1, alternative="greater").pvalue > 0.01, f"{below} of {trials} too low"


def test_what_is_within_reach_can_be_asked_for_and_what_a_tighter_promise_takes():
    rng = np.random.default_rng(6)
    held = draw(rng, 25, 12, 0.3)
    reach = within_reach(held)
    assert reach.promises
    for each in reach.promises:
        assert choose(held, each.budget).coverage == each.coverage
    assert [p.coverage for p in reach.promises] == sorted({p.coverage for p in reach.promises})
    assert reach.tighter is not None
    assert reach.tighter < reach.promises[0].budget
    with pytest.raises(InputError) as refused:
        choose(held, reach.tighter)
    assert f"about {reach.more_queries} more rated quer" in refused.value.hint

    def times(count: int) -> HeldOut:
        shifted = tuple(q + 25 * n for n in range(count) for q in held.query)
        return HeldOut(confidence=held.confidence * count, wrong=held.wrong * count, query=shifted)

    # As many again as it says, of the very same kind, and it can be promised.
    assert reach.more_queries is not None
    enough = -(-(25 + reach.more_queries) // 25)
    assert choose(times(enough), reach.tighter).bound <= reach.tighter
    # Where everything is wrong, no number of queries helps.
    lost = HeldOut(confidence=(0.9,) * 50, wrong=(True,) * 50, query=tuple(range(50)))
    assert (within_reach(lost).promises, within_reach(lost).more_queries) == ((), None)


def test_no_number_of_queries_is_named_where_large_ones_err_more():
    # 40 queries of 5 pairs without errors, 4 of 300 with 90 each: a query counts as 5 pairs, so that 6 of 220 are wrong
    # in the bound, but 360 of 1,400 pairs are, and no promise is below that.
    sizes, wrong = [5] * 40 + [300] * 4, [0] * 40 + [90] * 4
    many = tuple(at < errors for size, errors in zip(sizes, wrong, strict=True) for at in range(size))
    held = HeldOut(confidence=(0.9,) * 1400, wrong=many, query=tuple(np.repeat(np.arange(44), sizes).tolist()))
    assert [promise.budget for promise in within_reach(held).promises] == [0.3]
    assert (within_reach(held).tighter, within_reach(held).more_queries) == (0.25, None)
    with pytest.raises(InputError) as refused:
        choose(held, 0.1)
    assert "more rated" not in refused.value.hint


@given(st.integers(0, 1000), st.integers(1, 20), st.floats(0.01, 0.5))
def test_the_bound_is_above_the_rate_and_grows_with_errors_and_confidence(seed, queries, risk):
    rng = np.random.default_rng(seed)
    query = rng.integers(0, queries, 60)
    wrong = (rng.random(60) < 0.3).astype(float)
    bound = upper_bound(wrong, query, risk)
    assert wrong.mean() <= bound <= 1
    more = wrong.copy()
    more[rng.integers(60)] = 1
    assert upper_bound(more, query, risk) >= bound - 1e-9
    assert upper_bound(wrong, query, risk / 2) >= bound - 1e-9


def test_a_promise_that_cannot_be_made_says_which_can():
    held = HeldOut(confidence=(0.9,) * 50, wrong=(False,) * 45 + (True,) * 5, query=tuple(range(50)))
    with pytest.raises(InputError, match=r"the least that can be promised is 0\.2") as refused:
        choose(held, 0.05)
    least = float(refused.value.hint.split("--max-noise ")[1].split(",")[0])
    assert choose(held, least).bound <= least


def test_nothing_held_out_promises_nothing():
    with pytest.raises(InputError, match="needs held-out ratings"):
        choose(HeldOut(confidence=(), wrong=(), query=()), 0.5)


def test_no_budget_is_offered_that_would_be_refused():
    held = HeldOut(confidence=(0.9,) * 50, wrong=(True,) * 50, query=tuple(range(50)))
    with pytest.raises(InputError, match=r"the least that can be promised is 1\.0") as refused:
        choose(held, 0.05)
    assert "--max-noise" not in refused.value.hint


@pytest.mark.parametrize("budget", [0.0, 1.0, -0.1, 5.0])
def test_a_budget_that_is_no_share_is_refused(budget):
    with pytest.raises(InputError, match="not between 0 and 1"):
        choose(HeldOut(confidence=(), wrong=(), query=()), budget)


@given(st.integers(0, 1000), st.floats(0.05, 0.6), st.floats(0.01, 0.3))
def test_a_larger_budget_never_grades_less(seed, budget, more):
    held = draw(np.random.default_rng(seed), 30, 10, 0.3)
    arrays = [np.array(column) for column in (held.confidence, held.wrong, held.query)]
    small, _ = walk(*arrays, budget)
    if small is None:
        return
    large, _ = walk(*arrays, budget + more)
    assert large.least <= small.least
    assert small.bound <= budget


@pytest.fixture
def cautious(tmp_path):
    """A calibration that changes nothing, of 100 held-out pairs at .6 that are right and 100 at .4 that are wrong.

    Of coverages up to .5 nothing is wrong, with a bound of about 1 - .05 ** (1 / 100) = .03; beyond it all of the wrong
    ones come in at once. So the threshold for any budget from .1 to .4 is .6.
    """
    shares = np.eye(3)[np.arange(60) % 3]
    plain = calibrate(np.log(np.where(shares, 0.5, 0.25)), shares, [f"q{n % 12}" for n in range(60)], "data")
    held = HeldOut(
        confidence=(0.6,) * 100 + (0.4,) * 100, wrong=(False,) * 100 + (True,) * 100, query=tuple(range(200))
    )
    path = tmp_path / "cautious.json"
    changed = plain.model_copy(update={"temperature": 1.0, "bias": (0.0,) * 3, "held_out": held})
    path.write_text(changed.model_dump_json())
    return path


def labels_of(path):
    """The labels of a run by row: confidence, status, grade, probabilities, expected grade, reason."""
    sql = "SELECT row, list_max(probabilities), status, grade, probabilities, expected_grade, reason FROM labels"
    return {row: rest for row, *rest in Run(path).query(sql)}


def test_unsure_pairs_are_left_to_people_with_their_probabilities(main, rated_file, cautious, tmp_path):
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    made = json.loads((tmp_path / "plain" / "run.json").read_text())["parts"]
    whose = Calibration.model_validate_json(cautious.read_bytes()).model_copy(update={"parts": made})
    cautious.write_text(whose.model_dump_json())
    given = ("--engine", "fake", "--calibration", cautious, "--max-noise", 0.1)
    done = main("label", rated_file, *given, "--out", "run", "--json").json
    plain, labels = labels_of(tmp_path / "plain"), labels_of(tmp_path / "run")
    unsure = {row for row, (confidence, *_) in plain.items() if confidence < 0.6}
    assert 0 < len(unsure) < len(plain) == 72
    assert {row for row, (_, status, *_) in labels.items() if status == "abstained"} == unsure
    for row, (confidence, status, grade, probabilities, expected, reason) in labels.items():
        before = plain[row]
        assert [confidence, expected, *probabilities] == pytest.approx([before[0], before[4], *before[3]]), row
        assert (status, grade) == (("abstained", None) if row in unsure else ("graded", before[2])), row
        assert ("0.600" in reason) if row in unsure else (reason is None), row
    counts = {"graded": 72 - len(unsure), "abstained": len(unsure), "failed": 0, "skipped": 0}
    assert done["status"] == main("status", "run", "--json").json["status"] == counts
    # What comes after takes them for what they are: no grade, no training row, less coverage.
    main("export", "run", "--to", "jsonl", "--out", "all.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert sum(row["status"] == "abstained" and row["grade"] is None for row in rows) == len(unsure)
    exported = main("export", "run", "--to", "pairs", "--out", "pairs.parquet", "--json").json
    assert (exported["used"], exported["left_out"]) == (72 - len(unsure), {"abstained": len(unsure)})
    agreed = main("agree", rated_file, "--run", "run", "--json").json
    assert agreed["not_graded"] == {"abstained": len(unsure)}
    assert agreed["coverage"] == pytest.approx(1 - len(unsure) / 72)
    lost = next(row for row in labels if row in unsure)
    query_id, candidate_id = Run(tmp_path / "run").query(
        f"SELECT query_id, candidate_id FROM labels WHERE row = {lost}"
    )[0]
    told = main("trace", "run", query_id, candidate_id, "--json").json
    assert (told["status"], told["grade"], told["final_status"], told["threshold"]) == (
        "abstained",
        None,
        "abstained",
        0.6,
    )
    # A person's decision is the grade that was missing.
    (tmp_path / "sheet.csv").write_text(f"query_id,candidate_id,decision\n{query_id},{candidate_id},1\n")
    main("decide", "run", "sheet.csv", "--author", "Ana")
    told = main("trace", "run", query_id, candidate_id, "--json").json
    assert (told["status"], told["final_status"], told["final_grade"]) == ("abstained", "graded", 1)


def test_a_failure_is_not_abstained_and_an_unsure_answer_no_failure():
    """Three answers at a threshold of .6: sure, unsure, and none."""
    threshold = Threshold(budget=0.1, confidence=0.9, least=0.6, coverage=0.5, error=0, bound=0.03, pairs=200)
    sure, unsure = (Scores(tuple(np.log(chances)), 0.0) for chances in ((0.2, 0.1, 0.7), (0.2, 0.3, 0.5)))
    answers = (sure, unsure, Failure("gone"))
    pair = Pair(1, "q", "lamp", "p", {"title": "A lamp"}, None)
    made = [labelled_pair(pair, answer, threshold=threshold) for answer in answers]
    assert [label.status for label in made] == [Status.GRADED, Status.ABSTAINED, Status.FAILED]
    assert [label.grade for label in made] == [2, None, None]
    assert [label.expected_grade for label in made[:2]] == pytest.approx([1.5, 1.3])
    assert [label.probabilities is None for label in made] == [False, False, True]
    assert made[2].reason == "gone"


def test_a_pair_on_the_threshold_is_graded_as_it_was_held_out():
    # Of three samples two agree, or one and a bit: confidences of 2/3, which no decimals give, and .4. Held out, the
    # surer half is right and the other wrong, so that the threshold is the surer ones' confidence.
    chances = np.array([(1 / 6, 1 / 6, 2 / 3), (0.3, 0.3, 0.4)])
    rounded = tuple(np.round(np.tile(chances.max(axis=1), 200), DECIMALS).tolist())
    query = tuple(np.repeat(np.arange(100), 4).tolist())
    threshold = choose(HeldOut(confidence=rounded, wrong=(False, True) * 200, query=query), 0.1)
    assert threshold.coverage == 0.5
    pair = Pair(1, "q", "lamp", "p", {"title": "A lamp"}, None)
    labels = [labelled_pair(pair, Scores(tuple(np.log(each)), 0.0), threshold=threshold) for each in chances]
    assert [label.status for label in labels] == [Status.GRADED, Status.ABSTAINED]


def test_the_least_that_is_offered_is_accepted(main, rated_file):
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    main("calibrate", "plain", rated_file, "--out", "calibration.json")
    given = ["label", rated_file, "--engine", "fake", "--calibration", "calibration.json"]
    refused = main(*given, "--max-noise", 0.001, "--out", "run", code=2)
    assert "the least that can be promised" in refused.err
    least = float(refused.err.split("allow --max-noise ")[1].split(",")[0])
    done = main(*given, "--max-noise", least, "--out", "run").out
    assert "of grades wrong, with 90% confidence" in done


def test_a_judge_without_held_out_ratings_cannot_promise_anything(main, rated_file):
    refused = main("label", rated_file, "--engine", "fake", "--max-noise", 0.1, "--out", "run", code=2)
    assert "needs held-out ratings" in refused.err
    assert "judge calibrate" in refused.err
    refused = main("label", rated_file, "--engine", "fake", "--max-noise", 7, "--out", "run", code=2)
    assert "--max-noise 7.0: is not between 0 and 1" in refused.err
