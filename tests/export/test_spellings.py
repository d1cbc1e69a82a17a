"""Spellings of one query and copies of one product contradict no training set."""

import pytest
from judged_rows import read, row, texts

from judge.errors import InputError
from judge.export.selection import Selection
from judge.export.writing import export
from judge.words.forms import spelling


def test_a_copy_of_a_better_product_is_no_negative(run_of, tmp_path):
    rows = [row("q", "a", 2), row("q", "b", 0), row("q", "c", 0) | {"title": "product a"}]
    export(run_of(rows), "triplets", tmp_path / "t")
    assert texts(read(tmp_path / "t")) == [("a", "b")]


@pytest.mark.parametrize("least", [0, 0.7])
def test_a_copy_in_other_case_or_spacing_is_no_negative(run_of, tmp_path, least):
    """Listings of 32 and 16 GB are two products, whichever of the two is left out of the export."""
    rows = [row("q", "a", 2, 0.6, title="Disk 32  GB"), row("q", "b", 0, 0.9, title="DISK 32 gb ")]
    rows += [row("q", "c", 0, 0.9, title="Disk 16 GB"), row("q", "d", 2, 0.9, title="Tape")]
    export(run_of(rows), "triplets", tmp_path / "t", Selection(min_confidence=least))
    found = {(r["positive"], r["negative"]) for r in read(tmp_path / "t")}
    assert found == {("Tape", "Disk 16 GB")} | ({("Disk 32  GB", "Disk 16 GB")} if not least else set())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("5 inch phone", "5.5 inch phone", False),
        ("size 7.5", "size 5.7", False),
        ("c book", "c++ book", False),
        ("1/2 inch", "2 1 inch", False),
        ("$5 card", "5% card", False),
        ("mouse, wireless (new)!", "New wireless mouse", True),
        ("café women's", "Womens Café", True),
        ("काला", "कील", False),
    ],
)
def test_what_is_another_query_and_what_another_spelling(run_of, tmp_path, one, other, same):
    assert (spelling(one) == spelling(other)) == same
    rows = [row(one, "a", 2), row(one, "b", 0), row(other, "a", 0), row(other, "b", 2)]
    if same:
        with pytest.raises(InputError, match="leaves nothing to export"):
            export(run_of(rows), "triplets", tmp_path / "t")
    else:
        assert export(run_of(rows), "triplets", tmp_path / "t").records == {"train": 2}


def test_a_grade_that_is_left_out_counts_for_other_spellings_too(run_of, tmp_path):
    rows = [row("Mouse", "a", 2, 0.6), row("mouse", "a", 0, 0.9), row("mouse", "b", 2, 0.9), row("mouse", "c", 0, 0.9)]
    export(run_of(rows), "triplets", tmp_path / "t", Selection(min_confidence=0.7))
    assert texts(read(tmp_path / "t")) == [("b", "c")]
