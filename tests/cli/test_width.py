"""Tables at a terminal of 80 columns, whatever words shoppers and sellers write."""

import re
import sys

import pytest
from rich.cells import cell_len

from relevance_judge.cli.output import show_table

FLAGS = "engaged_but_irrelevant, likely_label_error, purchased_but_low"
HEAD = ("query", "candidate", "grade", "clicks", "bought", "q", "flags")


@pytest.fixture
def shown(capsys, monkeypatch):
    """Lines of a table at a terminal of 80 columns, or piped."""

    def show(*given, terminal=True, **more):
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
        show_table(*given, **more)
        return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]

    return show


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("lamp", "Desk lamp"),
        ("poêle antiadhésive 24 cm", "Korvath Stone-Effect Non-Stick Frying Pan 2…"),
        ("防水ジャケット 女性用 赤 軽量 折りたたみ 登山", "ノースヴェイン レインジャケット 防水 防風 軽量 赤"),
        ("x" * 300, "https://shop.example/" + "a" * 300),
        ("two\nlines", "a\x1b[31mb"),
    ],
)
def test_a_row_of_an_audit_fits_and_breaks_no_number_and_no_flag(shown, query, title):
    row = (query, title, "0 → 2", "1,765,000", "202,000", "0.001", FLAGS)
    lines = shown([row], HEAD, (3, 4, 5), (6,), stack=2)
    assert max(map(cell_len, lines)) <= 80
    for whole in ("1,765,000", "202,000", "0.001", *FLAGS.split(", ")):
        assert sum(whole in line for line in lines) == 1
    # Nothing of the texts is cut off.
    assert "".join("".join(line[:30].split()) for line in lines).count("x") >= query.count("x")


def test_a_terminal_that_is_too_narrow_loses_nothing(shown):
    head = ("people", *(f"{grade} rather long name" for grade in range(7)))
    rows = [(f"{grade} {'n' * 60}", *(f"{grade}{column}00" for column in range(7))) for grade in range(3)]
    lines = shown(rows, head, range(1, 8))
    assert sum(map(lines[0].count, head[1:])) == 7
    told = " ".join(lines)
    assert all(cell in told for row in rows for cell in row[1:])
    assert told.count("n") >= 180


def test_joined_letters_stay_joined_and_what_turns_text_round_is_taken_out(shown):
    joined = "می\u200cخواهم", "👩\u200d👧", "red\u202eder"
    assert shown([joined], terminal=False) == ["می\u200cخواهم  👩\u200d👧  red\ufffdder"]


def test_piped_it_is_one_line_a_row_with_columns_of_its_own(shown):
    row = ("防水ジャケット" * 20, "x" * 300, "0 → 2", "1", "2", "0.001", FLAGS)
    head, line = shown([row], HEAD, (3, 4, 5), (6,), stack=2, terminal=False)
    assert head.split() == list(HEAD)
    assert line.split() == [row[0], row[1], "0", "→", "2", "1", "2", "0.001", *FLAGS.split()]
