"""The judge that ships with the package: found by name, whole, free of the data it learned from, and of use."""

import csv
import re
from pathlib import Path

import pytest
from conftest import ROOT, shared_data

from judge.errors import InputError
from judge.labelling.config import read_tuned
from judge.labelling.resolve import JudgeRequest, resolve_judge
from judge.models.shipped import SHIPPED, shipped_directory, shipped_judges
from judge.words.guideline import load_guideline

SHOP = ROOT / "examples" / "shop"
FOLDER = shipped_directory(SHIPPED)


@pytest.mark.parametrize("name", shipped_judges())
def test_each_is_named_taught_our_guideline_and_small(name):
    folder = shipped_directory(name)
    tuned = read_tuned(folder)  # checks the weights against what judge.json says of them
    guideline = load_guideline()
    assert tuned.guideline_digest == guideline.digest, "a changed guideline needs a judge fine-tuned on it"
    assert [label.grade for label in tuned.labels] == list(guideline.values)
    assert tuned.calibration is not None
    assert {path.suffix for path in folder.iterdir()} <= {".safetensors", ".json", ".yaml", ".md"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12_000_000
    assert next(iter(shipped_judges())) == SHIPPED


def test_it_is_the_default_where_an_engine_can_apply_it():
    judge_config = resolve_judge(JudgeRequest(SHIPPED))[1]
    assert (judge_config.model, judge_config.adapter) == ("smollm2-135m", FOLDER)
    with pytest.raises(InputError) as caught:
        resolve_judge(JudgeRequest(SHIPPED, "esci-four-level"))
    assert "--judge smollm2-135m" in caught.value.hint


def test_its_blend_is_the_default_and_reads_the_encoder_that_is_installed_apart():
    guideline, judge_config = resolve_judge(JudgeRequest(SHIPPED))
    blend = judge_config.calibration.blend
    assert blend.names == ("judge", "cosine", "overlap")
    assert all(feature.weight > 0 for feature in blend.features)
    assert len(blend.cuts) == len(guideline.values) - 1
    assert judge_config.encoder.digest == blend.encoder, "a blend of another encoder needs fitting again"
    plain = resolve_judge(JudgeRequest(SHIPPED, calibration=Path("plain")))[1]
    assert (plain.calibration, plain.encoder) == (read_tuned(FOLDER).calibration, None)


def test_nothing_of_the_data_is_in_them():
    """Not a query, not a title: weights and figures alone."""
    inside = [path for folder in shipped_judges().values() for path in folder.iterdir()]
    words = "".join(path.read_text("utf-8") for path in inside if path.suffix != ".safetensors")
    for line in (shared_data("esci") / "judgments.csv").read_text("utf-8").splitlines()[1::97]:
        query = line.split(",")[0].strip('"')
        assert not re.search(rf"\b{re.escape(query)}\b", words) or len(query) < 12


@pytest.mark.slow
def test_its_labels_on_the_example_shop_are_clear_of_chance(main, opened_once, tmp_path):
    """A shop that it has never seen: who orders by its grades orders better than at random, by the intervals.

    The quickstart's command on a part of its pairs.
    """
    every_fourth(SHOP / "pairs.csv", tmp_path / "pairs.csv")
    every_fourth(SHOP / "grades.csv", tmp_path / "grades.csv")
    told = main("label", "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--out", "run", "--json").json
    assert told["status"]["graded"] == told["rows"] == 117
    found = main("agree", "grades.csv", "--run", "run", "--json").json
    assert (found["n"], found["queries"], found["coverage"]) == (117, 10, 1.0)
    assert found["weighted_kappa"]["low"] > 0.1
    assert found["accuracy"]["value"] > found["majority_baseline"]["value"]
    assert found["spearman"]["low"] > 0.5


def every_fourth(path, out):
    """The rows of every fourth of the 37 queries: a quarter of the work, and intervals that are still clear."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    kept = list(dict.fromkeys(row["query_id"] for row in rows))[::4]
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in rows if row["query_id"] in kept)
