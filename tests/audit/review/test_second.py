"""A fine-tuned judge that looks again, or is compared in two engines, is asked exactly as `judge label` asks it."""

import shutil

import numpy as np
import pytest
from conftest import ROOT, write_flags
from finetune_fixtures import write_tuned

from judge.errors import InputError
from judge.fingerprint import adapter_digest
from judge.labelling.config import JudgeConfig
from judge.labelling.parity import difference, examples
from judge.records import Scores
from judge.run.decisions import Decisions
from judge.run.store import Run
from judge.words.guideline import Guideline

SHOP = ROOT / "examples" / "shop"


@pytest.fixture
def audited(audited_shop, tmp_path):
    return Run(shutil.copytree(audited_shop[0] / "run", tmp_path / "run"))


def given(run):
    """What the second judge gave, by pair."""
    return {d.pair: d.grade for d in Decisions(run.path) if d.verdict == "opinion"}


def labels(run):
    return {(q, c): grade for q, c, grade in run.query("SELECT query_id, candidate_id, grade FROM labels")}


def test_adjudication_gives_the_grades_that_labelling_gives(main, audited, directory, tmp_path):
    done = main("adjudicate", "run", "--with", directory, "--engine", "fake", "--sure", "1", "--json").json
    found = given(audited)
    assert done["opinions"] == len(found) > 5
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


def test_a_shoppers_locale_is_told_to_the_second_judge_too(main, directory, tmp_path):
    pairs = ("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake")
    main(*pairs, "--out", "run")
    main(*pairs, "--judge", directory, "--out", "other")
    flag(Run(tmp_path / "run"))
    main("adjudicate", "run", "--with", directory, "--engine", "fake", "--sure", "1")
    run, other = Run(tmp_path / "run"), labels(Run(tmp_path / "other"))
    assert given(run) == {key: other[key] for key in given(run)}, "the same judge, asked the same"
    assert given(run)


def flag(run):
    """Flag eight pairs. An audit flags none of random labels: it says that its model does not fit."""
    sql = "SELECT row, p.query_id, query, p.candidate_id, l.grade FROM pairs p JOIN labels l USING (row)"
    rows = run.query(f"{sql} WHERE l.grade IS NOT NULL ORDER BY row LIMIT 8")
    write_flags(run, [(*row, 2 if row[-1] < 2 else 0) for row in rows])


def audited_by(main, run, *judge):
    """A run of the shop that a judge labelled in the fake engine, with flags."""
    shop = (SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv")
    main("label", *shop, "--engine", "fake", *judge, "--out", run.path.name)
    flag(run)


def test_the_judge_that_made_a_run_has_no_second_opinion(main, directory, tuned, tmp_path, monkeypatch):
    audited_by(main, Run(tmp_path / "plain"))
    audited_by(main, Run(tmp_path / "taught"), "--judge", directory)
    # Under another name, with another calibration: the adapter is the same.
    copy = shutil.copytree(directory, tmp_path / "copy")
    write_tuned(copy, tuned.model_copy(update={"adapter": adapter_digest(copy), "calibration": None}))
    # Other bytes are another adapter.
    other = shutil.copytree(directory, tmp_path / "other")
    (other / "adapter_model.safetensors").write_bytes(b"other weights")
    write_tuned(other, tuned.model_copy(update={"adapter": adapter_digest(other)}))
    flags = (tmp_path / "taught" / "flags.parquet").read_bytes()
    with monkeypatch.context() as loading:
        loading.setattr("judge.engines.Judge.open", lambda self: pytest.fail("was loaded before it was refused"))
        for run, judge in (("plain", "fake"), ("taught", directory), ("taught", copy)):
            error = main("adjudicate", run, "--with", judge, "--engine", "fake", code=2).err
            assert "name another judge" in error
            assert not (tmp_path / run / "decisions.jsonl").exists()
    assert (tmp_path / "taught" / "flags.parquet").read_bytes() == flags
    for run, judge in (("plain", directory), ("taught", "fake"), ("taught", other)):
        assert (
            main("adjudicate", run, "--with", judge, "--engine", "fake", "--sure", "1", "--json").json["opinions"] > 5
        )


@pytest.mark.slow
def test_merged_or_not_and_whatever_it_is_asked_a_judge_is_the_same(main, tiny_base, rated_file, quick, tmp_path):
    main("finetune", rated_file, "--base", tiny_base, "--config", quick(), "--out", "ours", "--merge", "merged")
    for name, judge in (("base", tiny_base), ("adapter", "ours"), ("whole", "merged")):
        main("label", rated_file, "--judge", judge, "--out", name, "--limit", "6")
        keys = Run(tmp_path / name).query("SELECT row, query_id, query, candidate_id FROM pairs LIMIT 3")
        write_flags(Run(tmp_path / name), [(*key, 0, 2) for key in keys])
    for name, judge in (
        *(("base", tiny_base), ("adapter", "ours"), ("adapter", "merged")),
        *(("whole", "ours"), ("whole", "merged")),
    ):
        assert "name another judge" in main("adjudicate", name, "--with", judge, code=2).err
    for name, judge in (("base", "ours"), ("base", "merged"), ("adapter", tiny_base), ("whole", tiny_base)):
        assert main("adjudicate", name, "--with", judge, "--sure", "1", "--json").json["opinions"] == 3


def test_a_judge_that_was_taught_another_policy_is_refused(main, directory, tuned, tmp_path):
    main("import", SHOP / "grades.csv", "--out", "run")
    words = {**tuned.guideline, "version": "9"}
    write_tuned(directory, tuned.model_copy(update={"guideline": words, "adapter": adapter_digest(directory)}))
    refused = main("adjudicate", "run", "--with", directory, "--engine", "fake", code=2).err
    assert "the guideline three-level 9, and run was labelled by three-level 1" in refused
    assert not list(Decisions(tmp_path / "run"))


def test_parity_asks_by_what_the_judge_was_taught(main, directory, tuned, guideline):
    words = {**tuned.guideline, "clauses": []}
    write_tuned(directory, tuned.model_copy(update={"guideline": words, "adapter": adapter_digest(directory)}))
    engines = ("--engine", "fake", "--engine", "fake", "--json")
    found = main("doctor", "--parity", "--judge", directory, *engines).json
    assert found["prompts"] == len(examples(Guideline.model_validate(words))) < len(examples(guideline))
    changed = {"template_digest": "0" * 64, "adapter": adapter_digest(directory)}
    write_tuned(directory, tuned.model_copy(update=changed))
    assert ".j2 is not the text" in main("doctor", "--parity", "--judge", directory, *engines, code=2).err


def test_parity_compares_calibrated_probabilities(tuned):
    calibration = tuned.calibration.model_copy(update={"temperature": 0.5, "bias": (0.0, 0.0, 0.0)})
    one, two = (Scores(tuple(np.log(shares)), None) for shares in ((0.5, 0.3, 0.2), (0.4, 0.4, 0.2)))
    assert difference(("a", "b"), [one], [two]).probability_difference == pytest.approx(0.1)
    # At a temperature of a half, shares are squared: 25, 9 and 4 of 38 against 16, 16 and 4 of 36.
    found = difference(("a", "b"), [one], [two], JudgeConfig(calibration=calibration))
    assert found.probability_difference == pytest.approx(25 / 38 - 16 / 36)


def test_parity_takes_the_judge_that_labelling_would_take(main, monkeypatch):
    asked = []

    def found(judge_request):
        asked.append(judge_request.judge)
        raise InputError("enough", "seen")

    monkeypatch.setattr("judge.labelling.resolve.resolve_judge", found)
    for engines in (("transformers", "vllm"), ("transformers", "fake"), ("fake", "fake")):
        main("doctor", "--parity", *(word for name in engines for word in ("--engine", name)), code=2)
    main("doctor", "--parity", "--judge", "mine", code=2)
    assert asked == ["shop-135m", "smollm2-135m", "smollm2-135m", "mine"]
    assert "needs --judge" in main("doctor", "--parity", "--engine", "transformers", "--engine", "server", code=2).err
