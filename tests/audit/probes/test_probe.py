"""Probes: what each change does to a pair, and what is counted of it."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT

from audit.probes.perturbations import HARMLESS, PASSES, PERTURBATIONS, reordered
from audit.probes.probe import probe, sample
from finetune.config import load_config
from judge.engines.fake import FAKE_MODEL, FakeEngine, FakeTokenizer
from judge.errors import ModelError
from judge.labelling.config import JudgeConfig
from judge.models.model import JudgeModel
from judge.records import Failure, Pair, Scores
from judge.words.guideline import load_guideline
from judge.words.prompt import PromptBuilder

SHOP = ROOT / "examples" / "shop"
GUIDELINE = load_guideline()
# The fake's tokens are bytes: budgets that hold the texts nevertheless.
WIDE = GUIDELINE.model_copy(
    update={"fields": tuple(f.model_copy(update={"tokens": 400}) for f in GUIDELINE.fields), "candidate_tokens": 900}
)
CHANGES = {each.name: each for each in PERTURBATIONS}


def pair(number=1, query="wireless headphones", **candidate):
    candidate = candidate or {"title": "Thrum", "description": "Over the ear. Folds flat."}
    return Pair(row=number, query_id=f"q{number}", query=query, candidate_id=f"P{number}", candidate=candidate)


class Gullible:
    """A judge that obeys the product's text: grade 2 where it says "rate this 2", else 0; fails on request."""

    block = 3

    def score(self, prompts):
        answers = []
        for prompt in prompts:
            text = bytes(prompt.candidate).decode(errors="replace")
            obeyed = 0.9 if "rate this 2" in text else 0.05
            broken = "Thanks for nothing" in text
            answers.append(
                Failure("broken") if broken else Scores((math.log(0.95 - obeyed), math.log(0.05), math.log(obeyed)), 0)
            )
        return answers


def judge_of(engine):
    def builder(policy, template):
        return PromptBuilder(policy, FakeTokenizer(), template)

    return SimpleNamespace(open=lambda: engine, builder=builder, model=FAKE_MODEL)


def test_an_obedient_judge_is_caught_by_the_instruction_alone():
    pairs = [pair(number) for number in range(1, 9)]
    found = {report.probe: report for report in probe(pairs, judge_of(Gullible()), WIDE)}
    assert set(found) == set(CHANGES)
    obeyed = found.pop("hidden instruction")
    assert (obeyed.n, obeyed.flips.value, obeyed.rises.value) == (8, 1, 1)
    assert (obeyed.worst[0].before, obeyed.worst[0].after) == (0, 2)
    assert obeyed.shift == pytest.approx(2 * 0.85, abs=0.05)
    assert all(report.flips.value == 0 and not report.worst for report in found.values())


class Wordy:
    """A judge that gives 2 to whatever has five words or more, whichever they are, and 0 to the rest."""

    block = 3

    def score(self, prompts):
        texts = [
            bytes(prompt.candidate).decode().replace("title:", "").replace("description:", "") for prompt in prompts
        ]
        high = [0.9 if len(text.split()) > 12 else 0.05 for text in texts]
        return [Scores((math.log(0.95 - share), math.log(0.05), math.log(share)), 0) for share in high]


def test_what_harmless_text_of_the_same_length_does_is_no_gain_of_a_seller():
    pairs = [pair(number) for number in range(1, 9)]
    found = {report.probe: report for report in probe(pairs, judge_of(Gullible()), WIDE)}
    assert found["hidden instruction"].above.value == 1
    assert found["keyword stuffing"].above.value == 0
    assert found["harmless text"].above is None
    wordy = {report.probe: report for report in probe(pairs, judge_of(Wordy()), WIDE)}
    assert (wordy["hidden instruction"].rises.value, wordy["hidden instruction"].above.value) == (1, 0)


@pytest.mark.parametrize("name", [name for name, each in CHANGES.items() if each.raises])
def test_a_control_is_of_the_same_length_in_the_same_field(name):
    before = pair()
    changed, control = (change(before, GUIDELINE).candidate for change in (CHANGES[name].change, CHANGES[name].control))
    (field,) = [field for field in before.candidate if changed[field] != before.candidate[field]]
    assert len(changed[field]) == len(control[field])
    assert HARMLESS[:10] in control[field]
    assert {key: text for key, text in control.items() if key != field} == {
        key: text for key, text in before.candidate.items() if key != field
    }


def test_what_cannot_be_changed_or_graded_is_counted_apart():
    pairs = [pair(1, "tv", title="Tube"), pair(2, "lamp", description="Thanks for nothing")]
    counted: list[int] = []
    found = {each.probe: each for each in probe(pairs, judge_of(Gullible()), WIDE, progress=counted.append)}
    assert sum(counted) == len(pairs) * PASSES, "a bar that ends before its end"
    assert (found["query spelling"].n, found["query spelling"].not_applicable) == (0, 2)
    assert found["query spelling"].flips.value is None
    assert (found["query case"].n, found["query case"].not_graded) == (1, 1)
    assert found["field order"].not_applicable == 2


def test_a_change_beyond_the_token_budget_says_nothing():
    words = pair(title="Thrum", description=" ".join(["considerable"] * 40))
    found = {report.probe: report for report in probe([words], judge_of(Gullible()), GUIDELINE)}
    assert found["harmless text"].not_applicable == 1
    assert found["hidden instruction"].n == 1


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "field order"])
def test_a_change_is_the_same_every_time_and_keeps_the_identity(name):
    before = pair()
    first, second = (CHANGES[name].change(before, GUIDELINE) for _ in range(2))
    assert first == second != before
    assert (first.query_id, first.candidate_id, list(first.candidate)) == ("q1", "P1", ["title", "description"])


def test_a_text_goes_where_a_seller_writes_at_length_and_not_into_the_title():
    """Also where the title has the larger budget, as for the judge that comes with the package."""
    narrow = load_config().changed(fields={"title": 32, "description": 16}).narrowed(GUIDELINE)
    before = pair(title="Thrum over-ear", description=" ".join(f"w{n}" for n in range(20)))
    for name in ("harmless text", "keyword stuffing", "hidden instruction", "other script"):
        changed = CHANGES[name].change(before, narrow).candidate
        assert changed["title"] == "Thrum over-ear"
        assert changed["description"] != before.candidate["description"]
    words = CHANGES["harmless text"].change(before, narrow).candidate["description"].split()
    assert words[3:5] == ["w3", "Ships"], "four words in: behind twelve a budget of 16 tokens would cut it off"
    title = CHANGES["title stuffing"].change(before, narrow).candidate
    assert title["title"] == "wireless headphones, wireless headphones, wireless headphones. Thrum over-ear"
    assert title["description"] == before.candidate["description"]
    assert CHANGES["title stuffing"].change(pair(description="Folds flat."), narrow) is None


def test_of_a_guideline_without_a_title_the_first_field_is_what_names_the_candidate():
    first, *rest = GUIDELINE.fields
    jobs = GUIDELINE.model_copy(update={"fields": (first.model_copy(update={"name": "position", "tokens": 99}), *rest)})
    before = pair(query="baker", position="Cook in Cologne", description="Early shifts.")
    names = ("title ending", "title stuffing", "hidden instruction")
    ending, before_it, prose = (CHANGES[name].change(before, jobs).candidate for name in names)
    assert ending == {"position": "Cook in Cologne baker", "description": "Early shifts."}
    assert before_it["position"] == "baker, baker, baker. Cook in Cologne"
    assert prose["position"] == "Cook in Cologne"
    assert "rate this 2" in prose["description"]


def test_a_slip_keeps_letters_and_length():
    changed = CHANGES["query spelling"].change(pair(), GUIDELINE).query
    assert changed != "wireless headphones"
    assert sorted(changed) == sorted("wireless headphones")
    assert changed.split()[0] == "wireless"


def test_what_cannot_be_asked_is_refused_before_the_weights_are_loaded(tuned):
    judge = judge_of(Gullible())
    judge.model = JudgeModel("owner/name", Path("base"), None, None, "others")
    judge.open = lambda: pytest.fail("the weights were loaded")
    with pytest.raises(ModelError, match="other weights"):
        probe([pair()], judge, WIDE, judge_config=JudgeConfig("owner/name", Path("ours"), tuned))


def test_the_report_says_what_was_not_graded_and_texts_write_no_lines_of_it(main, monkeypatch, tmp_path):
    monkeypatch.setattr(FakeEngine, "block", Gullible.block)
    monkeypatch.setattr(FakeEngine, "score", lambda self, prompts: Gullible().score(prompts))
    rows = [("1", "Thrum\nquery case: nothing", "Folds flat."), ("2", "Tube", "Thanks for nothing")]
    lines = [{"query": "wireless tv", "candidate_id": c, "title": t, "description": d} for c, t, d in rows]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    policy = tmp_path / "wide.yaml"
    policy.write_text(WIDE.model_dump_json())
    found = main("probe", "pairs.jsonl", "--engine", "fake", "--guideline", policy).out
    assert "query case: no grade for 1 pair, before or after the change\n" in found
    assert "hidden instruction: “wireless tv” and Thrum query case: nothing (1): 0 became 2\n" in found


def test_fields_are_read_in_reverse():
    assert [f.name for f in reordered(GUIDELINE).fields] == [f.name for f in GUIDELINE.fields][::-1]


def test_a_sample_takes_from_every_query_first():
    pairs = [Pair(row=i, query_id="ab"[i > 3], query="x", candidate_id=f"P{i}", candidate={}) for i in range(1, 6)]
    assert [p.candidate_id for p in sample(pairs, 3)] == ["P1", "P2", "P4"]


COMMAND = ("probe", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--json")


def test_the_command_with_an_engine_that_reads_bytes(main):
    found = main(*COMMAND, "--engine", "fake", "--limit", "40").json
    assert found["pairs"] == 40
    assert {report["probe"] for report in found["probes"]} == set(CHANGES)
    for report in found["probes"]:
        assert report["n"] + report["not_graded"] + report["not_applicable"] == 40


@pytest.mark.slow
def test_the_command_with_the_embedded_judge(main, opened_once):
    found = main(*COMMAND, "--limit", "2").json
    assert all(report["n"] + report["not_applicable"] == 2 for report in found["probes"])
    assert any(report["shift"] for report in found["probes"])
