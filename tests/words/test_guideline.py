"""Guidelines: words in YAML that people and judge both read, with any number of grades."""

import re

import pytest
import yaml
from browser_fixtures import in_browser, overflow

from judge.engines.fake import FakeTokenizer
from judge.errors import InputError
from judge.words.guideline import Guideline, known_grades, load_guideline, names, source
from judge.words.handbook import as_html, as_text
from judge.words.prompt import PromptBuilder


def test_the_default_has_three_levels_and_its_policy():
    guideline = load_guideline()
    assert guideline.values == (0, 1, 2)
    assert [grade.name for grade in guideline.grades] == ["irrelevant", "moderately relevant", "relevant"]
    assert {"restriction", "one-attribute", "accessory", "full-match"} <= {clause.id for clause in guideline.clauses}
    assert names()[0] == "three-level"


def level(value, **more):
    return {"value": value, "name": f"level {value}", "definition": f"What {value} means.", **more}


def with_grades(*grades, **more):
    words = {
        "name": "mine",
        "version": "1",
        "language": "en",
        "title": "Mine",
        "task": "Grade.",
        "grades": list(grades),
    }
    return {**words, "query_tokens": 8, "candidate_tokens": 8, "fields": [{"name": "title", "tokens": 8}], **more}


@pytest.mark.parametrize("values", [(0, 1), (0, 1, 2, 3), (0, 1, 2, 3, 4), (1, 3, 9), (4, 2, 0)])
def test_any_number_of_grades_renders_and_is_held_in_ascending_order(values, dozen):
    guideline = Guideline.model_validate(with_grades(*(level(value) for value in values)))
    assert guideline.values == tuple(sorted(values))
    prompt = PromptBuilder(guideline, FakeTokenizer()).build(dozen[:1])[0]
    assert bytes(prompt.labels).decode() == "".join(map(str, sorted(values)))
    shared = bytes(prompt.shared).decode()
    assert all(f"{value} (level {value}): What {value} means." in shared for value in values)


def test_the_four_level_guideline_labels_agrees_and_exports(main, tmp_path):
    lines = [
        "query,candidate_id,title,esci",
        "lamp,1,Lamp,E",
        "lamp,2,Torch,S",
        "lamp,3,Bulb,C",
        "lamp,4,Sofa,I",
        "sofa,4,Sofa,E",
    ]
    (tmp_path / "p.csv").write_text("\n".join(lines) + "\n")
    found = main("label", "p.csv", "--guideline", "esci-four-level", "--engine", "fake", "--out", "run", "--json").json
    assert list(found["grades"]) == ["0", "1", "2", "3"]
    assert found["grade_names"]["2"] == "substitute"
    compared = main("agree", "p.csv", "--run", "run", "--rating", "esci", "--grades", "E=3,S=2,C=1,I=0", "--json").json
    assert [sum(row) for row in compared["confusion"]] == [1, 1, 1, 2]
    main("export", "run", "--to", "trec", "--out", "q.rel")
    assert {line.split()[3] for line in (tmp_path / "q.rel").read_text().splitlines()} <= {"0", "1", "2", "3"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grades": [level(0), level(0)]}, "grade value '0' occurs twice"),
        ({"grades": [level(0), level(1, label="0")]}, "grade label '0' occurs twice"),
        ({"grades": [level(0)]}, "field 'grades'"),
        ({"grades": [level(0), level(1, colour="red")]}, "field 'grades.1.colour'"),
        ({"fields": [{"name": "query", "tokens": 8}]}, "field name 'query' is reserved"),
        ({"fields": [{"name": "title", "tokens": 0}]}, "field 'fields.0.tokens'"),
        ({"clauses": [{"id": "a", "rule": "A rule.", "highest": 7}]}, "clause 'a' has highest 7"),
        ({"task": ""}, "field 'task'"),
        ({"language": "english!"}, "field 'language'"),
    ],
)
def test_a_guideline_that_cannot_be_is_refused_with_its_field(change, says, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(with_grades(level(0), level(1), **change)))
    with pytest.raises(InputError, match=re.escape(says)) as error:
        load_guideline(str(path))
    assert "mine.yaml" in error.value.message
    assert error.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "not valid YAML"),
        ("- a\n- b\n", "holds no guideline"),
        ("!!python/object/apply:os.system [ls]", "not valid YAML"),
        ("a: &a [1]\nb: [*a, *a]\n", "not valid YAML: anchors .* line 1"),
        ("a: {<<: *a}\n", "not valid YAML: anchors"),
        ("[" * 2000, "not valid YAML"),
        ("name: 2026-02-30\n", "not valid YAML: .*day"),
    ],
)
def test_yaml_is_read_safely(text, says, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        load_guideline(str(path))


def test_one_changed_word_changes_the_digest():
    data = yaml.safe_load(source())
    before = load_guideline().digest
    assert Guideline.model_validate(data).digest == before
    data["clauses"][0]["rule"] += " Always."
    assert Guideline.model_validate(data).digest != before


@pytest.mark.parametrize("name", names())
def test_people_and_the_judge_read_the_same_words(name):
    guideline = load_guideline(name)
    prompt = bytes(PromptBuilder(guideline, FakeTokenizer()).shared).decode()
    text, html = " ".join(as_text(guideline).split()), as_html(guideline)
    sentences = [guideline.task, *(g.definition for g in guideline.grades), *(c.rule for c in guideline.clauses)]
    for sentence in sentences:
        assert sentence in prompt
        assert sentence in text
        assert sentence.replace("'", "&#39;") in html


def test_the_handbook_is_one_page_that_asks_for_nothing_and_escapes_everything(main, tmp_path):
    hostile = "<script>alert(1)</script>"
    grades = [
        level(0, name=hostile),
        level(1, examples=[{"query": hostile, "candidate": "<img src=x>", "why": "{{ 7*7 }}"}]),
    ]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(with_grades(*grades)))
    main("guideline", "mine.yaml", "--html", "book.html")
    page = (tmp_path / "book.html").read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert "{{ 7*7 }}" in page
    assert "default-src 'none'" in page
    assert not re.search(
        r"https?://|src=|url\(", page.replace("<img src=x>".replace("<", "&lt;").replace(">", "&gt;"), "")
    )
    assert "is already there" in main("guideline", "mine.yaml", "--html", "book.html", code=2).err
    main("guideline", "mine.yaml", "--html", "book.html", "--overwrite")


@in_browser
@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("name", names())
def test_the_handbook_fits_a_phone_with_any_font(browser, tmp_path, name, width):
    (tmp_path / "book.html").write_text(as_html(load_guideline(name)), encoding="utf-8")
    assert overflow(browser, (tmp_path / "book.html").as_uri(), width) == {}


def test_grades_of_a_file_are_read_by_what_the_user_says():
    guideline = load_guideline()
    assert known_grades(None, guideline) == {"0": 0, "1": 1, "2": 2}
    assert known_grades({"E": 2}, guideline) == {"E": 2}
    with pytest.raises(InputError, match="has no grade 3"):
        known_grades({"E": 3}, guideline)


def test_the_printed_source_is_a_guideline_to_start_from(main, tmp_path):
    for other in (["--json"], ["--html", "book.html"]):
        assert "--source prints YAML" in main("guideline", "--source", *other, code=2).err
    assert not (tmp_path / "book.html").exists()
    (tmp_path / "copy.yaml").write_text(main("guideline", "--source").out)
    assert load_guideline(str(tmp_path / "copy.yaml")) == load_guideline()
