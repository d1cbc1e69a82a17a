"""What an agreement report advises."""

from dataclasses import asdict

import numpy as np
import pytest

from audit.agreement.advice import advise
from audit.agreement.comparison import GradedSide, compare
from audit.agreement.raters import report_raters
from judge.ratings.panel import Panel, Unit

EMPTY = {"value": None, "low": None, "high": None}


def clause(name, n, agreement, people):
    def figure(value):
        return {"value": value, "low": None, "high": None, "reason": None}

    return {"clause": name, "n": n, "agreement": figure(agreement), "people": figure(people), "over": 0}


def test_the_fault_of_the_guideline_is_told_from_the_judges():
    confused = [
        {"first": "a", "second": "b", "n": 9, "grades_differ": 4},
        {"first": "c", "second": "d", "n": 3, "grades_differ": 3},
    ]
    clauses = [
        clause("clear", 20, 0.5, 0.9),  # people differ a tenth of the time, the judge half of it
        clause("vague", 20, 0.6, 0.7),
        clause("alone", 10, 0.5, None),
        clause("few", 4, 0.0, 0.0),
    ]
    report = {"accuracy_gain": EMPTY, "ceiling": [], "raters": [], "segments": [], "people": {"tied": 0}}
    report |= {"clauses": clauses, "confused": confused}
    said = [advice.text for advice in advise(report | {"run": "r"})]
    told = {name: [text for text in said if name in text] for name in ("clear", "vague", "alone", "few")}
    assert [len(texts) for texts in told.values()] == [1, 1, 1, 0]
    assert "reword" not in told["clear"][0]
    assert "fine-tune" in told["clear"][0]
    assert "reword" in told["vague"][0]
    assert "two people" in told["alone"][0]
    # People with each other: there is no judge to blame.
    (alone,) = [text for text in (a.text for a in advise(report | {"run": None, "confused": []})) if "clear" in text]
    assert "reword" in alone
    assert "4 times of 9" in said[-1]
    nothing_changes = [{"first": "a", "second": "b", "n": 9, "grades_differ": 0}]
    assert not any("“a”" in a.text for a in advise(report | {"run": "r", "confused": nothing_changes}))


def test_of_many_raters_who_do_not_lean_nobody_is_accused():
    # 150 people with the same chance of an error either way: alone, one in twenty would seem to lean.
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 3, 600)
    table = np.full((150, 600), np.nan)
    for unit in range(600):
        given = np.where(rng.random(5) < 0.7, truth[unit], rng.integers(0, 3, 5))
        table[rng.choice(149, 5, replace=False), unit] = given
    table[149] = np.where(rng.random(600) < 0.5, truth, 2)  # but the last one does, and says 2 to be done
    units = [Unit(f"q{i % 60}", "lamp", f"P{i}", {}) for i in range(600)]
    raters = tuple(f"w{i}" for i in range(150))
    some = Panel("f.csv", (0, 1, 2), units, raters, table, None, None, {}, np.full(table.shape, np.nan))
    found = [asdict(rater) for rater in report_raters(some)]
    apparent = [r["rater"] for r in found if r["bias"]["low"] is not None and r["bias"]["low"] * r["bias"]["high"] > 0]
    report = {"accuracy_gain": EMPTY, "ceiling": [], "segments": [], "people": {"tied": 0}, "run": None}
    report |= {"clauses": [], "confused": [], "grades": [0, 1, 2], "raters": found}
    (said,) = [advice.text for advice in advise(report)]
    assert said.startswith("w149 is too lenient by 0."), said
    assert len(apparent) > 3
    # On a scale of other steps a tenth of a step is no grade.
    (said,) = [advice.text for advice in advise(report | {"grades": [0, 10, 20], "raters": [scaled(found, "w149")]})]
    assert said.endswith("on a scale of 0 to 20, on average.")


def scaled(raters, name):
    (rater,) = [each for each in raters if each["rater"] == name]
    return rater | {"bias": {key: rater["bias"][key] * 10 for key in ("value", "low", "high")}}


@pytest.mark.parametrize(
    ("confusion", "warned"),
    [
        (
            [[50, 79, 39], [24, 49, 65], [9, 18, 96]],
            True,
        ),  # .455 vs .392, but by .063 with a standard error of .036
        ([[90, 39, 39], [24, 79, 35], [9, 18, 96]], False),
        ([[168, 0, 0], [138, 0, 0], [123, 0, 0]], True),  # one grade for everything: no better in any resample
    ],
)
def test_a_judge_is_called_better_than_one_grade_only_where_the_difference_is(confusion, warned):
    counts = np.array(confusion).ravel()
    cells = np.repeat(np.arange(9), counts)
    people, judged = (GradedSide(name, grades.astype(float)) for name, grades in (("p", cells // 3), ("j", cells % 3)))
    found = compare(people, judged, np.arange(len(cells)).astype(str), (0, 1, 2)).as_json()
    assert found["accuracy_gain"]["value"] == pytest.approx(
        found["accuracy"]["value"] - found["majority_baseline"]["value"]
    )
    nothing = {name: [] for name in ("ceiling", "clauses", "confused", "raters", "segments")}
    said = advise(found | nothing | {"run": "r", "people": {"tied": 0}})
    assert bool(said) == warned
