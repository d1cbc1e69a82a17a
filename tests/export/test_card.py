"""The card: what people wrote survives, what a seller wrote is no markup, and figures are those that were measured."""

import html
import re

import pytest
import yaml
from conftest import ROOT, write_flags
from hypothesis import given
from hypothesis import strategies as st
from judged_rows import row

from judge.calibration.calibrate import Calibration
from judge.calibration.held_out import HeldOut, Trust
from judge.errors import InputError
from judge.export.hub.card import escape, write_card
from judge.export.hub.facts import Agreement, Figure, gather, languages_of
from judge.export.hub.merging import BEGIN, END, Card, merged, merged_data, read_card
from judge.export.hub.staged import stage
from judge.export.published import write_views
from judge.export.selection import Selection
from judge.run.decided import Decided
from judge.run.manifest import Manifest
from judge.statistics.agreement import headline
from judge.words.guideline import load_guideline
from judge.words.pages import interval, number

OURS = Card({"license": "unknown", "tags": ["search"], "configs": [{"config_name": "pairs"}]}, "New words.")


def put(text, views=("pairs",), ours=OURS, **more):
    return merged(read_card(text, "ann/x"), ours, "Title", views, **more)


def markdown():
    from markdown_it import MarkdownIt

    return MarkdownIt("gfm-like", {"html": True, "linkify": False})


HOSTILE = [
    "<script>alert(1)</script>",
    "[free](https://evil.example) ![x](https://evil.example/x.png)",
    "see https://evil.example or www.evil.example or a@evil.example",
    "**bold** _it_ `code` ~~gone~~ | cell | \\| $x$",
    "<!-- relevance-judge end -->",
    "a\n\n# heading\n- item\n---\n",
    "1. first", "- item", "# heading", "+ item", "== ==",
    "&lt;b&gt; &#60;",
    "{{ 7 * 7 }} {% raw %}",
    "\u202egnp.exe\x1b[2J\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_is_nothing_more(text):
    """A CommonMark reader finds one paragraph of plain text that reads as the text does."""
    for before in ("", "x "):
        tokens = markdown().parse(before + escape(text))
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        assert {child.type for child in tokens[1].children} <= {"text", "text_special"}
        shown = "".join(child.content for child in tokens[1].children)
        printable = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
        assert shown == before + printable


@given(st.text(max_size=60))
def test_any_text_is_one_line_of_plain_text(text):
    made = escape(text)
    assert "\n" not in made
    assert not re.search(r"[<>\[\]*_`|\\@]|://|www\.", made, re.I), "no markup, no address that becomes a link"
    tokens = markdown().parse("x " + made)
    assert {child.type for token in tokens for child in token.children or ()} <= {"text", "text_special"}
    assert html.unescape(made) == "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def test_a_new_card_has_a_heading_and_our_part_between_marks():
    text = put("")
    assert text.startswith("---\nlicense: unknown\n")
    assert f"\n# Title\n\n{BEGIN.format(views='pairs')}\nNew words.\n{END}\n" in text


def test_only_our_part_changes_the_second_time():
    first = put("# Mine\n\nBefore.\n")
    edited = first.replace(END, END + "\n\nAfter.").replace("Before.", "Before, edited.")
    second = put(edited, ours=Card(OURS.data, "Newer words."))
    assert second == edited.replace("New words.", "Newer words.")


def test_the_same_again_is_the_same():
    once = put("---\nlicense: mit\n---\n# Mine\n")
    assert put(once) == once


@given(st.dictionaries(st.sampled_from(["license", "pretty_name", "source"]), st.text("abc: #", min_size=1)))
def test_what_people_set_stays(theirs):
    found = merged_data(theirs, OURS.data, ["pairs"])
    assert {key: found[key] for key in theirs} == theirs


def test_entries_of_our_views_are_written_anew_and_others_stay():
    old = {"config_name": "pairs", "features": [{"name": "stale", "dtype": "string"}]}
    other = {"config_name": "mine", "features": [{"name": "a", "dtype": "string"}]}
    gone = {"config_name": "listwise", "features": []}
    new = {"config_name": "pairs", "features": [{"name": "score", "dtype": "float64"}]}
    theirs = Card({"dataset_info": [old, other, gone]}, f"{BEGIN.format(views='pairs, listwise')}\nx\n{END}\n")
    text = merged(theirs, Card({"dataset_info": [new]}, "y"), "T", ["pairs"])
    assert yaml.safe_load(text.split("---\n")[1])["dataset_info"] == [other, new]


def test_one_config_opens_by_itself():
    ours = {"configs": [{"config_name": "judgments", "default": True}, {"config_name": "pairs"}]}
    alone = merged_data({}, ours, ["judgments", "pairs"])
    assert alone["configs"][0] == {"config_name": "judgments", "default": True}
    theirs = {"configs": [{"config_name": "mine", "default": True}]}
    beside = merged_data(theirs, ours, ["judgments", "pairs"])["configs"]
    assert [config.get("default") for config in beside] == [True, None, None]


def test_a_single_entry_without_a_name_is_the_default_config():
    found = merged_data({"dataset_info": {"features": []}}, {"dataset_info": [{"config_name": "pairs"}]}, ["pairs"])
    assert found["dataset_info"] == [{"config_name": "default", "features": []}, {"config_name": "pairs"}]


def test_a_licence_that_was_asked_for_goes_before_theirs():
    text = "---\nlicense: mit\n---\n"
    ours = Card({**OURS.data, "license": "cc-by-4.0"}, "x")
    assert "license: mit" in put(text, ours=ours)
    assert "license: cc-by-4.0" in put(text, ours=ours, license_given=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\na: [1\n---\n", "not valid YAML"),
        ("---\n- a\n---\n", "not a mapping"),
        (f"{BEGIN.format(views='pairs')}\nx\n", "marks around our part are damaged"),
        (f"{END}\n{BEGIN.format(views='pairs')}\n", "marks around our part are damaged"),
    ],
)
def test_a_card_that_cannot_be_merged_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        read_card(text, "ann/x")


def test_figures_as_people_read_them():
    assert (number(-0.0001), number(None), number(0.7383)) == ("0.000", "–", "0.738")
    assert interval(Figure(name="k", value=0.1, low=-0.02, high=0.2)) == "−0.020 to 0.200"
    assert interval(Figure(name="k", value=None, reason="one grade")) == "one grade"


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ({"judge": "/home/ann/models/mine"}, "mine"),
        ({"judge": "runs/merged"}, "merged"),
        ({"judge": "owner/name", "revision": "abc"}, "owner/name"),
        ({"judge": "owner/name/q4.gguf", "revision": "abc"}, "owner/name/q4.gguf"),
        ({"judge": "smollm2-135m", "adapter": "1a2b3c4d5e"}, "smollm2-135m, fine-tuned (adapter 1a2b3c4d)"),
        ({}, "unknown"),
    ],
)
def test_a_judge_is_named_as_what_it_is_and_not_by_where_it_lies(parts, shown):
    assert Manifest.model_construct(parts=parts).judge == shown


@pytest.mark.parametrize(
    ("numbers", "calibrated"),
    [
        ({"temperature": 1.0, "bias": [0.0, 0.0, 0.0]}, False),  # nothing was fitted: the judge's own words
        ({"temperature": 1.0, "bias": [0.1, 0.0, -0.1]}, True),
        ({"temperature": 1.5, "bias": [0.0, 0.0, 0.0]}, True),
        (None, True),  # a run of before its numbers were kept
    ],
)
def test_a_calibration_that_changes_nothing_is_none(numbers, calibrated):
    words = load_guideline().model_dump(mode="json")
    held = {"fingerprint": "0" * 16, "inputs": {}, "files": {}, "guideline": words, "rows": 0, "created": "now"}
    assert Manifest(**held, parts={"calibration": "ab"}, calibration=numbers).calibrated == calibrated
    assert not Manifest(**held, parts={"calibration": None}, calibration=None).calibrated


def test_a_country_is_no_language():
    assert languages_of("en", ["us", "jp", "es", "uk", "pt_BR", "zh-Hans-CN", "DE", "../x", ""]) == (
        "de",
        "en",
        "es",
        "pt",
        "zh",
    )
    assert languages_of(None, []) == ()


def test_metadata_that_stand_for_more_than_they_say_are_refused():
    with pytest.raises(InputError, match="not valid YAML: anchors"):
        read_card("---\na: &a [x]\nb: [*a, *a]\n---\n", "owner/name")


def test_tags_that_are_lists_stay_as_people_wrote_them():
    found = merged_data({"tags": [["a"], "b"]}, {"tags": ["b", "relevance"]}, ["pairs"])
    assert found["tags"] == [["a"], "b", "relevance"]


def facts_of(run, tmp_path, agreement=None, **selection):
    """A run's facts, and its views as they would be sent."""
    decisions, views = Decided.of(run), tmp_path / "views"
    written = write_views(decisions, Selection(**selection), views, without_empty=True)
    staged = stage(views, tmp_path / "staged", written, run.manifest.guideline["grades"])
    return gather(decisions, written, views, agreement), staged


FITTED = {"temperature": 2.0, "bias": [0.0, 0.0, 0.0]}


@pytest.mark.parametrize(
    ("applied", "present", "columns", "here"),
    [
        (None, False, ["uncalibrated", "calibrated"], "the uncalibrated ones"),
        (FITTED, False, ["uncalibrated", "calibrated"], "the calibrated ones"),
        (FITTED | {"temperature": 3.0}, False, ["uncalibrated", "calibrated"], "another calibration"),
        (FITTED | {"blend": {}}, True, ["uncalibrated", "these labels", "calibrated"], "those of these labels"),
    ],
)
def test_figures_of_a_calibration_are_the_labels_own_only_where_it_was_applied(
    run_of, tmp_path, applied, present, columns, here
):
    """`judge calibrate RUN` leaves its figures in the run, and changes no label of it."""
    facts, staged = facts_of(run_of([row("lamp", "a", 2, 0.9)]), tmp_path)
    before, own, after = (
        Trust(n=40, queries=8, accuracy=accuracy, log_loss=1, brier=1, calibration_error=0.1)
        for accuracy in (0.501, 0.602, 0.703)
    )
    found = Calibration(
        **FITTED,
        before=before,
        after=after,
        present=own if present else None,
        held_out=HeldOut(confidence=(), wrong=(), query=()),
        ratings="0",
    )
    parts = facts.manifest.parts | {"calibration": "ab" if applied else None}
    manifest = facts.manifest.model_copy(update={"calibration": applied, "parts": parts})
    facts = facts.model_copy(update={"calibration": found, "manifest": manifest})
    told = write_card(facts, staged, "ann/x", "v1").body
    assert f"| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}\n" in told
    accuracies = ["0.501", *(["0.602"] if present else []), "0.703"]
    assert f"\n| accuracy | {' | '.join(accuracies)} |\n| log loss |" in told
    assert re.search(f"^Fitted: temperature. The probabilities here .*{here}", told, re.M)


def test_a_blend_that_stays_is_the_one_that_was_applied(run_of, tmp_path):
    facts, staged = facts_of(run_of([row("lamp", "a", 2, 0.9)]), tmp_path)
    shipped = Calibration.model_validate_json((ROOT / "judge/shipped/shop-135m/blend.json").read_text())
    found = shipped.model_copy(update={"present": shipped.after})
    told = write_card(facts.model_copy(update={"calibration": found}), staged, "ann/x", "v1").body
    assert re.search("^Fitted: .*The probabilities here are the calibrated ones", told, re.M)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"sample": 30, "seed": 0}, "- Of the input's queries at most 30 were labelled"),
        ({"limit": 9}, "- Of the input's rows at most the first 9 were labelled"),
        ({"limit": None}, None),
    ],
)
def test_a_card_says_that_a_part_of_the_input_was_labelled(run_of, tmp_path, inputs, said):
    facts, staged = facts_of(run_of([row("lamp", "a", 2, 0.9)]), tmp_path)
    facts = facts.model_copy(update={"manifest": facts.manifest.model_copy(update={"inputs": inputs})})
    told = write_card(facts, staged, "ann/x", "v1").body
    assert said in told if said else "at most" not in told.partition("## Limits")[2]


def test_the_card_counts_what_is_in_it_and_says_what_flatters_the_judge(run_of, tmp_path):
    # Of three labels two are flagged and undecided; one of these is too unsure to go out.
    sure = {"a": 0.9, "b": 0.4, "c": 0.9}
    rows = [row("lamp", key, grade, sure[key]) for key, grade in (("a", 2), ("b", 0), ("c", 1))]
    run = run_of([each | {"query_id": "q"} for each in rows])
    write_flags(run, [(1, "q", "lamp", "a", 2, 0), (2, "q", "lamp", "b", 0, 2)])
    kappa = Figure(name=headline().label, value=0.8, low=0.6, high=0.9)
    compared = Agreement(ratings="r.csv", reference="gold", pairs=9, queries=5, rated=9, figures=(kappa,), learned=4)
    facts, staged = facts_of(run, tmp_path, compared, min_confidence=0.6)
    told = write_card(facts, staged, "ann/x", "v1").body
    limits = told.partition("## Limits")[2]
    assert "- 1 flagged label" in limits
    head, trust = told.partition("## Load it")[0], told.partition("## How far to trust it")[2]
    assert ". 4 of the 9 are of queries that the judge learned from" in head
    assert ". 4 of the 9 are of queries that the judge learned from" in trust
    alone = facts.model_copy(update={"agreement": compared.model_copy(update={"learned": 0})})
    plain = write_card(alone, staged, "a/x", "")
    assert "learned from" not in plain.body
    unknown = alone.model_copy(update={"agreement": alone.agreement.model_copy(update={"learned_known": False})})
    assert "not known which queries the judge learned from" in write_card(unknown, staged, "a/x", "").body
