"""Training pairs that are changed or made: adversarial texts, typing errors, synthetic pairs."""

from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher

import pytest
from judgment_files import as_rated, put

from audit.probes.perturbations import HARMLESS, ORDER, OTHER_SCRIPT
from finetune.adversarial import ORDERS, PRAISE, add_adversarial_text, query_noise
from finetune.synthetic_pairs import make_pairs
from judge.errors import InputError
from judge.words.split import words

COLOURED = [(colour, kind) for colour in ("red", "blue", "green") for kind in ("Lamp", "Chair", "Cup")]


def test_hostile_texts_come_into_the_share_asked_for_and_no_vote_moves(tmp_path, guideline):
    rows = "".join(f"q{n},{n},Desk lamp {n},Warm light,{n % 3}\n" for n in range(400))
    path = put(tmp_path / "r.csv", "query,candidate_id,title,description,grade\n" + rows)
    rated = as_rated(path, guideline, tmp_path)
    found = add_adversarial_text(rated, guideline, 0.25, 7)
    assert [(r.votes, r.pair.candidate_id, r.pair.query) for r in found] == [
        (r.votes, r.pair.candidate_id, r.pair.query) for r in rated
    ]
    changed = [(new, old) for new, old in zip(found, rated, strict=True) if new.pair != old.pair]
    assert 70 <= len(changed) <= 130, "a quarter of 400, four standard errors either way"
    for new, old in changed:
        differing = [name for name, text in new.pair.candidate.items() if text != old.pair.candidate[name]]
        assert len(differing) == 1, "one text, in which the old words stand around the new ones"
        name = differing[0]
        left = new.pair.candidate[name].split()
        for word in old.pair.candidate[name].split():
            left.remove(word)
        assert left
    assert add_adversarial_text(rated, guideline, 0.25, 7) == found, "the seed decides"
    assert add_adversarial_text(rated, guideline, 0.0, 7) == rated
    # An order names every grade, so that the number in it says nothing about the true one.
    texts = " ".join(text for r in add_adversarial_text(rated, guideline, 1.0, 7) for text in r.pair.candidate.values())
    assert all(f"Grade: {value}" in texts for value in guideline.values)


def test_queries_with_typing_errors_can_still_be_read(tmp_path, guideline):
    rows = "".join(f"q{n},desk lamp 40w,{n},Lamp,{n % 3}\n" for n in range(400))
    rated = as_rated(put(tmp_path / "r.csv", "query_id,query,candidate_id,title,grade\n" + rows), guideline, tmp_path)
    found = query_noise(rated, 0.5, 7)
    assert [(r.votes, r.pair.candidate, r.pair.query_id) for r in found] == [
        (r.votes, r.pair.candidate, r.pair.query_id) for r in rated
    ]
    written = Counter(r.pair.query for r in found)
    assert 150 <= written["desk lamp 40w"] <= 250, "half of 400, five standard errors either way"
    assert {"DESK LAMP 40W", "Desk Lamp 40W"} < written.keys()
    for query in written.keys() - {"DESK LAMP 40W", "Desk Lamp 40W"}:
        first, second, size = query.split()
        assert (size, first[0], second[0]) == ("40w", "d", "l")
        assert SequenceMatcher(None, "desk lamp", f"{first} {second}").ratio() > 0.85
    assert query_noise(rated, 0.5, 7) == found, "the seed decides"
    [short] = query_noise([replace_query(rated[0], "tv 4k")], 1.0, 3)
    assert short.pair.query.lower() == "tv 4k", "nothing in it is long enough to misspell"


def replace_query(item, query):
    return replace(item, pair=replace(item.pair, query=query))


def test_what_is_taught_is_not_what_a_probe_asks():
    asked = {ORDER.casefold(), HARMLESS.casefold(), OTHER_SCRIPT.casefold()}
    for text in (*ORDERS, *PRAISE):
        assert all(text.casefold() not in probe and probe not in text.casefold() for probe in asked)


def test_a_product_that_has_all_of_a_query_without_blanks_is_no_wrong_one(tmp_path, guideline):
    """A red lamp answers 赤 照明 as well where its colour has the word's ending, 赤い."""
    rows = [("照明", "赤", "照明"), ("赤い照明", "赤い", "照明"), ("椅子", "青", "椅子")]
    lines = [f"q{n},{n},{title},{colour},{kind},{n % 3}" for n, (title, colour, kind) in enumerate(rows)]
    path = put(tmp_path / "r.csv", "\n".join(["query,candidate_id,title,colour,category,grade", *lines]) + "\n")
    made = make_pairs(as_rated(path, guideline, tmp_path), guideline, 200, 5)
    asked = {(item.pair.query, item.pair.candidate_id, *item.votes.values()) for item in made}
    assert ("赤 照明", "0", 2) in asked
    assert not [each for each in asked if each[:2] == ("赤 照明", "1")]


def test_synthetic_pairs_are_graded_by_how_they_were_made(tmp_path, guideline):
    lines = [f"q{n},{n},{c} {k},{c},Home > {k},{n % 3}" for n, (c, k) in enumerate(COLOURED)]
    head = "query,candidate_id,title,colour,category,grade"
    path = put(tmp_path / "r.csv", "\n".join([head, *lines]) + "\n")
    rated = as_rated(path, guideline, tmp_path)
    made = make_pairs(rated, guideline, 60, 0)
    assert len(made) == 60
    for item in made:
        colour, kind = item.pair.query.split()
        product = item.pair.candidate
        same_kind, same_colour = product["category"].lower().endswith(kind), product["colour"] == colour
        assert item.votes["catalogue"] == (2 if same_kind and same_colour else 1 if same_kind else 0)
    assert [i.pair.query for i in make_pairs(rated, guideline, 60, 0)] == [i.pair.query for i in made]
    # Of another kind, and yet with the query's colour where it has been looked for: by chance it would be one in three.
    others = [i.pair for i in made if not i.votes["catalogue"]]
    assert sum(pair.query.split()[0] == pair.candidate["colour"] for pair in others) > len(others) / 2
    plain = [
        item for item in rated if item.pair.candidate["colour"] == "red" and "Lamp" in item.pair.candidate["title"]
    ]
    with pytest.raises(InputError, match="several categories"):
        make_pairs(plain, guideline, 60, 0)


def test_a_product_with_all_of_the_querys_words_is_no_worse_warm_answer(tmp_path, guideline):
    """Every query is of its product's brand or colour and of words of category and title, and others have them, too."""
    head = "query,candidate_id,title,brand,colour,category,grade"
    lines = [
        "q1,1,Wedges,Acme,Black,Shoes > Black platforms & wedges,0",
        "q2,2,Wedges,Acme,Black/Black,Shoes > Black platforms & wedges,1",
        "q3,3,Wedges Acme,Acme,black,Sale > Sale,2",
        "q4,4,Sale of black platforms and wedges by Acme,Other,Red,Sale > Platforms,0",
        "q5,5,Lamp,Lux,White,Home > Lamps,0",
        "q6,6,Lamp,Lux,Cream,Home > Lamps,0",
    ]
    rated = as_rated(put(tmp_path / "r.csv", "\n".join([head, *lines]) + "\n"), guideline, tmp_path)
    made = make_pairs(rated, guideline, 600, 0)
    worse = [item for item in made if item.votes["catalogue"] < 2]
    assert {item.votes["catalogue"] for item in worse} == {0, 1}
    for item in worse:
        asked = {*words(item.pair.query)}
        assert asked - {word for text in item.pair.candidate.values() for word in words(text)}, item
    # Black/Black is no other colour than Black.
    assert {item.pair.candidate_id for item in worse if item.votes["catalogue"] == 1} == {"5", "6"}
