"""The proof of mining: what is counted, by hand, and what the rival miner is asked."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.mining_proof import Proposal, Rated, lines, ranked
from benchmarks.mining_rivals import VARIANTS, rival
from judge.search.catalogue import Catalogue

GRADES = {"lamp": {"P": 2, "A": 2, "B": 1, "C": 0, "D": 0}, "desk": {"Q": 2, "E": 0}}
RATED = Rated(GRADES, {"lamp": "P", "desk": "Q"}, Catalogue("none", [], 0), frozenset(GRADES), Path())


def test_false_negatives_are_counted_before_and_after_the_judge():
    found = [Proposal("dense", "lamp", key) for key in "ABCX"] + [Proposal("dense", "desk", "E")]
    said = {("lamp", "A"): 0, ("lamp", "B"): 1, ("lamp", "C"): 0, ("desk", "E"): 0}
    table = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines(RATED, found, said)]
    every, dense = table[2:]
    # All but the known ones: A 2, B 1, C, D and E 0. Two of five are relevant, one fully.
    assert every[:3] == ["all that people graded", "5", "5, 2"]
    assert [cell[:4] for cell in every[3:5]] == ["0.40", "0.20"]
    # X has no grade. Of A, B, C and E two are relevant; the judge calls A, C and E 0, and A is none.
    assert dense[:3] == ["dense", "5", "4, 2"]
    assert [cell[:4] for cell in dense[3:5]] == ["0.50", "0.25"]
    assert (dense[5], dense[7]) == ("4, 2", "3, 2")
    assert [cell[:4] for cell in dense[8:]] == ["0.33", "0.33"]


def test_two_rankings_agree_on_what_both_show():
    assert ranked({"dense": [[4, 7]], "lexical": [[7, 9]]}) == {"agreed": [(0, 7)], "disputed": [(0, 4), (0, 9)]}


@pytest.mark.parametrize(("variant", "kept"), [*zip(VARIANTS, ([0, 2, 3], [3], [3], [3]), strict=True)])
def test_margins_of_the_rival_by_hand(variant, kept):
    # Cosines with the query 1, .8 (the positive), .78 and .6: a margin of .05 of .8 leaves what is below .76, one of
    # .2 what is below .64, and .1 absolute what is below .7.
    cosines = np.array([1, 0.8, 0.78, 0.6], np.float32)
    documents = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)
    texts = (["a", "positive", "b", "c"], ["query"], [1])
    found = rival(variant, texts, (documents, np.array([[1, 0]], np.float32)), 3)
    assert [place for _, place in found] == kept
