"""What another judge says is weighed with the evidence: by hand, by DoorDash's rule, and on planted errors."""

import json

import numpy as np
import pytest
from conftest import write_flags

from audit.review import adjudicate, weighing
from audit.review.queue import read_queue
from audit.review.rejudge import Answer
from audit.review.second import Second
from judge.engines import Serving
from judge.labelling.config import JudgeConfig
from judge.run.decisions import Decision, Decisions, outcomes
from judge.run.flags import Flags


def test_an_unknown_judge_is_right_in_six_of_ten_and_near_in_more_than_far():
    # Distances 1 and 2 weigh 1/2 and 1/4: 2/3 and 1/3 of the .4 that are wrong.
    expected = [[0.6, 0.8 / 3, 0.4 / 3], [0.2, 0.6, 0.2], [0.4 / 3, 0.8 / 3, 0.6]]
    assert np.allclose(weighing.assumed(3), expected)
    assert np.allclose(weighing.measured([], 3), expected)
    # 30 pairs of grade 0, of which the judge gives 0 to 27 and 2 to 3, next to 10 as assumed.
    seen = [(0, 0, 1.0)] * 27 + [(0, 2, 1.0)] * 3
    assert np.allclose(weighing.measured(seen, 3)[0], [33 / 40, (8 / 3) / 40, (4 / 3 + 3) / 40])
    assert np.allclose(weighing.measured(seen, 3)[1:], expected[1:])


def test_a_posterior_by_hand():
    # A tenth is spread evenly: (.1, .1, .8) becomes (.1233, .1233, .7533).
    evidence = np.array([0.1, 0.1, 0.8])
    # The judge gives 2, of which an unknown one gives (.1333, .2, .6): .01644, .02467, .452, in all .49311.
    by_grade = weighing.judge_likelihood(weighing.assumed(3), 2, None)
    assert weighing.combine(evidence, by_grade) == pytest.approx([0.03335, 0.05002, 0.91663], abs=1e-4)
    # Half of the query's pairs bear the category out: that says nothing. All of them: 3 to 1 for the highest grade.
    assert weighing.category_likelihood(0.5, 3) == pytest.approx([1, 1, 1])
    assert weighing.category_likelihood(None, 2) == pytest.approx([1, 1])
    fits = weighing.category_likelihood(1.0, 3)
    assert fits[2] / fits[0] == pytest.approx(3)
    # .01644 / sqrt 3, .02467 and .452 * sqrt 3: .00949, .02467, .78289, in all .81705.
    assert weighing.combine(evidence, by_grade, fits) == pytest.approx([0.01162, 0.03019, 0.95819], abs=1e-4)
    # With probabilities (.5, 0, .5), each grade's chance of 0 and of 2 by halves: .3667, .2, .3667.
    mixed = weighing.judge_likelihood(weighing.assumed(3), 0, (0.5, 0.0, 0.5))
    assert mixed == pytest.approx([0.36667, 0.2, 0.36667], abs=1e-4)


def test_neither_evidence_nor_an_unknown_judge_settles_a_label_alone():
    certain = weighing.combine(np.array([0.0, 0.0, 1.0]))
    assert certain.max() < adjudicate.SURE
    flat = np.full(3, 1 / 3)
    for given in range(3):
        said = weighing.judge_likelihood(weighing.assumed(3), given, None)
        assert weighing.combine(flat, said).max() < adjudicate.SURE


def test_evidence_is_corrected_by_what_people_found():
    # The label 0 is wrong by half rather than .8: the others keep their ratio of 1 to 3.
    assert weighing.corrected_evidence([0.2, 0.2, 0.6], 0, 0.5) == pytest.approx([0.5, 0.125, 0.375])
    assert weighing.corrected_evidence([1.0, 0.0, 0.0], 0, 0.5) == pytest.approx([0.5, 0.25, 0.25])


CATEGORIES = {"fits": "Home > Lamps", "differs": "Toys"}
QUERIES = {"fits": "q", "differs": "r"}


@pytest.fixture
def doubted(run_of):
    """Pairs with the label 0 that shoppers take for relevant, one in the query's category and one in another."""
    rows = [("q", "fits", 0), ("q", "good", 2), ("r", "differs", 0), ("r", "good", 2)]
    run = run_of(
        [
            {"query_id": q, "query": f"lamp {q}", "title": "Lamp", "candidate_id": c, "grade": g}
            | {"category": CATEGORIES.get(c, "Home > Lamps")}
            for q, c, g in rows
        ]
    )
    flags = [(n, q, f"lamp {q}", c, g, 2 if g == 0 else 0) for n, (q, c, g) in enumerate(rows, 1)]
    write_flags(run, flags, posterior=(0.1, 0.1, 0.8))
    # The good ones are evidence, and not flagged.
    kept = Flags(run.path)
    kept.write(
        [
            flag.model_copy(update={"candidate": {"category": CATEGORIES[flag.candidate_id]}})
            for flag in kept.read()
            if flag.candidate_id in CATEGORIES
        ]
    )
    return run


def decide(run, monkeypatch, guideline, grades, **more):
    monkeypatch.setattr(adjudicate, "rejudge", lambda *a: {(QUERIES[c], c): Answer(g) for c, g in grades.items()})
    found = adjudicate.adjudicate(run, Second(guideline, JudgeConfig("big"), Serving("fake")), **more)
    return {o.item.candidate_id: o for o in found.outcomes}


def test_doordashs_rule_is_the_special_case(doubted, monkeypatch, guideline):
    """Engagement says relevant, the label irrelevant: a stronger judge; where it differs too, the category decides."""
    found = decide(doubted, monkeypatch, guideline, {"fits": 2, "differs": 2})
    # .958 with a category that all others of the query have, worked above (p_wrong is .9 as there); with one that none
    # has, .01644 * sqrt 3, .02467, .452 / sqrt 3: .02847, .02467, .26096, in all .3141: .831 for 2.
    assert (found["fits"].decision.verdict, found["fits"].decision.grade) == ("change", 2)
    assert found["differs"].decision.verdict == "opinion"
    assert found["differs"].decision.posterior[2] == pytest.approx(0.831, abs=0.01)
    assert [item.candidate_id for item in read_queue(doubted)] == ["differs"]
    settled = Decisions(doubted.path).settled()["q", "fits"]
    assert (settled.author, settled.source, settled.judged, settled.label) == ("judge fake", "judge", 2, 0)


def test_a_judge_that_repeats_a_label_against_evidence_settles_nothing(doubted, monkeypatch, guideline):
    found = decide(doubted, monkeypatch, guideline, {"fits": 0, "differs": 0})
    assert {o.decision.verdict for o in found.values()} == {"opinion"}
    # The likeliest grade stands first in the queue all the same.
    assert {item.candidate_id: item.suggestion for item in read_queue(doubted)}["fits"] == 2


def test_a_judge_that_keeps_a_label_counts_as_a_judge(doubted, monkeypatch, guideline, main):
    found = decide(doubted, monkeypatch, guideline, {"differs": 0}, sure=0.51)
    # (.1233, .1233, .7533) by (.6, .2, .1333) and (sqrt 3, 1, 1 / sqrt 3): .12815, .02467, .05799: .608 for 0.
    kept = found["differs"].decision
    assert (kept.verdict, kept.grade, kept.judged) == ("keep", None, 0)
    assert kept.posterior[0] == pytest.approx(0.608, abs=0.01)
    latest = Decisions(doubted.path).latest()
    assert kept.pair in latest
    assert outcomes(latest) == {}, "promises and corrections learn from people alone"
    main("export", doubted.path, "--to", "jsonl", "--out", "out.jsonl")
    rows = [json.loads(line) for line in (doubted.path.parent / "out.jsonl").read_text().splitlines()]
    by = {row["candidate_id"]: (row["grade"], row["decided_by"]) for row in rows}
    assert by["differs"] == (0, "judge fake")


def test_people_are_never_overruled(doubted, monkeypatch, guideline):
    said = {"label": 0, "author": "Ana", "reason": "", "time": "t", "source": "review"}
    Decisions(doubted.path).append([Decision(**said, query_id="q", candidate_id="fits", verdict="unsure")])
    found = decide(doubted, monkeypatch, guideline, {"fits": 2, "differs": 2}, sure=0.6)
    assert found["fits"].decision.verdict == "opinion", "she could not tell: people go on"
    assert found["differs"].decision.verdict == "change"
    # A judge's line after people's does not count, wherever it comes from; people's after a judge's does.
    late = {**said, "author": "judge big", "source": "judge", "verdict": "change", "grade": 1, "posterior": {1: 0.99}}
    Decisions(doubted.path).append([Decision(**late, query_id="q", candidate_id="fits")])
    assert ("q", "fits") not in Decisions(doubted.path).settled()
    Decisions(doubted.path).append([Decision(**said, query_id="r", candidate_id="differs", verdict="keep")])
    assert Decisions(doubted.path).settled()["r", "differs"].author == "Ana"


def test_a_judge_is_measured_by_decisions_of_people_on_pairs_that_it_gave_a_grade(doubted, monkeypatch, guideline):
    decide(doubted, monkeypatch, guideline, {"fits": 0, "differs": 2}, sure=1.0)
    said = {"label": 0, "author": "Ana", "reason": "", "time": "t", "source": "review"}
    Decisions(doubted.path).append([Decision(**said, query_id="q", candidate_id="fits", verdict="change", grade=2)])
    monkeypatch.setattr(adjudicate, "rejudge", lambda *a: {("r", "differs"): Answer(2)})
    found = adjudicate.adjudicate(doubted, Second(guideline, JudgeConfig("big"), Serving("fake")), sure=1.0)
    # It gave 0 where Ana says 2: one pair next to ten as assumed.
    assert (found.reliability.rated, found.reliability.decided) == (0, 1)
    assert found.reliability.confusion[2] == pytest.approx([(4 / 3 + 1) / 11, (8 / 3) / 11, 6 / 11])
