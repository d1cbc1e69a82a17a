"""What decisions on a random sample of flags promise, by hand and by repetition."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.calibration.promise import (
    SAMPLE,
    Sample,
    corrected,
    draw,
    most_false,
    order_digest,
    promises,
    read_sample,
    write_sample,
)
from judge.errors import InputError

ORDER = np.arange(1000)
PAIRS = [(f"q{i % 97}", f"c{i}") for i in range(1000)]


CHANCE = np.linspace(1, 0, 1000)
"""Of the first 1,000, 0 in the end: half of the first 999 or all of them in the mean."""


def test_a_sample_is_drawn_at_random_from_what_may_be_wrong():
    # The mean of the first m chances is at least .5 for every m; of the first half of the order it is .75.
    assert draw(ORDER, PAIRS, CHANCE, 80).pool == 1000
    # (1 + 1 + .5 m) / (m + 2) is never below a half, (1 + 1 + .4 m) / (m + 2) is up to m = 10.
    few = np.concatenate([np.ones(2), np.full(998, 0.4)])
    assert draw(ORDER, PAIRS, few, 5).pool == 12
    # Twice as many as are drawn are drawn from, if there are so many.
    sample = draw(ORDER, PAIRS, few, 80)
    assert sample.pool == 160
    assert draw(ORDER[:30], PAIRS[:30], few[:30], 80).pool == 30
    assert len(set(sample.ranks)) == len(sample.ranks) == 80
    assert list(sample.ranks) == sorted(sample.ranks)
    assert [PAIRS[rank - 1] for rank in sample.ranks] == list(sample.pairs)
    assert draw(ORDER, PAIRS, few, 80) == sample
    assert draw(ORDER, PAIRS, few, 80, seed=1) != sample
    # Every place is as likely: of 400 draws of half, each has 200, give or take 4 standard deviations of 10.
    drawn = np.bincount(np.concatenate([draw(ORDER, PAIRS, few, 5, seed).ranks for seed in range(400)]))[1:]
    assert drawn.sum() == 2000
    assert abs(drawn - 2000 / 12).max() < 4 * np.sqrt(400 * 5 / 12 * 7 / 12)


def test_a_sample_is_read_back_and_a_damaged_one_refused(tmp_path):
    assert read_sample(tmp_path) is None
    sample = draw(ORDER, PAIRS, CHANCE, 10)
    write_sample(tmp_path, sample)
    assert read_sample(tmp_path) == sample
    whole = (tmp_path / SAMPLE).read_text()
    short = {**json.loads(whole), "ranks": sample.ranks[1:]}
    for damaged in ("{", json.dumps(short), '{"seed": 0, ' + whole.lstrip()[1:]):
        (tmp_path / SAMPLE).write_text(damaged)
        with pytest.raises(InputError, match=SAMPLE):
            read_sample(tmp_path)
    assert order_digest(ORDER) != order_digest(ORDER[::-1])


def test_nothing_is_promised_before_all_were_looked_at():
    sample = draw(ORDER, PAIRS, CHANCE, 20)
    assert promises(sample, dict.fromkeys(sample.pairs[1:], True)) == []


def test_how_many_may_be_false_by_hand():
    # Of 4 pairs 2 are drawn, none is false. With 1 false of the 4, none is drawn with 3/4 * 2/3 = 1/2; with 2, with
    # 2/4 * 1/3 = 1/6; with 3 never.
    assert [most_false(4, 2, 0, risk) for risk in (0.51, 0.49, 0.17, 0.16)] == [0, 1, 1, 2]
    # All were drawn: as many as were found. None was drawn: all may be.
    assert most_false(9, 9, 4, 0.1) == 4
    assert most_false(9, 0, 0, 0.1) == 9


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.01, 0.1, 0.3]))
def test_the_bound_is_exceeded_no_more_often_than_its_risk(size, drawn, false, risk):
    drawn, false = min(drawn, size), min(false, size)
    # By enumeration: the chance of all outcomes whose bound is below the truth.
    outcomes = range(max(0, drawn - (size - false)), min(drawn, false) + 1)
    low = [k for k in outcomes if most_false(size, drawn, k, risk) < false]
    ways = math.comb(size, drawn)
    assert sum(math.comb(false, k) * math.comb(size - false, drawn - k) for k in low) / ways <= risk


def test_a_promise_by_hand():
    # All of 16 pairs are decided, 4 of them are false: ranks 5, 6, 13 and 14. Steps of two: 2, 4, 6, 8 ... pairs have
    # 0, 0, 2, 2, 2, 2, 4, 4 false ones, and with all of them decided the shares are exact.
    sample = Sample(
        order="", pool=16, seed=0, ranks=tuple(range(1, 17)), pairs=tuple((f"q{i}", "c") for i in range(16))
    )
    wrong = {pair: rank not in (5, 6, 13, 14) for pair, rank in zip(sample.pairs, sample.ranks, strict=True)}
    found = [(each.budget, each.pairs, each.decided, each.false, each.bound) for each in promises(sample, wrong)]
    # 2 of 6 is above .3: a walk does not go on, though 2 of 12 are below .2.
    assert found[:3] == [(budget, 4, 4, 0, 0.0) for budget in (0.1, 0.2, 0.3)]
    assert found[3] == (0.5, 16, 16, 4, 0.25)
    # All false: nothing, at any rate.
    assert [(each.pairs, each.bound) for each in promises(sample, dict.fromkeys(sample.pairs, False))] == [(0, 1.0)] * 4


def test_pairs_of_few_queries_promise_what_pairs_of_many_do():
    # What is drawn are pairs of one list: how errors gather in queries changes nothing.
    sample = draw(ORDER, PAIRS, np.zeros(1000), 150)
    few = sample.model_copy(update={"pairs": tuple((f"q{rank % 3}", f"c{rank}") for rank in sample.ranks)})
    right = {rank: rank % 9 > 0 for rank in sample.ranks}
    first, second = (promises(each, dict(zip(each.pairs, right.values(), strict=True))) for each in (sample, few))
    assert first == second
    assert [each.pairs > 0 for each in first[1:]] == [True, True, True]


@pytest.mark.parametrize("together", [False, True])
def test_a_promise_is_broken_at_most_as_often_as_it_says(together):
    # Of the first pairs 5% are false, then ever more; with `together` whole queries of ten neighbours are. A promise of
    # 10% (20, 30) of the first m is held against all of them.
    rng = np.random.default_rng(5)
    level = np.concatenate([np.full(60, 0.05), np.linspace(0.05, 0.9, 240)])
    trials, broken, given_out = 150, np.zeros(4), np.zeros(4)
    for seed in range(trials):
        dice = np.repeat(rng.random(30), 10) if together else rng.random(300)
        false = dice < level
        sample = draw(np.arange(300), PAIRS[:300], np.full(300, 0.5), 150, seed)
        wrong = {pair: not false[rank - 1] for pair, rank in zip(sample.pairs, sample.ranks, strict=True)}
        for at, each in enumerate(promises(sample, wrong)):
            given_out[at] += each.pairs > 0
            broken[at] += each.pairs > 0 and false[: each.pairs].mean() > each.budget
    # At 90% confidence each is broken 15 times of 150 at most, in the mean; above 26 times with a chance of 0.2%.
    assert broken.max() <= 26
    assert given_out[1:].min() > trials / 2, "no promise is kept by giving none"


def test_decisions_correct_chances_and_few_of_them_hardly():
    chance = np.array([0.9, 0.5, 0.1])
    assert corrected(chance, np.empty(0), np.empty(0, dtype=bool)) == pytest.approx(chance)
    one = corrected(chance, np.array([0.9]), np.array([False]))
    assert np.all(one < chance)
    assert np.all(one > 0.5 * chance)
    # Of 200 pairs that were given .9, half were wrong: that is what .9 comes to.
    many = corrected(chance, np.full(200, 0.9), np.arange(200) % 2 == 0)
    assert many[0] == pytest.approx(0.5, abs=0.07)
    assert many[0] > many[1] > many[2]
