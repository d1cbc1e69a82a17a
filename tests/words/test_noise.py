"""Typing errors: one edit, never where a letter changes what is meant, the same for the same seed."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.words.noise import RESTRICTIONS, UNITS, edits, may_be_misspelt, misspell, neighbours, vocabulary


@pytest.mark.parametrize(
    ("letter", "locale", "keys"),
    [("g", "en-GB", "fhtyvb"), ("z", "de", "tugh"), ("z", "en", "xas"), ("п", "ru", "аренми"), ("a", "fr-FR", "zq")],
)
def test_neighbours_lie_around_a_key_of_the_locale(letter, locale, keys):
    assert set(neighbours(letter, locale)) == set(keys)


def test_all_edits_of_a_word_by_hand():
    # "ab": the second letter as its neighbours g, h, v, n; left out, doubled. There is nothing to swap it with.
    assert set(edits("ab")) == {"av", "an", "ag", "ah", "a", "abb"}
    # "abc" also swaps: "acb".
    assert "acb" in edits("abc")
    assert all(edit[0] == "a" for edit in edits("abc"))


@pytest.mark.parametrize(
    "word", ["128gb", "n5", "litre", "without", "FREE", "ohne", "mm", "red", "iPhone", "A53", "no", "USB-C", "5.5", ""]
)
def test_digits_units_codes_and_restrictions_are_left_alone(word):
    assert not may_be_misspelt(word)
    assert misspell(word, random.Random(0)) is None


def test_another_word_of_the_catalogue_is_never_made():
    known = vocabulary(["boat boots book", "coat"])
    made = {misspell("boot", random.Random(seed), known=known) for seed in range(300)}
    assert None not in made
    assert not made & known
    assert "bopt" in made
    # Where every error makes a word that is known, there is none.
    assert misspell("boot", random.Random(0), known=frozenset(edits("boot"))) is None
    assert misspell("boot", random.Random(0), protected={"boot"}) is None


def test_what_is_written_in_han_keeps_each_sign():
    # A wireless charger without one of them is a charger without wires, or none.
    assert edits("無線充電器") == []
    assert misspell("無線充電器 スカーフ", random.Random(0)).startswith("無線充電器 ")
    assert all(edit.startswith("防水") for edit in edits("防水ケース"))
    assert all(edit.endswith("用") for edit in edits("ケース用"))


QUERIES = st.lists(
    st.sampled_from(["scarf", "шарф", "スカーフ", "128gb", "without", "wool", "mm", "Kettle", "N5", "بدون"]), max_size=6
).map(" ".join)


@settings(max_examples=60)
@given(QUERIES, st.integers(0, 2**32), st.sampled_from([None, "en", "de", "ru-RU", "ja"]))
def test_one_word_differs_by_one_edit_and_the_seed_decides(query, seed, locale):
    found = misspell(query, random.Random(seed), locale=locale)
    assert found == misspell(query, random.Random(seed), locale=locale)
    if found is None:
        return
    before, after = query.split(" "), found.split(" ")
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert len(changed) == 1
    ((one, other),) = changed
    assert other in edits(one, locale)
    assert other[0] == one[0]
    assert not any(letter.isdigit() for letter in one)
    assert one.lower() not in UNITS | RESTRICTIONS


def test_what_saved_trainings_and_probes_were_made_with_stays():
    from finetune.adversarial import query_noise
    from judge.ratings.rated import Rated
    from judge.records import Pair

    rated = [Rated(Pair(1, "q", query, "c", {}), {}) for query in ("hiking boots women", "electric kettle", "scarf")]
    draw = [item.pair.query for seed in (0, 1) for item in query_noise(rated, 1.0, seed)]
    assert draw == [
        "hiknig boots women",
        "electric ketlte",
        "Scarf",
        "HIKING BOOTS WOMEN",
        "electric kettel",
        "Scarf",
    ]
