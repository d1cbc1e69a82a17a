"""`judge agree` and `judge probe` as users run them, on the example shop with an engine that needs no model."""

import csv
import json
import re
from html.parser import HTMLParser

import pytest
from conftest import ROOT, in_process

from audit.agreement.advice import advise

SHOP = ROOT / "examples" / "shop"
CATALOGUE = SHOP / "catalogue.csv"
CHORUS = ROOT.parent / "shared" / "data" / "chorus" / "ratings.csv"


def answer(*words):
    done = in_process(*words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "fake"
    done = in_process("label", SHOP / "pairs.csv", "--catalogue", CATALOGUE, "--engine", "fake", "--out", path)
    assert done.code == 0, done.err
    return path


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "people"
    assert in_process("import", SHOP / "grades.csv", "--out", path).code == 0
    return path


@pytest.fixture(scope="module")
def shop(run, people):
    """Two runs beside three raters: one that knows the grades the raters were simulated from, one that guesses."""
    return answer("agree", SHOP / "ratings.csv", "--run", run, "--run", people)


def test_one_run_beside_one_column(run):
    found = answer("agree", SHOP / "grades.csv", "--run", run)
    with (SHOP / "grades.csv").open() as stream:
        grades = [int(row["grade"]) for row in csv.DictReader(stream)]
    assert (found["n"], found["rated"], found["coverage"], found["queries"]) == (429, 429, 1.0, 37)
    assert [sum(row) for row in found["confusion"]] == [grades.count(grade) for grade in (0, 1, 2)]
    assert found["majority_baseline"]["value"] == pytest.approx(grades.count(0) / 429)
    for name in ("accuracy", "within_1", "cohen_kappa", "weighted_kappa", "macro_f1", "spearman"):
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]
    error = found["calibration_error"]
    assert 0 < error["value"] < 1
    assert error["low"] is None, "resampling it would promise too much"
    assert "by chance a calibrated judge would show 0." in error["reason"]
    assert found["alternative"][0]["passed"] is None


def test_a_run_beside_three_raters_and_another_run(shop):
    sides = {(c["judged"], c["reference"]) for c in shop["comparisons"]}
    assert {
        ("people", "majority"),
        ("people", "ines"),
        ("fake", "mika"),
        ("people", "fake"),
        ("mika", "jonas"),
    } <= sides
    assert shop["reference"] == "majority"
    verdicts = {test["run"]: test["passed"] for test in shop["alternative"]}
    assert verdicts == {"people": True, "fake": False}
    assert shop["ceiling"][0]["judge"]["value"] < shop["ceiling"][0]["people"]["value"]
    imported = next(c for c in shop["comparisons"] if c["judged"] == "people")
    assert imported["calibration_error"]["value"] is None
    assert "no probabilities" in imported["calibration_error"]["reason"]


def test_every_run_is_told_of_and_not_the_first_alone(run, people):
    told = in_process("agree", SHOP / "grades.csv", "--run", run, "--run", people).out.splitlines()
    start = next(at for at, line in enumerate(told) if line.startswith("run "))
    rows = [re.split(r"\s{2,}", line) for line in told[start + 1 : start + 4]]
    assert [row[:3] for row in rows] == [
        ["fake", "people", "429"],
        ["run people", "people", "429"],
        ["run people", "fake", "429"],
    ]
    assert rows[1][3].startswith("1.000")


def test_the_report_finds_the_weakness_of_each_simulated_rater(shop):
    raters = {rater["rater"]: rater for rater in shop["raters"]}
    assert raters["jonas"]["bias"]["low"] > 0
    assert raters["mika"]["drift"]["high"] < 0
    said = [advice.text for advice in advise(shop) if advice.where == "raters"]
    assert [text.partition(" agrees")[0].partition(" is")[0] for text in said] == ["mika", "jonas"]
    assert raters["ines"]["seconds"] > 2 * raters["mika"]["seconds"]
    assert raters["ines"]["with_others"]["value"] > raters["jonas"]["with_others"]["value"]
    assert shop["confused"][0]["n"] > 20
    assert len(shop["disagreements"]) == 20
    assert shop["disagreements"][0]["title"]


def test_a_reference_that_nobody_knows_is_refused(run):
    done = in_process("agree", SHOP / "ratings.csv", "--run", run, "--reference", "zoe")
    assert done.code == 2
    assert "majority, ines, jonas, mika" in done.err


def test_a_reference_without_a_run_is_refused_as_nothing_is_compared_with_it():
    done = in_process("agree", SHOP / "ratings.csv", "--reference", "mika")
    assert done.code == 2
    assert "--run" in done.err


def test_a_long_text_of_a_product_says_that_it_is_cut(tmp_path):
    (tmp_path / "c.csv").write_text(f"candidate_id,title,description\nA,Lamp,{'long ' * 100}\nB,Lamp,short\n")
    (tmp_path / "r.csv").write_text(
        "query,candidate_id,grade\n" + "".join(f"q{i},{c},{i % 3}\n" for i in range(9) for c in "AB")
    )
    (tmp_path / "p.csv").write_text("query,candidate_id\n" + "".join(f"q{i},{c}\n" for i in range(9) for c in "AB"))
    given = ("--catalogue", tmp_path / "c.csv", "--engine", "fake", "--out", tmp_path / "run")
    assert in_process("label", tmp_path / "p.csv", *given).code == 0
    found = answer("agree", tmp_path / "r.csv", "--run", tmp_path / "run")["disagreements"]
    texts = {case["candidate_id"]: case["description"] for case in found}
    assert texts["B"] == "short"
    assert texts["A"].endswith("…")
    assert len(texts["A"]) == 400


def test_only_some_pairs_are_rated(run, tmp_path):
    # Every third query was rated: the whole is estimated from these and the run's labels.
    lines = (SHOP / "grades.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines[1:] if int(line[1:3]) % 3 == 0]
    (tmp_path / "some.csv").write_text(lines[0] + "".join(kept))
    found = answer("agree", tmp_path / "some.csv", "--run", run, "--reference", "people")
    assert found["reference"] == "people"
    for mix in found["grade_mix"]:
        assert (mix["n"], mix["n_rated"]) == (429, len(kept))
        widths = [mix[name]["high"] - mix[name]["low"] for name in ("powered", "rated_only")]
        assert widths[0] <= widths[1] + 1e-9
    assert sum(mix["powered"]["value"] for mix in found["grade_mix"]) == pytest.approx(1, abs=0.1)
    assert [row["k"] for row in found["precision_at"]] == [1, 3, 5, 10]


def test_one_rater_and_no_run_have_nothing_to_compare():
    done = in_process("agree", SHOP / "grades.csv")
    assert done.code == 2
    assert "--run RUN" in done.err


@pytest.mark.skipif(not CHORUS.is_file(), reason="the development data is not beside the project")
def test_three_real_raters():
    layout = ["--map", "candidate_id=product_id", "--raters", "rater_1,rater_2,rater_3", "--gold", "adjudicated"]
    found = answer("agree", CHORUS, *layout, "--grades", "0=0,1=1,2=1,3=2")
    assert (found["n"], found["queries"], found["people"]["shared"]) == (2226, 93, 2226)
    assert found["people"]["figures"]["alpha_ordinal"]["value"] == pytest.approx(0.760, abs=0.001)
    assert {c["reference"] for c in found["comparisons"]} == {"adjudicated", "rater_1", "rater_2"}


class Reader(HTMLParser):
    """What a page is made of: its tags with their attributes, and its words."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)>\'" onclick=alert(1) x="{{ 7*7 }}'


def test_the_page_escapes_everything_and_asks_for_nothing(tmp_path):
    with (tmp_path / "hostile.csv").open("w") as stream:
        writer = csv.writer(stream)
        writer.writerow(["query", "candidate_id", "rater", "grade", "clause", "title", "kind"])
        for place in range(24):
            for rater in ("ann", HOSTILE):
                grade = place % 3 if rater == "ann" else 0
                writer.writerow(
                    [f"{HOSTILE} {place // 4}", f"P{place}{HOSTILE}", rater, grade, HOSTILE, HOSTILE, HOSTILE]
                )
    page = tmp_path / "report.html"
    done = in_process("agree", tmp_path / "hostile.csv", "--report", page)
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    text = page.read_text()
    reader = Reader()
    reader.feed(text)
    assert HOSTILE in reader.text
    assert [tag for tag, _ in reader.tags if tag in ("img", "iframe", "link", "object", "form")] == []
    assert sum(tag == "script" for tag, _ in reader.tags) == 1
    for _, attributes in reader.tags:
        assert not {name for name in attributes if name.startswith("on")} | {"src", "style"} & set(attributes)
        assert "data-pair" not in attributes or HOSTILE in json.loads(attributes["data-pair"])["query"]
        assert attributes.get("href", "#").startswith("#")
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_the_page_is_refused_before_the_work(run, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("mine")
    done = in_process("agree", SHOP / "ratings.csv", "--run", run, "--report", page)
    assert done.code == 2
    assert "--overwrite" in done.err
    assert page.read_text() == "mine"
    assert in_process("agree", SHOP / "ratings.csv", "--run", run, "--report", tmp_path / "report.pdf").code == 2


def test_help_is_quick_to_read():
    for verb in ("agree", "aggregate", "probe"):
        done = in_process(verb, "--help")
        assert done.code == 0
        assert "Example" in done.out
