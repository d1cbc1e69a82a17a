"""BM25: values by hand, an order of its own for equals, scripts without blanks."""

import math

import numpy as np
import pytest

from judge.words import bm25
from judge.words.bm25 import Bm25
from judge.words.split import words

TEXTS = ["red wool scarf", "red kettle", "blue wool scarf with wool fringe", "", "kettle"]


def test_a_score_by_hand():
    # "wool": in 2 of 5 texts, idf = ln(1 + 3.5 / 2.5) = .875469. Lengths 3, 2, 6, 0, 1: mean 2.4.
    # Text 2 has it twice: 2 x 2.2 / (2 + 1.2 x (.25 + .75 x 6 / 2.4)) = 4.4 / 4.55 = .967033; times idf .846607.
    # Text 0 once: 2.2 / (1 + 1.2 x (.25 + .75 x 3 / 2.4)) = 2.2 / 2.425 = .907216; times idf .794240.
    ((places, scores),) = Bm25(TEXTS).top(["wool"], 10)
    idf = math.log(1 + 3.5 / 2.5)
    assert places.tolist() == [2, 0]
    assert scores.tolist() == pytest.approx([idf * 4.4 / 4.55, idf * 2.2 / 2.425], abs=1e-5)


def test_queries_keep_their_order_in_blocks_and_one_without_known_words_finds_nothing(monkeypatch):
    queries = ["wool", "zzz", "", "kettles", "red"]
    whole = list(Bm25(TEXTS).top(queries, 3))
    assert [places.tolist() for places, _ in whole] == [[2, 0], [], [], [4, 1], [1, 0]]
    monkeypatch.setattr(bm25, "WORK", 1)
    again = list(Bm25(TEXTS).top(queries, 3))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(whole, again, strict=True))


def test_of_equals_the_earlier_is_first_whatever_k():
    index = Bm25(["same text"] * 50)
    for k in (1, 7, 50, 99):
        ((places, _),) = index.top(["text"], k)
        assert places.tolist() == list(range(min(k, 50)))


def test_scripts_without_blanks_are_cut_in_twos():
    assert words("赤いマフラー wool") == ["赤い", "いマ", "マフ", "フラ", "ラー", "wool"]
    assert words("шерстяной шарф") == ["шерстянои", "шарф"]  # й without its breve, as accents go
    ((places, _),) = Bm25(["青い靴", "赤いマフラー", "赤い靴"]).top(["赤いマフラー"], 3)
    assert places.tolist() == [1, 2]
    assert next(iter(Bm25([]).top(["red"], 3)))[0].tolist() == []


def test_a_plural_is_found_by_its_singular_and_the_other_way():
    index = Bm25(["Summer dress", "AA batteries", "Zip hoody", "Axe"])
    found = [[*places] for places, _ in index.top(["dresses", "battery", "hoodies", "hoodie", "axes", "tie"], 3)]
    assert found == [[0], [1], [2], [2], [3], []]
