"""Logs that an audit could be misled by: each is found by the log itself, flags are held back, and the fix is named."""

import csv
from shutil import rmtree

import numpy as np
import pytest

COUNTS = ("query", "candidate_id", "position", "impressions", "clicks", "add_to_carts", "purchases")


@pytest.fixture
def shop(main, tmp_path):
    """Audit 240 labels of which 12 are wrong by counts that `change` was done to; a dict of figures."""
    rng = np.random.default_rng(1)
    grade = np.tile([0, 1, 2], 80)
    wrong = rng.choice(240, 12, replace=False)
    label = grade.copy()
    label[wrong] = 2 - grade[wrong]
    with (tmp_path / "grades.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "candidate_id", "grade"])
        writer.writerows([f"query {i // 12}", f"c{i}", g] for i, g in enumerate(label))

    def audit(change=lambda row: row, columns=COUNTS):
        rows = []
        for i in range(240):
            for place in (1 + i % 12, 1 + (i + 5) % 12):
                shown = 1500
                seen = rng.binomial(shown, 0.85**place)
                clicks = rng.binomial(seen, (0.04, 0.1, 0.25)[grade[i]])
                carts = rng.binomial(clicks, (0.05, 0.1, 0.3)[grade[i]])
                rows.append(change([f"query {i // 12}", f"c{i}", place, shown, clicks, carts, carts // 2]))
        with (tmp_path / "counts.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([row[COUNTS.index(name)] for name in columns] for row in rows)
        main("import", "grades.csv", "--out", "run")
        return main("audit", "run", "counts.csv", "--out", "audit", "--fdr", "0.3", "--json").json

    return audit


def failed(found):
    return {check["name"]: check for check in found["rate"]["checks"] if not check["holds"]}


def test_a_log_that_is_as_it_should_be_passes(shop):
    found = shop()
    assert not {"results without clicks", "clicks follow grades", "positions"} & set(failed(found))
    assert found["pairs"]["flagged"] >= 6
    assert found["flags"]["ignored_but_relevant"] > 0


def test_clicks_of_other_products_flag_nothing(shop, tmp_path):
    # The clicks of each product are those of the one before: a column of ids that slipped by a row.
    def slipped(row):
        number = int(row[1][1:])
        return [row[0], f"c{number // 12 * 12 + (number + 1) % 12}", *row[2:]]

    found = shop(slipped)
    check = failed(found)["clicks follow grades"]
    assert "ids" in check["fix"]
    assert found["pairs"]["flagged"] == 0
    assert "held back" in (tmp_path / "audit" / "report.html").read_text()


def test_a_log_of_clicked_results_alone_flags_nothing(shop):
    found = shop(lambda row: [*row[:3], row[4], row[4], *row[5:]])
    assert "every result" in failed(found)["results without clicks"]["fix"]
    assert found["pairs"]["flagged"] == 0


def test_a_log_without_any_click_says_so_and_not_that_ids_differ(shop):
    found = shop(lambda row: [*row[:4], 0, 0, 0])
    check = failed(found)["clicks follow grades"]
    assert "run's ids" not in check["fix"]
    assert "%" not in check["words"]
    assert found["pairs"]["flagged"] == 0


def test_rankings_that_never_move_flag_nothing(shop):
    # Each product has one place: at 11 of 12 places it cannot be told whether anybody looked.
    found = shop(lambda row: [*row[:2], 1 + int(row[1][1:]) % 12, *row[3:]])
    assert failed(found)["rankings that vary"]["fix"]
    assert found["pairs"]["flagged"] == 0


def test_where_nothing_can_be_flagged_no_decisions_are_asked_for(shop, main, tmp_path):
    # Clicks of other products hold every flag back; without a click, or with one impression a pair, nothing is known.
    for change, told in (
        (lambda row: [row[0], f"c{(int(row[1][1:]) + 1) % 240}", *row[2:]], "that is fixed"),
        (lambda row: [*row[:3], 1, *row[4:4], 0, 0, 0], ""),
    ):
        found = shop(change)
        assert found["pairs"]["flagged"] == 0
        said = main("audit", "run", "counts.csv", "--out", "audit", "--overwrite").out
        assert told in said
        assert "judge queue" not in said.split("\n0 pairs flagged")[1]
        assert "calibration-sample" not in said.split("\n0 pairs flagged")[1]
        rmtree(tmp_path / "run")
        rmtree(tmp_path / "audit")


@pytest.mark.parametrize("absent", [False, True])
def test_without_positions_nothing_is_called_ignored(shop, absent):
    columns = tuple(name for name in COUNTS if not absent or name != "position")
    found = shop(lambda row: [*row[:2], 1, *row[3:]], columns)
    check = failed(found)["positions"]
    assert check["held"] == ["ignored_but_relevant"]
    assert found["flags"]["ignored_but_relevant"] == 0
    assert found["pairs"]["flagged"] > 0, "carts and clicks still tell who is liked"


def test_positions_that_start_anew_on_every_page_call_nothing_ignored(main, tmp_path):
    rng = np.random.default_rng(2)
    with (tmp_path / "grades.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "candidate_id", "grade"])
        writer.writerows([f"query {i // 8}", f"c{i}", i % 3] for i in range(48))
    for pages in (1, 2):
        with (tmp_path / "shown.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["search_id", "query", "candidate_id", "position", "clicked"])
            for search in range(600):
                order = rng.permutation(8)
                for rank, at in enumerate(order):
                    item = search % 6 * 8 + at
                    clicked = int(rng.random() < (0.1, 0.2, 0.5)[item % 3] * 0.8**rank)
                    writer.writerow([f"s{search}", f"query {search % 6}", f"c{item}", 1 + rank % (8 // pages), clicked])
        main("import", "grades.csv", "--out", f"run{pages}")
        found = main("audit", f"run{pages}", "shown.csv", "--out", f"audit{pages}", "--json").json
        check = failed(found).get("one result a position")
        assert (check is not None) == (pages == 2)
    # Eight results at four positions: four of the eight are one too many.
    assert check["words"].startswith("50%")
    assert found["flags"]["ignored_but_relevant"] == 0
