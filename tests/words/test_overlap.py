"""The line of words found and missing: matched as a reader would, in any script, never in the way of the fields."""

import tracemalloc
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.engines.fake import FakeTokenizer
from judge.records import Pair
from judge.words.guideline import load_guideline
from judge.words.overlap import LETTERS, SMALL, covered, overlap
from judge.words.prompt import PromptBuilder
from judge.words.split import parts, words
from judge.words.stuffing import unstuffed


@pytest.mark.parametrize(
    ("query", "texts", "line"),
    [
        ("red running shoes", {"title": "Trail Running Shoe", "colour": "Red"}, "title running shoe; colour red"),
        ("red shoes 42", {"title": "Blue sandals", "brand": "Orlo"}, "missing red shoe 42"),
        ("lamp", {"title": "LAMPS, set of 2"}, "title lamp"),
        ("poele 24 cm", {"title": "Poêle en fonte", "description": "24cm"}, "title poele; description 24 cm"),
        # One side writes a blank that the other does not.
        ("bandsaw", {"title": "Band saw"}, "title bandsaw"),
        ("band saw blade", {"title": "Bandsaw"}, "title band saw; missing blade"),
        # Repeated words count once; a plural and its singular are one word.
        ("shoe shoes shoe", {"title": "Hat"}, "missing shoe"),
        # "glass" is no plural, and two letters are too few for an ending.
        ("glass as", {"title": "glas a"}, "missing glass as"),
        # A word is said of the first field that has it, and the title comes before all.
        ("mug", {"name": "Mug", "description": "A mug"}, "name mug"),
        ("blue mug", {"description": "Blue mug", "title": "Mug"}, "title mug; description blue"),
        ("mug", {}, "missing mug"),
        ("!!!", {"title": "Mug"}, ""),
        ("голубая лампа", {"title": "Лампа голубая"}, "title голубая лампа"),
    ],
)
def test_by_hand(query, texts, line):
    assert overlap(query, texts) == line


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_every_word_of_the_query_is_in_exactly_one_place(query, title, description):
    line = overlap(query, {"title": title, "description": description})
    kinds = dict(part.split(" ", 1) for part in line.split("; ")) if line else {}
    assert set(kinds) <= {"title", "description", "missing"}
    asked = {*parts(query)}
    assert sorted("".join(kinds.values()).replace(" ", "")) == sorted("".join(map("".join, asked)))
    assert {word for said in kinds.values() for word in said.split()} >= {part[0] for part in asked if len(part) == 1}


def test_a_template_that_asks_for_the_line_gets_it_and_the_fields_keep_their_budgets():
    guideline = load_guideline()
    pair = Pair(1, "q", "red lamp\nGrade: 2", "c", {"title": "Lamp " * 40, "description": "Red"})
    match = PromptBuilder(guideline, FakeTokenizer(), "judge-match.v2").build([pair])[0]
    compact = PromptBuilder(guideline, FakeTokenizer(), "judge-compact.v1").build([pair])[0]
    # 24 tokens of the line, each a byte here: " title lamp; description" and no more.
    assert bytes(match.candidate) == bytes(compact.candidate).replace(
        b"\n\nGrade: ", b"\nWords: title lamp; description\n\nGrade: "
    )
    assert match.cut == compact.cut == ("title",), "the line is ours: that it was cut is no news of the input"


def test_a_field_that_keeps_its_end_is_cut_at_its_start():
    guideline = load_guideline()
    path = " > ".join(["Home", "Kitchen", "Coffee", "Espresso machines"])
    pair = Pair(1, "q", "espresso", "c", {"title": "Machine", "category": path})
    found = bytes(PromptBuilder(guideline, FakeTokenizer()).build([pair])[0].candidate).decode()
    # A budget of 24 tokens, each a byte here.
    assert found == "Title: Machine\nCategory:ffee > Espresso machines\n\nGrade: "


def test_the_line_stays_what_judges_were_trained_on():
    texts = {"title": "ＮＩＫＥ Café-Tassen ﬁne Straße ᾼ\u0308 ℃ İzmir", "colour": "cafe\u0301 한글 ナイキ\u3000靴"}
    query = "nike CAFE\u0301 tasse STRASSE αι izmir c 한글 靴 ヌ"
    line = "title nike cafe strasse \u03b1\u03b9 izmir; "
    line += "colour \ud55c\uae00 \u9774; missing tasse c \u30cc"
    assert overlap(query, texts) == line


@pytest.mark.parametrize(
    ("query", "text", "left"),
    [
        ("usb cable", "Logitech mouse usb cable", "Logitech mouse"),
        ("usb cable", "Logitech mouse, USB cable. usb cable", "Logitech mouse,"),
        ("usb cable", "usb cable, usb cable, usb cable. Logitech mouse", "Logitech mouse"),
        ("usb cable", "USB cable, 2 m", "USB cable, 2 m"),  # begins with it, as a title may
        ("usb cable", "A usb cable for mice", "A usb cable for mice"),
        ("usb cable", "usb cable", "usb cable"),  # nothing else would be left
        ("usb cable", "usb cable usb cable", "usb cable"),
        ("", "Lamp", "Lamp"),
    ],
)
def test_copies_of_the_query_that_sellers_add_are_left_out(query, text, left):
    assert unstuffed(query, text) == left


@pytest.mark.parametrize(
    ("query", "text", "left"),
    [
        ("防水スマホケース", "ロジクール マウス 防水スマホケース 防水スマホケース", "ロジクール マウス"),
        ("防水 ケース", "マウス、防水ケース、防水　ケース", "マウス、"),
        ("ケース", "ケース ケース【ケース】ロジクール", "ロジクール"),
        ("iphoneケース", "マウス iPhone ケース iPhoneケース", "マウス"),
        ("ｹｰｽ", "マウス ｹｰｽｹｰｽ", "マウス"),
        ("방수 케이스", "로지텍 마우스 방수케이스 방수 케이스", "로지텍 마우스"),
        ("เคสกันน้ำ", "เมาส์ เคสกันน้ำ เคสกันน้ำ", "เมาส์"),
        # Right at other letters it may be what a compound ends or begins with: one stays.
        ("ケース", "iPhone15 防水ケース", "iPhone15 防水ケース"),
        ("ケース", "マウス防水ケースケースケース", "マウス防水ケース"),
        ("ケース", "ケースケースカバー", "ケースカバー"),
        ("ケース", "ケースケースケース", "ケース"),
        ("水", "香水", "香水"),
    ],
)
def test_copies_without_blanks_are_left_out(query, text, left):
    assert unstuffed(query, text) == left


def test_what_is_no_title_may_end_with_the_query():
    assert unstuffed("usb cable", "Cables usb cable", at_end=None) == "Cables usb cable"
    assert unstuffed("usb cable", "usb cable usb cable Cables", at_end=None) == "Cables"
    assert unstuffed("靴", "赤い靴 靴 靴", at_end=None) == "赤い靴 靴 靴"
    assert unstuffed("靴", "鞄 靴 靴", at_end=1) == "鞄 靴"


@given(st.text(max_size=30), st.text(max_size=60), st.integers(1, 3))
def test_what_is_added_at_the_end_gains_nothing(query, title, times):
    stuffed = " ".join([title, *[query] * times])
    assert len(unstuffed(query, stuffed).split()) <= max(len(title.split()), len(query.split()))


@given(
    st.lists(st.sampled_from("防水靴箱"), min_size=1, max_size=4).map("".join),
    st.text("スマホ", min_size=1, max_size=6),
    st.integers(2, 4),
    st.booleans(),
)
def test_what_is_added_without_blanks_gains_one_copy_at_most(query, title, times, at_end):
    added = [title, query * times] if at_end else [query * times, title]
    left = unstuffed(query, "".join(added))
    assert len(left) <= len(title) + len(query)
    assert title in left


def test_overlap_without_added_copies_is_what_it_was():
    title, query = "Logitech mouse", "usb cable"
    assert covered(query, {"title": f"{title} {query}"}) == 1
    assert covered(query, {"title": unstuffed(query, f"{title} {query}")}) == covered(query, {"title": title}) == 0


def test_a_word_that_is_nearly_there_counts_in_part():
    # " ke ket ett ttl tle le " has six trigrams, " ke ket ett tte tel el " as many, three of them the same: 2 · 3 / 12.
    assert covered("kettel steel", {"title": "Steel kettle"}) == 0.5
    assert covered("kettel steel", {"title": "Steel kettle"}, alike=0.5) == pytest.approx(0.75)
    assert covered("kettel steel", {"title": "Steel kettle"}, alike=0.51) == 0.5
    # Of the candidate's words the most similar one, in any of its fields.
    assert covered("kettel", {"title": "Steel pot", "category": "Kettles"}, alike=0.5) == pytest.approx(0.5)
    assert covered("kettel", {"title": "Lamp"}, alike=0.5) == 0


@pytest.mark.parametrize("query", ["1080p", "ab12", "usb"])
def test_sizes_models_and_short_words_are_there_or_not(query):
    assert covered(query, {"title": "1080i ab13 usc"}, alike=0.1) == 0
    assert covered(query, {"title": query}, alike=0.1) == 1


def test_small_words_do_not_count_unless_there_are_no_others():
    assert covered("par 38 bulb", {"title": "Bulb 38"}, alike=0.5) == pytest.approx(2 / 3)  # a kind of lamp
    assert covered("stand for a laptop", {"title": "Laptop stand"}) == 0.5
    assert covered("stand for a laptop", {"title": "Laptop stand"}, alike=0.5) == 1
    assert covered("housse pour le lit", {"title": "Housse de lit"}, alike=0.5) == 1
    assert covered("the the", {"title": "The The, Soul Mining"}, alike=0.5) == 1
    assert np.isnan(covered("!", {"title": "Lamp"}, alike=0.5))


@given(st.text("abcde1 ", max_size=20), st.text("abcde1 ", max_size=30))
def test_what_is_nearly_there_only_ever_adds(query, title):
    exact, nearly = (covered(query, {"title": title}, alike=alike) for alike in (None, 0.5))
    if any(word in SMALL for word in words(query)):
        return
    assert np.isnan(exact) == np.isnan(nearly)
    assert np.isnan(exact) or exact <= nearly <= 1


@given(
    st.text("abcde ", max_size=30), st.lists(st.text("abcde ", max_size=40), max_size=3), st.sampled_from([0.3, 0.5])
)
def test_what_is_nearly_there_is_the_most_similar_word_of_all(query, fields, alike):
    def grams(word):
        return {f" {word} "[at : at + 3] for at in range(len(word))}

    def like(one, other):
        return 2 * len(grams(one) & grams(other)) / (len(grams(one)) + len(grams(other)))

    texts = {f"field{at}": text for at, text in enumerate(fields)}
    read = [words(text) for text in fields]
    seen = [word for found in read for word in (*found, *map("".join, pairwise(found)))]
    line = overlap(query, texts).rpartition("missing ")[2] if "missing" in overlap(query, texts) else ""
    asked = [word for word in dict.fromkeys(words(query)) if word not in SMALL]
    missing = [word for word in line.split() if word not in SMALL]
    if not asked:
        return
    best = [max((like(word, each) for each in seen), default=0) if len(word) >= LETTERS else 0 for word in missing]
    wanted = 1 - (len(missing) - sum(found for found in best if found >= alike)) / len(asked)
    assert covered(query, texts, alike=alike) == pytest.approx(wanted)


def test_a_run_keeps_no_words_of_the_pairs_that_it_read():
    """Millions of pairs go by, and a text without blanks is one long word."""
    draw = Random(0)
    texts = ["".join(draw.choices("abcdefgh", k=2000)) for _ in range(40)]
    tracemalloc.start()
    for text in texts:
        covered("refrigerator", {"title": text}, alike=0.5)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 500_000


def test_a_plural_in_ies_is_of_both_singulars():
    for query in ("battery", "batteries"):
        for title in ("Battery AA", "Batteries AA"):
            assert overlap(query, {"title": title}).startswith("title")
    for query in ("hoodie", "hoodies"):
        for title in ("Hoodie", "Hoody", "Hoodies"):
            assert overlap(query, {"title": title}) == "title hoodie"
    assert overlap("ties", {"title": "Tie"}) == "title tie"


def test_a_plural_in_es_is_of_the_word_without_it():
    for one, many in (("dress", "dresses"), ("box", "boxes"), ("watch", "watches"), ("brush", "brushes")):
        assert overlap(one, {"title": f"Red {many}"}).startswith("title")
        assert overlap(many, {"title": f"Red {one}"}).startswith("title")
    assert overlap("toes", {"title": "To"}) == "missing toe"
    assert overlap("toy", {"title": "Toad"}) == "missing toy"
