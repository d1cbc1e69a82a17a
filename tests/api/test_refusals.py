"""What the Python API refuses before it does any work."""

import pandas as pd
import pytest
from conftest import ROOT
from finetune_fixtures import rated_rows

import relevance_judge as rj

SHOP = ROOT / "examples" / "shop"
RATED = [{**row, "rater": rater} for row in rated_rows() for rater in ("ann", "ben")]


def test_messages_name_the_table_row_and_field(fake, tmp_path):
    frame = pd.DataFrame([{"query": "lamp", "candidate_id": "1", "title": "x"}, {"query": "", "candidate_id": "2"}])
    with pytest.raises(rj.InputError, match=r"^pairs \(DataFrame\), row 2, field 'query'") as error:
        rj.label(frame, judge=fake, out=tmp_path / "run")
    assert error.value.hint
    assert not (tmp_path / "run").exists()  # what was refused leaves nothing
    kept = rj.label(frame, judge=fake, out=tmp_path / "run", skip_bad_rows=True)
    assert kept.summary.status == {"graded": 1, "abstained": 0, "failed": 0, "skipped": 1}
    with pytest.raises(rj.InputError, match=r"^catalogue \(list\), row 2"):
        rj.label(
            [{"query": "lamp", "candidate_id": "1"}],
            catalogue=[{"candidate_id": "1", "title": "Lamp"}, {"candidate_id": "", "title": "Sofa"}],
            judge=fake,
            out=tmp_path / "other",
        )


def test_ratings_of_several_raters_are_no_run(tmp_path):
    with pytest.raises(rj.InputError, match="raters="):
        rj.import_ratings(RATED, out=tmp_path / "run", raters=["ann"])
    run = rj.import_ratings(
        [{"query": "lamp", "candidate_id": "1", "label": "E"}], out=tmp_path / "run", rating="label", grades={"E": 2}
    )
    assert run.to_pandas()["grade"].tolist() == [2]


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_a_run_that_is_not_there_is_a_run_error(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    for call in (rj.Run.open, lambda path: rj.agree(path, RATED), lambda path: rj.export(path, "trec")):
        with pytest.raises(rj.RunError):
            call(place)


@pytest.mark.parametrize("config", [{"epochs": 0}, {"epoch": 3}, "nowhere.yaml"])
def test_a_training_that_cannot_be_is_refused_before_any_base(tmp_path, config):
    with pytest.raises(rj.InputError):
        rj.finetune(RATED, out=tmp_path / "ours", config=config)
    with pytest.raises(rj.InputError, match="gold="):
        rj.finetune(RATED, out=tmp_path / "ours", gold="ann")


def test_numbers_out_of_range_are_input_errors(fake, tmp_path):
    for limit in (0, -1):
        with pytest.raises(rj.InputError, match="limit="):
            rj.label(RATED, judge=fake, out=tmp_path / "run", limit=limit)
    for epsilon in (-0.1, 5):
        with pytest.raises(rj.InputError, match="epsilon="):
            rj.agree(None, RATED, epsilon=epsilon)


def test_what_is_wrong_is_what_the_verb_tells(main, tmp_path):
    (tmp_path / "r.csv").write_text("term,candidate_id,label\nlamp,1,E\nlamp,2,x\nlamp,,E\n")
    grades = {"E": 2, "I": 0}
    found = rj.validate(tmp_path / "r.csv", rating="label", grades=grades, map={"query": "term"})
    verb = ("validate", tmp_path / "r.csv", "--rating", "label", "--grades", "E=2,I=0", "--map", "query=term", "--json")
    assert found.as_json() == main(*verb, code=2).json
    assert (found.rows, found.problems) == (3, {"missing_candidate_id": 1, "unknown_grade": 1})
    assert "missing_candidate_id" in repr(found)
    pairs = rj.validate([{"query": "lamp", "candidate_id": "1", "description": "Old"}])
    assert (pairs.pairs, pairs.problems, pairs.missing_fields[0]) == (1, {}, "title")
    with pytest.raises(rj.InputError, match="skip_bad_rows"):
        rj.validate(tmp_path / "r.csv", rating="label", skip_bad_rows=True)
