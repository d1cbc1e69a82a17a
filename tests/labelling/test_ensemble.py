"""Finished runs of the same pairs averaged into one: by hand, and with judges that fail, abstain or only vote."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audit.review.disputed import read_disputed
from audit.review.second import check_independent
from judge.errors import InputError, RunError
from judge.fingerprint import Fingerprint
from judge.labelling.config import JudgeConfig
from judge.labelling.ensemble import ensemble_run
from judge.run.store import Run
from judge.run.summary import summarise
from judge.statistics.committee import divergence

TITLES = {"a": "red scarf", "b": "blue scarf", "c": "scarf rack", "d": "wool hat"}


def said(**labels):
    return [{"query": "scarf", "candidate_id": c, "title": TITLES[c], **label} for c, label in labels.items()]


def told(*probabilities):
    grade = int(np.argmax(probabilities))
    expected = sum(g * p for g, p in enumerate(probabilities))
    return {"grade": grade, "probabilities": probabilities, "expected_grade": expected}


def averaged(tmp_path, *members):
    run = Run(tmp_path / "both")
    with run.writing():
        ensemble_run(run, members)
    return run, {row["candidate_id"]: row for part in run.parts() for row in pq.read_table(part).to_pylist()}


def test_probabilities_are_averaged_and_disagreement_is_their_divergence(run_of, tmp_path):
    one = run_of(said(a=told(0.2, 0.2, 0.6), b=told(1.0, 0, 0)), "one", judge="one")
    two = run_of(said(a=told(0.6, 0.2, 0.2), b=told(0, 0, 1.0)), "two", judge="two")
    three = run_of(said(a=told(0.1, 0.2, 0.7), b=told(1.0, 0, 0)), "three", judge="three")
    run, found = averaged(tmp_path, one, two, three)
    assert found["a"]["probabilities"] == pytest.approx([0.3, 0.2, 0.5])
    assert (found["a"]["grade"], found["a"]["expected_grade"]) == (2, pytest.approx(1.2))
    assert found["b"]["probabilities"] == pytest.approx([2 / 3, 0, 1 / 3])
    # Three sure judges, two against one: H(2/3, 1/3) = log2 3 - 2/3 bits, and none of theirs to take off.
    assert found["b"]["disagreement"] == pytest.approx(math.log2(3) - 2 / 3)
    # H(.3, .2, .5) = 1.485475; H(.2, .2, .6) = 1.370951 twice, H(.1, .2, .7) = 1.156780: 1.485475 - 1.299560.
    assert found["a"]["disagreement"] == pytest.approx(0.185915, abs=1e-5)
    assert found["b"]["member_grades"] == [0, 2, 0]
    assert summarise(run).done
    assert [parts["judge"] for parts in run.manifest.members] == ["one", "two", "three"]


def test_judges_without_probabilities_vote_and_none_are_made_up(run_of, tmp_path):
    one = run_of(said(a=told(0.1, 0.2, 0.7), b=told(0.4, 0.6, 0), c={"grade": 1}), "one", judge="one")
    two = run_of(said(a={"grade": 2}, b={"grade": 0}, c={"grade": 1}), "two", judge="two")
    three = run_of(said(a={"grade": 0}, b={"grade": 2}, c={"grade": 1}), "three", judge="three")
    _, found = averaged(tmp_path, one, two, three)
    assert (found["a"]["status"], found["a"]["grade"], found["a"]["probabilities"]) == ("graded", 2, None)
    assert (found["b"]["status"], found["b"]["grade"]) == ("abstained", None)
    assert "tie" in found["b"]["reason"]
    assert (found["c"]["grade"], found["c"]["disagreement"], found["c"]["expected_grade"]) == (1, 0, None)


def test_a_judge_that_gave_nothing_has_no_say(run_of, tmp_path):
    failed = {"status": "failed", "reason": "the judge refused"}
    unsure = {"status": "abstained", "reason": "not sure", "probabilities": (0.5, 0.3, 0.2), "expected_grade": 0.7}
    one = run_of(said(a=failed, b=failed, c=unsure), "one", judge="one")
    two = run_of(said(a=told(0.1, 0.2, 0.7), b=failed, c=told(0.1, 0.1, 0.8)), "two", judge="two")
    _, found = averaged(tmp_path, one, two)
    assert found["a"]["probabilities"] == pytest.approx([0.1, 0.2, 0.7])
    assert found["a"]["disagreement"] is None
    assert (found["b"]["status"], found["b"]["reason"]) == ("failed", "the judge refused")
    assert found["c"]["probabilities"] == pytest.approx([0.3, 0.2, 0.5])


def test_equal_probabilities_are_a_tie_and_no_grade(run_of, tmp_path):
    one = run_of(said(a=told(0.0, 0.2, 0.8)), "one", judge="one")
    two = run_of(said(a=told(0.8, 0.2, 0.0)), "two", judge="two")
    _, found = averaged(tmp_path, one, two)
    assert (found["a"]["status"], found["a"]["grade"]) == ("abstained", None)
    assert found["a"]["probabilities"] == pytest.approx([0.4, 0.2, 0.4])


def test_runs_of_other_pairs_or_another_policy_or_the_same_judge_are_refused(run_of, tmp_path, guideline):
    one = run_of(said(a=told(0.1, 0.2, 0.7)), "one", judge="one")
    other = run_of([{**said(a=told(0.1, 0.2, 0.7))[0], "title": "another text"}], "other", judge="two")
    more = run_of(said(a=told(0.1, 0.2, 0.7), b=told(1, 0, 0)), "more", judge="two")
    grades = [grade.model_copy(update={"definition": "something else"}) for grade in guideline.grades]
    policy = run_of(
        said(a=told(0.1, 0.2, 0.7)), "policy", guideline.model_copy(update={"grades": tuple(grades)}), judge="two"
    )
    again = run_of(said(a=told(0.1, 0.2, 0.7)), "again", judge="one")
    copy = run_of(said(a=told(0.1, 0.2, 0.7)), "copy", judge="one")
    stored = json.loads((copy.path / "run.json").read_text())
    stored["parts"] |= {"calibration": "c" * 64, "recalibrated_from": one.manifest.fingerprint}
    stored["fingerprint"] = Fingerprint(parts=stored["parts"]).value
    (copy.path / "run.json").write_text(json.dumps(stored))
    for member in (other, more, policy, again, Run(copy.path)):
        with pytest.raises(InputError):
            averaged(tmp_path, one, member)
        assert not (tmp_path / "both").exists()
    with pytest.raises(InputError):
        averaged(tmp_path, one)


def test_what_was_begun_is_continued_and_another_ensemble_is_refused(run_of, tmp_path, monkeypatch):
    rows = said(a=told(0.1, 0.2, 0.7), b=told(0.4, 0.6, 0), c=told(0.9, 0.1, 0), d=told(0.2, 0.5, 0.3))
    one, two = run_of(rows, "one", judge="one"), run_of(rows, "two", judge="two")
    monkeypatch.setattr("judge.labelling.ensemble.PART", 2)
    run, whole = averaged(tmp_path, one, two)
    run.parts()[-1].unlink()
    _, again = averaged(tmp_path, one, two)
    assert again == whole
    with pytest.raises(RunError):
        averaged(tmp_path, one, run_of(rows, "three", judge="three"))


def test_the_queue_puts_what_judges_are_split_on_first(run_of, tmp_path, main):
    one = run_of(said(a=told(0.2, 0.2, 0.6), b=told(0.1, 0.1, 0.8), c=told(0.9, 0.1, 0.0)), "one", judge="one")
    two = run_of(said(a=told(0.3, 0.2, 0.5), b=told(0.6, 0.2, 0.2), c=told(0.9, 0.1, 0.0)), "two", judge="two")
    run, _ = averaged(tmp_path, one, two)
    items = read_disputed(run)
    assert [item.candidate_id for item in items] == ["b", "a"], "of c both say the same"
    # b: the mean is .35, .15, .5: grade 2, wrong by 1 - .5; the other judge gives 0.
    assert (items[0].grade, items[0].suggested_grade, items[0].p_wrong) == (2, 0, pytest.approx(0.5))
    main("queue", "both", "--to", "csv", "--by", "disagreement", "--out", "queue.csv", "--limit", "1")
    assert len((tmp_path / "queue.csv").read_text(encoding="utf-8-sig").splitlines()) == 2
    main("queue", "one", "--to", "csv", "--by", "disagreement", "--out", "other.csv", code=2)
    decisions = "query_id,candidate_id,decision,author\n" + f"{items[0].query_id},b,0,ann\n"
    (tmp_path / "decided.csv").write_text(decisions)
    main("decide", "both", "decided.csv")
    assert [item.candidate_id for item in read_disputed(run)] == ["a"]


def test_a_member_has_no_second_opinion_on_its_ensemble(run_of, tmp_path):
    one, two = (run_of(said(a=told(0.1, 0.2, 0.7)), n, judge=n) for n in ("one", "two"))
    run, _ = averaged(tmp_path, one, two)
    manifest = run.manifest
    members = ({"judge": "one", "weights": "w1"}, {"judge": "two", "weights": "w2"})
    run.begin(manifest.model_copy(update={"members": members}))
    with pytest.raises(InputError):
        check_independent(run, {"judge": "two", "weights": "w2"}, JudgeConfig())
    check_independent(run, {"judge": "three", "weights": "w3"}, JudgeConfig())


@given(arrays(float, (3, 4, 3), elements=st.floats(0.001, 1)))
def test_disagreement_is_bounded_and_blind_to_order(weights):
    said = weights / weights.sum(axis=2, keepdims=True)
    found = divergence(said)
    assert ((found >= 0) & (found <= math.log2(3) + 1e-9)).all()
    assert divergence(said[::-1]) == pytest.approx(found)
    assert divergence(np.stack([said[0]] * 3)) == pytest.approx(np.zeros(4), abs=1e-9)
