"""What decisions on a random sample of flags promise, by hand and by repetition."""

import json

import numpy as np
import pytest

from judge.calibration.promise import (
    SAMPLE,
    corrected,
    draw,
    order_digest,
    promises,
    read_sample,
    write_sample,
)
from judge.errors import InputError

ORDER = np.arange(1000)
PAIRS = [(f"q{i % 97}", f"c{i}") for i in range(1000)]


def test_a_sample_is_drawn_evenly_from_the_flags_and_as_many_below():
    sample = draw(ORDER, PAIRS, flagged=200, count=80)
    assert sample.pool == 400
    # One from each five places: 40 within the flags, 40 below.
    assert [(rank - 1) // 5 for rank in sample.ranks] == list(range(80))
    assert [PAIRS[rank - 1] for rank in sample.ranks] == list(sample.pairs)
    assert draw(ORDER, PAIRS, 200, 80) == sample
    assert draw(ORDER, PAIRS, 200, 80, seed=1) != sample
    assert draw(ORDER[:30], PAIRS[:30], flagged=0, count=80).pool == 30


def test_a_sample_is_read_back_and_a_damaged_one_refused(tmp_path):
    assert read_sample(tmp_path) is None
    sample = draw(ORDER, PAIRS, 20, 10)
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
    sample = draw(ORDER, PAIRS, 100, 20)
    assert promises(sample, dict.fromkeys(sample.pairs[1:], True)) == []


def test_a_promise_by_hand():
    # 150 pairs of 150 queries, none false: Clopper and Pearson's bound at .05 is 1 - .05 ** (1 / 150) = .020, and of
    # the first half, where a walk begins, .039.
    pairs = [(f"q{i}", "c") for i in range(150)]
    sample = draw(np.arange(150), pairs, 75, 150)
    tenth, *_ = promises(sample, dict.fromkeys(pairs, True))
    assert (tenth.pairs, tenth.decided, tenth.false) == (150, 150, 0)
    assert 0.019 < tenth.bound < 0.04
    # All false: nothing, at any rate.
    assert [each.pairs for each in promises(sample, dict.fromkeys(pairs, False))] == [0, 0, 0, 0]


def test_a_promise_is_broken_at_most_as_often_as_it_says():
    # Of the first 200 pairs 5% are false, then ever more. A promise of 20% of the first m is held against all of them.
    chance = np.concatenate([np.full(200, 0.05), np.linspace(0.05, 0.9, 800)])
    rng, broken, given = np.random.default_rng(5), 0, 0
    for seed in range(40):
        false = rng.random(1000) < chance
        sample = draw(ORDER, [(f"q{i}", "c") for i in range(1000)], 250, 150, seed)
        wrong = {pair: not false[rank - 1] for pair, rank in zip(sample.pairs, sample.ranks, strict=True)}
        fifth = promises(sample, wrong)[1]
        given += fifth.pairs > 0
        broken += fifth.pairs > 0 and false[: fifth.pairs].mean() > 0.2
    assert given >= 30
    # At 90% confidence 4 of 40 are expected at most; 9 or more have a chance of 1.6% then.
    assert broken <= 8


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
