"""When two texts are the same words: worked by hand, then for any text."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from judge.text import UNSEEN
from judge.words.forms import canonical, spelling
from judge.words.normalise import clean, keyed, same_words, same_words_before

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Red  Shoe ", "red shoe"),
        ("red\tshoe\r\n", "red shoe"),
        ("red\x00shoe", "red shoe"),  # a control character, as a broken export leaves it
        ("ナイキ\u3000靴", "ナイキ 靴"),  # ideographic space
        ("red\xa0shoe", "red shoe"),  # no-break space
        ("red\u202fshoe\u2028", "red shoe"),  # narrow no-break space, line separator
        ("\ufeffred shoe", "red shoe"),  # a byte order mark
        ("red\u200bshoe", "red shoe"),  # a zero-width space parts words
        ("\u200ered shoe\u200f", "red shoe"),  # marks of direction
        ("Wasch\xadmaschine", "waschmaschine"),  # a soft hyphen stands within a word
        ("Cafe\u0301", "café"),  # U+0065 U+0301 is U+00E9
        ("CAFÉ", "café"),
        ("Straße", "strasse"),  # full case folding: ß is ss, as STRASSE is its capital form
        ("STRASSE", "strasse"),
        ("STRAẞE", "strasse"),
        ("ΟΔΟΣ", "οδοσ"),  # a final sigma is a sigma
        ("οδος", "οδοσ"),
        ("İstanbul", "i\u0307stanbul"),  # U+0130 folds to i and U+0307, which no code point composes
        ("I\u0307stanbul", "i\u0307stanbul"),
        ("ısı", "ısı"),  # the dotless ı is another letter than i
        ("J\u030c", "ǰ"),  # folded to j and U+030C, composed again: U+01F0
        ("ǰ", "ǰ"),
        ("ᾼ\u0308", "α\u0308ι"),  # U+1FBC U+0308: alpha, diaeresis (U+0308 moves before U+0345), iota
        ("한\u1112\u1161\u11ab", "한한"),  # jamo compose to the syllable U+D55C
        ("Å", "å"),  # U+212B, the angstrom sign, is U+00C5
        ("ＮＩＫＥ", "ｎｉｋｅ"),  # NFC keeps full-width letters
        ("می\u200cخواهم", "می\u200cخواهم"),  # a non-joiner spells
        ("C++ 5.5%", "c++ 5.5%"),
        ("", ""),
        (" \u3000\u200b", ""),
    ],
)
def test_worked_by_hand(text, form):
    assert same_words(text) == form
    assert same_words(form) == form


def test_what_stays_different():
    texts = [
        "cafe",
        "café",
        "red shoe",
        "shoe red",
        "red-shoe",
        "redshoe",
        "red shoes",
        "5",
        "5%",
        "ı",
        "i",
        "靴",
        "鞋",
    ]
    assert len({same_words(text) for text in texts}) == len(texts)


def test_every_character_of_unicode_is_stable():
    for start in range(0, sys.maxunicode + 1, 0x1000):
        form = same_words("".join(f"a{chr(point)}b" for point in range(start, start + 0x1000)))
        assert same_words(form) == form == unicodedata.normalize("NFC", form), hex(start)
        assert not UNSEEN.search(form.replace(" ", "")), hex(start)


@given(ANY)
@example("ᾳ\u0308")
def test_any_text_is_stable_however_it_is_encoded(text):
    form = same_words(text)
    assert same_words(form) == form == unicodedata.normalize("NFC", form)
    assert set(UNSEEN.findall(form)) <= {" "}
    others = [unicodedata.normalize(kind, text) for kind in ("NFC", "NFD")]
    others += [clean(text), f"\u3000{text}\xa0", unicodedata.normalize("NFD", text).casefold()]
    assert {same_words(other) for other in others} == {form}


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_the_short_way_of_ascii_is_the_long_way(text):
    long = unicodedata.normalize("NFC", unicodedata.normalize("NFD", UNSEEN.sub(" ", text).strip()).casefold())
    assert same_words(text) == long


def test_texts_of_a_table_get_their_form_once():
    import duckdb

    asked = []

    def key(text):
        asked.append(text)
        return same_words(text)

    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE events AS SELECT * FROM (VALUES ('A\u3000b'), ('a b'), ('A\u3000b'), (NULL), ('')) t(q)"
        )
        keyed(db, "SELECT q FROM events", "forms", key)
        keyed(db, "SELECT q FROM events", "forms", key)  # made anew
        assert sorted(db.execute("SELECT * FROM forms").fetchall()) == [("", ""), ("A\u3000b", "a b"), ("a b", "a b")]
        joined = db.execute("SELECT count(*) FROM events e JOIN forms f ON e.q = f.text WHERE f.key = 'a b'")
        assert joined.fetchone() == (3,)
    assert sorted(asked) == ["", "", "A\u3000b", "A\u3000b", "a b", "a b"]


def test_runs_of_the_first_version_keep_their_rule():
    assert same_words_before(" Red \t shoe") == "red shoe"
    assert same_words_before("ナイキ\u3000靴") == "ナイキ\u3000靴"
    assert same_words_before("Cafe\u0301") == "cafe\u0301"


# Worked out with the version before the rule was changed.
@pytest.mark.parametrize(
    ("text", "before", "now"),
    [
        ("Café-Tasse, rot", "cafe rot tasse", "cafe rot tasse"),
        ("cafe\u0301\xa0TASSE", "cafe tasse", "cafe tasse"),
        ("Women's 5.5 ﬁne ℃", "5 c fine womens", "5 c fine womens"),
        ("ＮＩＫＥ\u3000靴", "nike 靴", "nike 靴"),
        ("C++", "c", "c"),
        ("?!", "?!", "?!"),
        ("Wasch\xadmaschine", "maschine wasch", "waschmaschine"),
        ("a\u3164b", "a\u1160b", "a b"),
    ],
)
def test_the_words_that_splits_go_by(text, before, now):
    assert canonical(text, version=1) == before
    assert canonical(text) == now


@given(ANY)
def test_texts_of_the_same_words_have_the_coarser_forms_in_common(text):
    form = same_words(text)
    assert canonical(text) == canonical(form)
    assert spelling(text) == spelling(form)
