"""A taught judge that looks again, or is compared in two engines, is asked exactly as `judge label` asks it."""

import re
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tuned

from judge.adapter import Manner
from judge.decisions import Decisions
from judge.errors import InputError
from judge.fingerprint import adapter_digest
from judge.guideline import Guideline
from judge.parity import difference, examples
from judge.records import Scores
from judge.store import Run

SHOP = Path(__file__).parent.parent / "examples" / "shop"


@pytest.fixture
def audited(main, tmp_path):
    main("import", SHOP / "grades_with_errors.csv", "--catalogue", SHOP / "catalogue.csv", "--out", "run")
    main("audit", "run", SHOP / "engagement.csv", "--out", "audit")
    return Run(tmp_path / "run")


def given(run):
    """What the second judge gave, by pair: its decisions say so."""
    found = [(d, re.match(r"the judge gives (\d)", d.reason)) for d in Decisions(run.path)]
    return {(d.query_id, d.candidate_id): int(said[1]) for d, said in found}


def labels(run):
    return {(q, c): grade for q, c, grade in run.query("SELECT query_id, candidate_id, grade FROM labels")}


def test_adjudication_gives_the_grades_that_labelling_gives(main, audited, directory, tmp_path):
    done = main("adjudicate", "run", "--with", directory, "--engine", "fake", "--json").json
    found = given(audited)
    assert done["decisions"] == len(found) > 5
    assert {d.author for d in Decisions(audited.path)} == {"judge ours"}
    # The same rows, with the locale that the import did not bring left out.
    pairs = ("label", SHOP / "grades_with_errors.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake")
    main(*pairs, "--judge", directory, "--out", "taught")
    taught = labels(Run(tmp_path / "taught"))
    assert found == {key: taught[key] for key in found}
    main(*pairs, "--judge", directory, "--calibration", "none", "--out", "plain")
    main(*pairs, "--out", "untaught")
    for other in ("plain", "untaught"):
        theirs = labels(Run(tmp_path / other))
        assert found != {key: theirs[key] for key in found}, f"{other} gives other grades: this test could fail"


def test_a_shoppers_locale_is_told_to_the_second_judge_too(main, tmp_path):
    main("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--out", "run")
    main("audit", "run", SHOP / "engagement.csv", "--out", "audit")
    main("adjudicate", "run", "--with", "fake", "--engine", "fake")
    run = Run(tmp_path / "run")
    own = labels(run)
    assert given(run) == {key: own[key] for key in given(run)}, "the same judge, asked the same"
    assert {str(d.verdict) for d in Decisions(run.path)} == {"keep"}


def test_a_judge_that_was_taught_another_policy_is_refused(main, directory, tuned, tmp_path):
    main("import", SHOP / "grades.csv", "--out", "run")
    words = {**tuned.guideline, "version": "9"}
    write_tuned(directory, tuned.model_copy(update={"guideline": words, "adapter": adapter_digest(directory)}))
    refused = main("adjudicate", "run", "--with", directory, "--engine", "fake", code=2).err
    assert "was taught the guideline three-level 9, and run was labelled by three-level 1" in refused
    assert not list(Decisions(tmp_path / "run"))


def test_parity_asks_by_what_the_judge_was_taught(main, directory, tuned, guideline):
    words = {**tuned.guideline, "clauses": []}
    write_tuned(directory, tuned.model_copy(update={"guideline": words, "adapter": adapter_digest(directory)}))
    engines = ("--engine", "fake", "--engine", "fake", "--json")
    found = main("doctor", "--parity", "--judge", directory, *engines).json
    assert found["prompts"] == len(examples(Guideline.model_validate(words))) < len(examples(guideline))
    changed = {"template_digest": "0" * 64, "adapter": adapter_digest(directory)}
    write_tuned(directory, tuned.model_copy(update=changed))
    assert (
        "is not the text that it was taught with"
        in main("doctor", "--parity", "--judge", directory, *engines, code=2).err
    )


def test_parity_compares_calibrated_probabilities(tuned):
    calibration = tuned.calibration.model_copy(update={"temperature": 0.5, "bias": (0.0, 0.0, 0.0)})
    one, two = (Scores(tuple(np.log(shares)), None) for shares in ((0.5, 0.3, 0.2), (0.4, 0.4, 0.2)))
    assert difference(("a", "b"), [one], [two]).probability_difference == pytest.approx(0.1)
    # At a temperature of a half, shares are squared: 25, 9 and 4 of 38 against 16, 16 and 4 of 36.
    found = difference(("a", "b"), [one], [two], Manner(calibration=calibration))
    assert found.probability_difference == pytest.approx(25 / 38 - 16 / 36)


def test_parity_takes_the_judge_that_labelling_would_take(main, monkeypatch):
    asked = []

    def found(wishes):
        asked.append(wishes.judge)
        raise InputError("enough", "seen")

    monkeypatch.setattr("judge.adapter.find_manner", found)
    for engines in (("transformers", "vllm"), ("transformers", "fake"), ("fake", "fake")):
        main("doctor", "--parity", *(word for name in engines for word in ("--engine", name)), code=2)
    main("doctor", "--parity", "--judge", "mine", code=2)
    assert asked == ["shop-135m", "smollm2-135m", "smollm2-135m", "mine"]
    assert "needs --judge" in main("doctor", "--parity", "--engine", "transformers", "--engine", "server", code=2).err
