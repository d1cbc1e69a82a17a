"""Scripts that put marks on letters, write from right to left, or no blanks: from the catalogue to typing errors."""

import random

import pytest
from mining_fixtures import rows_of, write_csv

from judge.words.bm25 import Bm25
from judge.words.noise import misspell
from judge.words.split import words

HEAD = ("candidate_id", "title", "category", "colour")
SHOP = [
    ("D1", "लाल ऊनी दुपट्टा", "कपड़े > दुपट्टा", "लाल"),  # a red woollen scarf
    ("D2", "नीला ऊनी दुपट्टा", "कपड़े > दुपट्टा", "नीला"),  # a blue one
    ("D3", "लाल केतली", "रसोई > केतली", "लाल"),  # a red kettle
    ("A1", "وشاح صوف أحمر", "ملابس > وشاح", "أحمر"),
    ("A2", "وشاح صوف أزرق", "ملابس > وشاح", "أزرق"),
    ("A3", "غلاية حمراء", "مطبخ > غلاية", "أحمر"),
    ("J1", "赤い ウール マフラー", "衣類 > マフラー", "赤"),
    ("J2", "青い ウール マフラー", "衣類 > マフラー", "青"),
    ("J3", "赤い やかん", "台所 > やかん", "赤"),
]
ASKED = {"लाल दुपट्टा": "D", "وشاح أحمر": "A", "赤いマフラー": "J"}
"""A red scarf, in three scripts."""


@pytest.fixture
def shop(tmp_path):
    return write_csv(tmp_path / "shop.csv", HEAD, SHOP)


def test_relations_are_found_in_each_script(main, shop, tmp_path):
    known = [(query, f"{script}1", 2) for query, script in ASKED.items()]
    write_csv(tmp_path / "known.csv", ("query", "candidate_id", "grade"), known)
    main("import", "known.csv", "--catalogue", shop, "--out", "known")
    main("mine", "known", "--catalogue", shop, "--encoder", "fake", "--out", "m.parquet")
    mined = {(row["query"], row["candidate_id"]): row for row in rows_of(tmp_path / "m.parquet")}
    for query, script in ASKED.items():
        other_colour, other_kind = mined[query, f"{script}2"], mined[query, f"{script}3"]
        assert (other_colour["relation"], other_colour["changed"]) == ("violates_one", "colour")
        assert (other_kind["relation"], other_kind["changed"]) == ("cross_category", "category")
    main("label", "m.parquet", "--catalogue", shop, "--engine", "fake", "--out", "mined")
    said = main("export", "known", "--with", "mined", "--to", "judgments", "--out", "all.parquet", "--json").json
    assert sum(said["left_out"].values()) == 0


def test_queries_are_made_in_each_script(main, shop, tmp_path):
    account = main("queries", "--catalogue", shop, "--per-category", 4, "--share", 1, "--out", "q.csv", "--json").json
    assert account["made"] == account["written"] + sum(account["refused"].values())
    made = (tmp_path / "q.csv").read_text(encoding="utf-8")
    for word in ("दुपट्टा", "وشاح", "マフラー"):
        assert word in made


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("ऊनी दुपट्टा", "ऊनी"),  # three signs: too short to be misspelt and still be read
        ("وشاح أحمر دافئ", ""),
        ("ウール マフラー", "ウール"),
    ],
)
def test_typing_errors_are_made_in_each_script(query, kept):
    made = {misspell(query, random.Random(seed)) for seed in range(30)}
    assert None not in made
    assert len(made) > 5
    for other in made:
        assert len(other.split()) == len(query.split())
        assert kept in other
        changed = [new for old, new in zip(query.split(), other.split(), strict=True) if old != new]
        assert len(changed) == 1
        assert changed[0][0] in {word[0] for word in query.split()}, "the first letter stays"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("नीला दुपट्टा", ["नीला", "दुपट्टा"]),  # its vowels are marks: without them, नीला is नाला
        ("ガス カス", ["ガス", "カス"]),  # gas and dregs: a mark makes another letter
        ("مُحَمَّد محمد", ["محمد", "محمد"]),  # vowel points are written or left out
        ("Café cafe", ["cafe", "cafe"]),
        ("한국 목도리", ["한국", "목도", "도리"]),
        ("⚠️ 1️⃣ Größe", ["1", "grosse"]),  # an emoji's marks are no word
    ],
)
def test_marks_are_letters_where_they_tell_words_apart(text, wanted):
    assert words(text) == wanted


def test_words_that_differ_by_a_vowel_sign_are_not_found_for_each_other():
    (found,) = [[*places] for places, _ in Bm25(["नाला", "नीला"]).top(["नीला"], 2)]
    assert found == [1]
