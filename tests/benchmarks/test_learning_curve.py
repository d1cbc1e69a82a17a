"""The learning curve on made-up ratings: queries stay apart, finished steps are not taken again, the page is whole."""

import csv
import json
from xml.etree import ElementTree

import numpy as np
import pytest

import judge.calibration.features as read_features
from benchmarks import curve_methods, curve_report, learning_curve, lexical
from judge.calibration.calibrate import calibrate
from judge.calibration.ordinal import Feature, Ordinal
from judge.models.fake_encoder import FakeEncoder

KINDS = ("hammer", "lamp", "rake", "hinge", "valve", "shelf", "tile", "pump")
COLOURS = ("red", "blue", "green", "black", "white", "grey", "brown", "gold")


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A data folder of 64 queries of 5 pairs, a curve of few of them, and a judge that looks for words."""
    for name, value in {"SIZES": {40: 2, 80: 1}, "PARTS": 2, "SINGLE": 8, "FOURS": 4}.items():
        monkeypatch.setattr(learning_curve, name, value)
    monkeypatch.setattr(lexical, "ROUNDS", 5)
    monkeypatch.setattr(read_features, "find_encoder", lambda name: FakeEncoder())
    parts = {"objective": "quadratic_kappa", "slope": 1.0, "cuts": (-0.5, 0.5), "encoder": "fake"}
    constants = tuple(Feature(name=name, centre=0.5, spread=0.3, weight=1.0) for name in curve_methods.NAMES)
    monkeypatch.setattr(curve_methods, "shipped_blend", lambda: Ordinal(features=constants, **parts))
    monkeypatch.setattr(curve_methods, "tuned", lambda asked: f"judge-{asked.size}")
    monkeypatch.setattr(curve_methods, "said", said)
    random = np.random.default_rng(0).normal(size=(40, 3))
    own = calibrate(random, np.eye(3)[np.arange(40) % 3], [f"{at % 8}" for at in range(40)], "made up")
    monkeypatch.setattr(curve_methods, "own_calibration", lambda asked: own)
    monkeypatch.setattr(curve_methods, "fitted_blend", lambda asked, start: Ordinal(features=constants, **parts))
    (tmp_path / "homedepot").mkdir()
    with (tmp_path / "homedepot" / "ratings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "product_id", "title", "relevance"])
        for number, (colour, kind) in enumerate((colour, kind) for colour in COLOURS for kind in KINDS):
            for at in range(5):
                other = COLOURS[(number + at) % 8], KINDS[(number + at // 2) % 8]
                mean = 1 + (other[0] == colour) + (other[1] == kind)
                writer.writerow([f"{colour} {kind}", number * 5 + at, f"A {other[0]} {other[1]} no. {at}", mean])
    return tmp_path


def said(folder, judge, name):
    rows = curve_methods.pairs(folder, name)
    return np.array([[0.5, 0.3, 0.2] if row["query"].split()[1] in row["title"] else [0.2, 0.3, 0.5] for row in rows])


def test_queries_stay_apart_and_smaller_sets_are_within_larger_ones(small, tmp_path):
    out = tmp_path / "out"
    learning_curve.deal(small, out)
    test = [row for part in range(2) for row in curve_methods.pairs(out, f"test-{part}")]
    # Two parts of eight queries with one pair and four with four.
    assert len(test) == 2 * (8 + 4 * 4)
    assert len({row["query"] for row in test}) == 2 * (8 + 4)
    trains = [curve_methods.pairs(out, f"train-{seed}") for seed in range(2)]
    assert [len(rows) for rows in trains] == [80, 40]
    assert trains[0][:40] != trains[1]
    for rows in trains:
        assert not {row["query"] for row in rows} & {row["query"] for row in test}


def test_steps_are_kept_and_the_page_shows_what_is_there(small, tmp_path, monkeypatch, capsys):
    out, docs = tmp_path / "out", tmp_path / "docs"
    docs.mkdir()
    (docs / "finetune.md").write_text(f"before\n{curve_report.BEGIN}\nold\n{curve_report.END}\nafter\n")
    learning_curve.deal(small, out)
    steps = list(learning_curve.steps())
    for step in steps:
        learning_curve.take(step, out)
    names = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len(names) == len(set(names)) == len(steps)
    rows = [json.loads(line) for line in steps[0].path(out).read_text().splitlines()]
    assert len(rows) == 24
    assert {row["grade"] for row in rows} == {None}, "a cosine without ratings has no grades"
    # Killed and begun again, only what is missing is done.
    steps[-1].path(out).unlink()
    for step in steps:
        learning_curve.take(step, out)
    assert capsys.readouterr().out.splitlines() == [steps[-1].path(out).name]
    curve_report.write_report(out, steps[:-1], docs)
    page = (docs / "finetune.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    # The last step's part is missing: its method is not shown, of the others both parts are.
    assert "48 pairs of 24 unseen queries" in page
    assert "| 80 | fine-tuned, calibrated less boosting |" in page
    picture = ElementTree.fromstring((docs / "learning-curve.svg").read_text())
    circles = [each for each in picture.iter() if each.tag.endswith("circle") and len(each)]
    # Without ratings four of the five lines have a rank, and three have grades; with 80 pairs one is missing.
    assert len(circles) == (4 + 3) + 2 * (5 + 4)
