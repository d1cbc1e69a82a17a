"""Labels under another calibration: as if labelled with it, in parts, and never from what a blend has mixed alone."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from judge.calibration.calibrate import Calibration, read_calibration
from judge.calibration.ordinal import Feature, Ordinal
from judge.errors import InputError
from judge.run.store import Run


def probabilities(run):
    return dict(Run.open(run).query("SELECT row, probabilities FROM labels WHERE probabilities IS NOT NULL"))


@pytest.fixture
def plain(main, rated_file, tmp_path):
    """A run of the fake engine, with a calibration of its own."""
    main("label", rated_file, "--engine", "fake", "--out", "plain")
    main("calibrate", "plain", rated_file)
    said = json.loads((tmp_path / "plain" / "calibration.json").read_text())
    assert "blend" not in said, "earlier versions read it"
    (tmp_path / "fitted.json").write_text(json.dumps(said | {"temperature": 1.7, "bias": [0.3, -0.1, -0.2]}))
    blend = Ordinal(
        objective="log_loss",
        features=tuple(Feature(name=name, centre=0.5, spread=0.3, weight=0.8) for name in ("judge", "overlap")),
        cuts=(-0.5, 0.6),
    )
    (tmp_path / "blend.json").write_text(json.dumps(said | {"blend": blend.model_dump(mode="json")}))
    return tmp_path / "plain"


def test_applying_is_labelling_with_it(main, rated_file, plain, tmp_path):
    main("label", rated_file, "--engine", "fake", "--calibration", "fitted.json", "--out", "labelled")
    main("calibrate", "plain", "--apply", "fitted.json", "--out", "applied")
    labelled, applied = probabilities(tmp_path / "labelled"), probabilities(tmp_path / "applied")
    assert labelled.keys() == applied.keys()
    assert all(applied[row] == pytest.approx(labelled[row]) for row in labelled)
    # And undone again by the calibration that it carries.
    said = json.loads((tmp_path / "fitted.json").read_text()) | {"temperature": 1.0, "bias": [0.0, 0.0, 0.0]}
    (tmp_path / "identity.json").write_text(json.dumps(said))
    main("calibrate", "applied", "--apply", "identity.json", "--out", "back")
    before, back = probabilities(plain), probabilities(tmp_path / "back")
    assert all(back[row] == pytest.approx(before[row]) for row in before)
    parts = Run.open(tmp_path / "back").manifest.parts
    assert parts["recalibrated_from"] == Run.open(tmp_path / "applied").manifest.fingerprint


def test_a_blend_is_applied_while_labelling_as_it_is_afterwards(main, rated_file, plain, tmp_path):
    main("label", rated_file, "--engine", "fake", "--calibration", "blend.json", "--out", "labelled")
    main("calibrate", "plain", "--apply", "blend.json", "--out", "blended")
    labelled, blended = probabilities(tmp_path / "labelled"), probabilities(tmp_path / "blended")
    assert labelled.keys() == blended.keys()
    assert all(blended[row] == pytest.approx(labelled[row]) for row in labelled)
    digest = Calibration.model_validate_json((tmp_path / "blend.json").read_bytes()).digest
    for name in ("labelled", "blended"):
        assert Run.open(tmp_path / name).manifest.parts["calibration"] == digest


def test_a_blended_run_that_kept_nothing_of_its_judge_is_refused(main, plain, tmp_path):
    """As this version's first blends did."""
    main("calibrate", "plain", "--apply", "blend.json", "--out", "blended")
    for part in Run.open(tmp_path / "blended").parts():
        pq.write_table(pq.read_table(part).drop_columns(["own_probabilities", "cosine", "overlap"]), part)
    refused = main("calibrate", "blended", "--apply", "fitted.json", "--out", "twice", code=2)
    assert Run.open(plain).manifest.fingerprint in refused.err
    assert not (tmp_path / "twice").exists()


@pytest.mark.parametrize("numbers", [{"bias": [0.1, 0.2]}, {"bias": [0.0] * 3, "blend": "cosine"}])
def test_a_run_with_a_calibration_that_is_not_of_its_grades_is_refused(main, plain, numbers):
    said = json.loads((plain / "run.json").read_text())
    (plain / "run.json").write_text(json.dumps(said | {"calibration": {"temperature": 1.0, **numbers}}))
    assert (
        "run.json: is damaged (calibration"
        in main(*("calibrate", "plain", "--apply", "fitted.json", "--out", "new"), code=2).err
    )


def test_a_run_that_was_killed_goes_on_with_the_same_labels(main, plain, tmp_path):
    whole = Run.open(plain)
    part = whole.parts()[0]
    table = pq.read_table(part)
    part.unlink()
    for start, stop in ((0, 20), (20, table.num_rows)):
        pq.write_table(table.slice(start, stop - start), part.with_name(f"part-{start:012d}.parquet"))
    main("calibrate", "plain", "--apply", "blend.json", "--out", "new")
    expected = probabilities(tmp_path / "new")
    shutil.copytree(tmp_path / "new", tmp_path / "killed")
    Run.open(tmp_path / "killed").parts()[1].unlink()
    main("calibrate", "plain", "--apply", "blend.json", "--out", "killed")
    assert probabilities(tmp_path / "killed") == expected
    assert len(Run.open(tmp_path / "killed").parts()) == 2


@pytest.mark.parametrize("bias", [[], [0.0]])
def test_a_calibration_of_no_two_grades_is_damaged(plain, tmp_path, bias):
    said = json.loads((tmp_path / "fitted.json").read_text())
    (tmp_path / "cut.json").write_text(json.dumps(said | {"bias": bias}))
    with pytest.raises(InputError, match="bias"):
        read_calibration(tmp_path / "cut.json")
