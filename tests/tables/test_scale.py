"""Files of ratings on another scale than the guideline's: refused by every verb that reads them, with the way out."""

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.records import NamedGrades
from judge.tables.levels import ends_note
from judge.tables.rows import Row, Table
from judge.tables.scale import KEPT, SHOWN, Scale

PLAIN = {"0": 0, "1": 1, "2": 2}
VALUES = (0, 1, 2)
quick = settings(max_examples=60, database=None, derandomize=True, deadline=None)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("scale") / "r.csv"
    path.write_text("grade\n")
    return Table(path, "r.csv")


def scale_of(table, cells, grades=PLAIN, values=VALUES, column="grade"):
    scale = Scale(grades, values)
    for number, cell in enumerate(cells, 1):
        scale.read(table, Row(number, number + 1, {column: cell}), column)
    return scale


def fix_of(table, cells, grades=PLAIN, values=VALUES, **how):
    error = scale_of(table, cells, grades, values).error(**how)
    return None if error is None else re.findall(r"--grades '?([^\s';)]+(?: [^\s';)]+)*?)'?(?=$|[;) ,])", error.hint)


@pytest.mark.parametrize(
    ("cells", "suggested"),
    [
        ("112233", "1=0,2=1,3=2"),
        ("-1 0 1 -1", "-1=0,0=1,1=2"),
        ("0 0.5 1 0.50", "0=0,0.5=1,1=2"),
        ("0011223333", "0=0,1=1,2=1,3=2"),
        ("1122334455", "1=0,2=1,3=1,4=1,5=2"),  # 2 and 4 lie half-way between two grades: to the middle
        # Means: the scale from 1 to 3 in three equal ranges, cut at 1 2/3 and 2 1/3.
        ("1 1.33 1.67 2 2.33 2.67 3 3", "1..1.67=0,1.67..2.33=1,2.33..3=2"),
        ("1.2 1.4 3.5 4.8", "1..2.33=0,2.33..3.67=1,3.67..5=2"),
        ("3344", "3=GRADE,4=GRADE"),  # two levels on three grades: which two is not known
        ("-1 -1 0 1 2", "0=0,1=1,2=2,-1=GRADE"),  # usually "not rated"
        ("E S C I I E", "E=2,S=1,C=1,I=0"),
        ("Exact Substitute Complement Irrelevant", "Exact=2,Substitute=1,Complement=1,Irrelevant=0"),
        ("E S E S", "E=2,S=1"),
        ("Irrelevant Exact Complement exact", "Exact=2,exact=2,Complement=1,Irrelevant=0"),
        ("E S Q", "E=GRADE,Q=GRADE,S=GRADE"),
        ("0 E S", "0=0,E=GRADE,S=GRADE"),
    ],
)
def test_the_fix_maps_all_values_that_occur(table, cells, suggested):
    cells = cells.split() if " " in cells else list(cells)
    assert fix_of(table, cells) == [suggested]


@pytest.mark.parametrize(
    ("cells", "suggested"),
    [
        ("Exact Substitute Irrelevant", "Exact=2,Substitute=1,Irrelevant=0"),
        ("Irrelevant Partial Exact", "Exact=2,Partial=1,Irrelevant=0"),
        ("RELEVANT PARTIALLY_RELEVANT", "RELEVANT=2,PARTIALLY_RELEVANT=1"),
        # Two labels that could be one, and a label beside a word of no set: only the user knows.
        ("Exact Relevant Irrelevant", "Irrelevant=0,Relevant=2,Exact=GRADE"),
        ("Irrelevant Partial Maybe", "Irrelevant=0,Maybe=GRADE,Partial=GRADE"),
        ("irrelevant Irrelevant good 2", "2=2,Irrelevant=0,irrelevant=0,good=GRADE"),
        ("1 2 3 irrelevant", "1=1,2=2,irrelevant=0,3=GRADE"),
    ],
)
def test_the_fix_keeps_a_name_of_the_guideline_as_the_file_writes_it(table, cells, suggested):
    """A map of one's own replaces the guideline's names: what is left out of it would be unknown."""
    grades = NamedGrades(PLAIN, {"irrelevant": 0, "relevant": 2})
    assert fix_of(table, cells.split(), grades) == [suggested]
    told = dict(part.split("=") for part in suggested.replace("GRADE", "2").split(","))
    assert scale_of(table, cells.split(), {text: int(grade) for text, grade in told.items()}).error() is None


def test_bad_rows_are_not_skipped_where_no_other_is_left(table):
    assert "--skip-bad-rows" not in scale_of(table, "ESC").error().hint
    assert "--skip-bad-rows" in scale_of(table, ["0", "good"]).error().hint


def test_what_fits_a_guideline_of_four_grades(table):
    four = {str(value): value for value in range(4)}
    assert fix_of(table, "ESCI", four, range(4)) == ["E=3,S=2,C=1,I=0"]
    assert fix_of(table, "1234", four, range(4)) == ["1=0,2=1,3=2,4=3"]
    # Four levels for five grades cannot be placed; the grades keep their meaning.
    assert scale_of(table, "0123", four, range(4)).error() is None


def test_a_stray_number_is_refused_and_not_guessed(table):
    cells = [*("0", "1", "2") * 100, "22"]
    scale = scale_of(table, cells)
    for skip in (False, True):
        error = scale.error(skip_bad_rows=skip)
        assert "row 301 (line 302), field 'grade'" in error.message
        assert "--grades 0=0,1=1,2=2,22=GRADE" in error.hint
        assert "row 301" in error.hint
    # 4 of 304 numbers are more than a hundredth.
    assert "22=2" in scale_of(table, [*cells, "22", "22", "22"]).error().hint


@pytest.mark.parametrize("same", ["2", " 2 ", "2.0", "2.", "02", "+2", "2e0", "20e-1", "\uff12", 2, 2.0, Decimal(2)])
def test_one_number_is_one_value_however_it_is_written(table, same):
    scale = scale_of(table, [same, "0"])
    assert scale.error() is None
    assert scale.seen == {"grade": {"0": 1, "2": 1}}
    assert scale_of(table, [same], {"E": 2}).seen == {"grade": {"2": 1}}


@pytest.mark.parametrize("number", ["3", "-1", "2.33", "1,5", "2,0", "1e9", "1e-9", "9" * 500, "0." + "3" * 99, 3, 1.5])
def test_any_other_number_means_another_scale(table, number):
    assert scale_of(table, ["0", "1", "2", number]).error(skip_bad_rows=True) is not None


@pytest.mark.parametrize("word", ["E", "unrateable", "?", "3 stars", "1/2", "1;2", {"a": 1}, [1, 2]])
def test_a_word_is_one_bad_row(table, word):
    scale = scale_of(table, ["0", word, "1", word])
    assert scale.error(skip_bad_rows=True) is None
    assert "(2 times)" in scale.error().message


@pytest.mark.parametrize("word", ["N/A", "nan", "NULL", "None", "na"])
def test_a_word_for_no_answer_is_no_grade_given_and_is_counted(table, word):
    scale = scale_of(table, ["0", word, word])
    assert scale.error() is None
    assert scale.seen == {"grade": {"0": 1, word: 2}}


@pytest.mark.parametrize("empty", [None, "", " ", float("nan")])
def test_an_empty_cell_is_no_grade_given(table, empty):
    scale = scale_of(table, ["0", empty])
    assert scale.error() is None
    assert scale.seen == {"grade": {"0": 1}}


@pytest.mark.parametrize("huge", ["1e30", "1e-300", "9" * 39])
def test_a_number_of_any_size_is_another_scale(table, huge):
    assert "(1 time)" in scale_of(table, ["0.5", "1.5", huge, "2", "0"]).error().message


def test_means_between_the_levels_of_a_given_map_have_ranges_between_its_ends(table):
    error = scale_of(table, ["2.33", "1.67", "2.5", "2"], {"1": 0, "2": 1, "3": 2}).error()
    assert "--grades 1..1.67=0,1.67..2.33=1,2.33..3=2" in error.hint


def test_a_given_map_must_hold_all_values(table):
    error = scale_of(table, [*"112344", "x"], {"1": 0, "2": 1, "3": 2}).error()
    assert "'4' (2 times)" in error.message
    assert "'x' (1 time)" in error.message
    assert "--grades 1=0,2=1,3=2,4=GRADE" in error.hint
    words = scale_of(table, "EESSSQRR", {"E": 2, "S": 1}).error()
    assert "'Q' (1 time), 'R' (2 times)" in words.message
    assert "--grades E=2,S=1,Q=GRADE,R=GRADE" in words.hint


def test_values_that_no_option_can_hold_are_not_put_into_one(table):
    error = scale_of(table, ["1,5", "a=b", "x y", "w" * 100]).error()
    assert fix_of(table, ["1,5", "1,5", "0", "2"]) == ["0=0,2=2"]
    assert "w" * 50 not in error.message + error.hint
    assert "--grades 'x y=GRADE'" in scale_of(table, ["a=b", "x y"]).error().hint


def test_a_million_values_fit_a_line_and_the_memory(table):
    scale = scale_of(table, [f"w{i}" for i in range(2 * KEPT)] + [f"0.{i:05}1" for i in range(3 * KEPT)])
    error = scale.error()
    assert len(scale.seen["grade"]) == 2 * KEPT
    # All 5,000 cells are told: SHOWN values once each, the others together.
    assert error.message.count("(1 time)") == 2 * SHOWN
    assert f"and {5 * KEPT - SHOWN:,} cells with other values" in error.message
    # Numbers from 0 to 1 in steps may be means; words are not listed in the fix.
    assert error.hint.count("..") == 3
    assert len(error.hint) < 200


exact = st.sampled_from(["0", "1", "2", "2.0", " 1", "", "0.00"])
outside = st.one_of(
    st.integers().filter(lambda n: n not in VALUES).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).filter(lambda n: n not in VALUES).map(str),
)


@quick
@given(cells=st.lists(exact, min_size=1), words=st.lists(st.sampled_from(["E", "?", "n.a."])), odd=st.lists(outside))
def test_numbers_outside_the_guideline_are_refused_and_nothing_else_is(table, cells, words, odd):
    scale = scale_of(table, [*words, *cells, *odd])
    assert (scale.error(skip_bad_rows=True) is not None) == bool(odd)
    assert (scale.error() is not None) == bool(odd or words)
    assert sum(scale.seen.get("grade", {}).values()) == len(words) + sum(c != "" for c in cells) + len(odd)


@quick
@given(levels=st.sets(st.integers(-50, 50), min_size=2, max_size=12), top=st.integers(2, 5))
def test_a_suggestion_keeps_the_order_and_the_ends(table, levels, top):
    values = tuple(range(top))
    cells = [str(level) for level in levels] * 2
    fixes = fix_of(table, cells, {str(value): value for value in values}, values)
    if fixes is None:
        assert levels <= set(values)
        return
    pairs = [item.split("=") for item in fixes[0].split(",")]
    if any(ours == "GRADE" for _, ours in pairs):
        return
    assert [int(theirs) for theirs, _ in pairs] == sorted(levels)
    ours = [int(grade) for _, grade in pairs]
    assert ours == sorted(ours)
    assert set(ours) == set(values), "ends at the ends, and no grade left out"


def test_a_note_says_that_an_end_of_the_scale_never_occurs():
    assert "1, 2" in ends_note([1, 2, 2], VALUES)
    assert ends_note([0, 2], VALUES) is None
    assert ends_note([], VALUES) is None


# Every verb


def test_what_no_option_can_name_is_to_be_written_otherwise(table):
    assert scale_of(table, ["2", {"value": 2}]).error().hint.startswith("write each as text or a number")
    assert "GRADE" in scale_of(table, ["2", "good", {"value": 2}]).error().hint
