"""What a blend reads of a pair: a copy of the query at a title's end counts where the rest is near to it."""

import numpy as np
import pytest
from blend_fixtures import BLEND

from judge.calibration.features import NEAR, Reading, candidate_text, cosines, log_odds, measure
from judge.models.fake_encoder import FakeEncoder
from judge.records import Pair

NAMES = ("cosine", "overlap")
CHANCES = np.empty((1, 3))
GRADES = (0, 1, 2)


def pair(query, title, **more):
    return Pair(1, "q", query, "c", {"title": title, **more})


def read(one, told, near=NEAR, **how):
    """Cosine and overlap, where texts have the cosines that are told."""

    def cosine(pairs):
        return np.array([told[candidate_text(each)] for each in pairs])

    return measure(Reading(NAMES, near, **how), [one], CHANCES, GRADES, cosine)[0].tolist()


def test_an_honest_end_counts_and_an_added_one_does_not():
    honest, added = pair("hammer", "16 oz claw hammer"), pair("hammer", "Logitech mouse hammer")
    told = {"16 oz claw": 0.41, "16 oz claw hammer": 0.72, "Logitech mouse": 0.08, "Logitech mouse hammer": 0.5}
    assert read(honest, told) == [0.72, 1.0]
    assert read(added, told) == [0.08, 0.0]
    assert read(honest, told, near=None) == [0.41, 0.0]
    assert read(honest, told, near=0.45) == [0.41, 0.0]


def test_one_copy_counts_and_no_more_of_them():
    told = {"16 oz claw": 0.41, "16 oz claw hammer": 0.72}
    assert read(pair("hammer", "16 oz claw hammer hammer hammer"), told) == [0.72, 1.0]


def test_a_copy_lowers_nothing():
    """So that a cosine says whether the copy counted: from .25 on it did, below it did not."""
    told = {"16 oz claw": 0.26, "16 oz claw hammer": 0.2}
    assert read(pair("hammer", "16 oz claw hammer"), told) == [0.26, 1.0]


def test_where_there_are_other_fields_no_copy_counts():
    one = pair("tripod", "Manfrotto 3000 tripod", description="A tripod of steel")
    assert read(one, {"Manfrotto 3000. A tripod of steel": 0.6}) == [0.6, 1.0]
    one = pair("tripod", "Manfrotto 3000 tripod", description="A stand for cameras")
    assert read(one, {"Manfrotto 3000. A stand for cameras": 0.6}) == [0.6, 0.0]
    # Of another field nothing is left out at the end.
    one = pair("usb cable", "Hub", category="Cables usb cable")
    assert read(one, {"Hub. Cables usb cable": 0.2}) == [0.2, 1.0]


def test_a_guideline_without_a_title_has_its_first_field_for_one():
    def named(query, name, **more):
        return Pair(1, "q", query, "c", {"name": name, **more})

    told = {"16 oz claw": 0.41, "16 oz claw hammer": 0.72, "Logitech mouse": 0.08}
    assert read(named("hammer", "16 oz claw hammer"), told) == [0.72, 1.0]
    assert read(named("hammer", "Logitech mouse hammer hammer"), told) == [0.08, 0.0]
    # And an accessory is told by it.
    lock = named("laptop", "Laptop lock", kind="Locks")
    assert (
        read(lock, {"Laptop lock. Locks": 0.5})
        == read(pair("laptop", "Laptop lock", kind="Locks"), {"Laptop lock. Locks": 0.5})
        == [0.5, 0.25]
    )


def test_known_cosines_give_the_features_that_computed_ones_gave():
    titles = (
        "Soft wool scarf",
        "Steel kettle, wool scarf",
        "wool scarf wool scarf",
        "A hat",
        "Woollen scarves wool scarf",
    )
    pairs = [pair("wool scarf", title) for title in titles]
    chances, encoder = np.full((5, 3), 1 / 3), FakeEncoder()
    for near in (None, 0.05, 0.2, NEAR, 0.9):
        reading = Reading(("judge", *NAMES), near)
        fresh = measure(reading, pairs, chances, GRADES, lambda some: cosines(some, encoder))
        again = measure(reading, pairs, chances, GRADES, fresh[:, 1])
        assert again.tolist() == fresh.tolist()
        # Each alone as all together: shards agree.
        for at, one in enumerate(pairs):
            alone = measure(reading, [one], chances[:1], GRADES, lambda some: cosines(some, encoder))
            assert alone[0] == pytest.approx(fresh[at])


def test_without_an_encoder_no_copy_counts():
    how = Reading(("judge", "overlap"), odds=False)
    assert measure(how, [pair("hammer", "16 oz claw hammer")], np.eye(3)[1:2], GRADES).tolist() == [[1.0, 0.0]]


def test_what_the_judge_says_is_on_the_scale_of_log_odds():
    # Grade 1 or better: .8 to .2; grade 2: .5 to .5.
    assert log_odds(np.array([[0.2, 0.3, 0.5]])) == pytest.approx([np.log(4)])
    assert log_odds(np.array([[0.5, 0.5]])) == pytest.approx([0])
    # One that is sure of itself stays finite, whichever way it is sure, and more of a later grade is never less.
    sure = log_odds(np.eye(3))
    assert np.isfinite(sure).all()
    assert (np.diff(sure) > 0).all()
    assert sure[0] == pytest.approx(-sure[2])


def test_earlier_rules_read_as_they_did():
    one, chances = pair("stand for a kettel", "Kettle stand"), np.array([[0.2, 0.3, 0.5]])
    before = measure(Reading(("judge", "overlap"), None, None, odds=False), [one], chances, GRADES)
    assert before[0] == pytest.approx([1.3, 0.25])
    assert measure(Reading(("judge", "overlap")), [one], chances, GRADES)[0] == pytest.approx([np.log(4), 0.75])


def test_a_title_that_names_what_is_ruled_out_counts_a_quarter():
    ruled_out, without = pair("cups without lids", "Cup with lid"), pair("cups without lids", "Cup, no lid")

    def overlap(one, **how):
        return measure(Reading(("overlap",), None, **how), [one], CHANCES, GRADES)[0].tolist()

    assert (overlap(ruled_out), overlap(without)) == ([0.25], [1.0])
    assert (overlap(ruled_out, against=0.1), overlap(ruled_out, against=None)) == ([0.1], [1.0])
    # A blend that was fitted before there was the rule reads as it did.
    assert (BLEND.against, BLEND.reading.against) == (None, None)
    assert BLEND.model_copy(update={"against": 0.1}).reading.against == 0.1
