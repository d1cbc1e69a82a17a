"""A judge held in memory gives the labels that a run gets."""

import math

import pytest
from conftest import DOZEN

import relevance_judge as rj
from judge import engines

FIELDS = ("title", "brand", "category", "colour", "size", "material", "price", "description")


def as_pairs(rows):
    """The dozen as pairs in memory: query, and the candidate's fields."""
    return [(row["query"], {name: row.get(name) for name in FIELDS}) for row in rows]


def same_as_a_run(judge, rows, folder):
    """Hold `score` against a run of the same judge, row by row."""
    run = rj.label(DOZEN, judge=judge, out=folder / "run", limit=len(rows))
    labels = run.to_arrow().to_pylist()
    scores = judge.score(as_pairs(rows))
    assert len(scores) == len(labels) == len(rows)
    for scored, labelled in zip(scores, labels, strict=True):
        assert (scored.status, scored.grade) == (labelled["status"], labelled["grade"])
        assert scored.query_id == labelled["query_id"]
        if scored.probabilities is None:
            assert labelled["probabilities"] is None
            continue
        # Padding differs where pairs stand in another order; the fake has none.
        assert scored.probabilities == pytest.approx(labelled["probabilities"], abs=2e-5)
        assert scored.expected_grade == pytest.approx(labelled["expected_grade"], abs=4e-5)
    return scores


def test_scores_are_those_of_a_run(dozen_rows, tmp_path):
    scores = same_as_a_run(rj.Judge(engine="fake"), dozen_rows, tmp_path)
    assert scores.grades.count(None) == 1  # the one without a text


@pytest.mark.slow
def test_scores_of_the_shipped_judge_are_those_of_a_run(dozen_rows, tmp_path, opened_once):
    judge = rj.Judge("shop-135m")
    same_as_a_run(judge, dozen_rows[:4], tmp_path)


def test_scores_stand_in_the_order_of_the_pairs():
    pairs = [("lamp", "Desk lamp"), ("scarf", "Wool scarf"), ("lamp", "Kettle"), ("lamp", "Desk lamp")]
    judge = rj.Judge(engine="fake")
    together = judge.score(pairs)
    assert [label.row for label in together] == [1, 2, 3, 4]
    alone = [judge.score([pair])[0] for pair in pairs]
    assert [label.probabilities for label in together] == [label.probabilities for label in alone]
    assert together[0].probabilities == together[3].probabilities  # a pair that comes twice is judged twice


def test_arrays_follow_the_guideline_and_null_is_nan():
    scores = rj.Judge(engine="fake").score([("lamp", "Desk lamp"), ("lamp", {"title": ""})])
    assert scores.probabilities.shape == (2, 3)
    assert scores.probabilities[0].sum() == pytest.approx(1)
    # The mean of the grades 0, 1, 2 under the probabilities.
    assert scores.expected_grades[0] == pytest.approx(scores.probabilities[0] @ [0, 1, 2])
    assert math.isnan(scores.expected_grades[1])
    assert scores.grades[1] is None
    assert scores[1].status == "skipped"
    assert scores[1].reason
    frame = scores.to_pandas()
    assert frame["grade"].isna().tolist() == [False, True]


def test_no_pairs_give_no_scores():
    scores = rj.Judge(engine="fake").score([])
    assert len(scores) == 0
    assert scores.probabilities.shape == (0, 3)
    assert scores.to_arrow().num_rows == 0


def test_a_text_is_the_first_field_and_other_keys_are_not_read():
    judge = rj.Judge(engine="fake")
    one, two = judge.score([("lamp", "Desk lamp"), ("lamp", {"title": "Desk lamp", "stock": 7, "query": "sofa"})])
    assert one.probabilities == two.probabilities


@pytest.mark.parametrize(
    ("pairs", "place"),
    [
        ([("lamp", "Desk lamp"), ("", "Sofa")], "row 2"),
        ([("lamp", "Desk lamp"), (None, "Sofa")], "row 2"),
        ([("lamp", "Desk lamp"), "sofa"], "row 2"),
        ([("lamp", 7)], "row 1"),
        ([("lamp", {"name": "Desk lamp"})], "row 1"),
        ([("lamp", {"title": object()})], "row 1"),
    ],
)
def test_a_pair_that_cannot_be_read_is_named(pairs, place):
    with pytest.raises(rj.InputError, match=place) as error:
        rj.Judge(engine="fake").score(pairs)
    assert error.value.hint


def test_weights_are_loaded_with_the_first_pair_and_once(monkeypatch, tmp_path):
    opened = []
    found = engines.Judge.open
    monkeypatch.setattr(engines.Judge, "open", lambda judge: opened.append(judge) or found(judge))
    judge = rj.Judge(engine="fake")
    assert opened == []
    judge.score([("lamp", "Desk lamp")])
    judge.score([("lamp", "Sofa")])
    rj.label(DOZEN, judge=judge, out=tmp_path / "run")
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"engine": "warp"}, rj.InputError),
        ({"engine": "fake", "model": "smollm2-135m"}, rj.InputError),
        ({"engine": "server"}, rj.InputError),
        ({"engine": "fake", "guideline": "nowhere.yaml"}, rj.InputError),
        ({"engine": "fake", "max_noise": 0.1}, rj.InputError),  # no calibration to hold it by
        ({"engine": "fake", "engine_config": "nowhere.yaml"}, rj.InputError),
    ],
)
def test_options_that_cannot_be_are_refused_when_the_judge_is_made(options, kind):
    with pytest.raises(kind):
        rj.Judge(**options)
