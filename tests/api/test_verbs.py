"""The functions do what the verbs do: same labels, figures, flags, files and errors."""

import csv
import json
import shutil

import pandas as pd
import pyarrow as pa
import pytest
from conftest import DOZEN, ROOT
from finetune_fixtures import rated_rows
from pydantic import ValidationError
from rich.cells import cell_len

import relevance_judge as rj
from judge.run.store import Run as Stored
from relevance_judge import shown as rj_shown

SHOP = ROOT / "examples" / "shop"
RATED = [{**row, "rater": rater} for row in rated_rows() for rater in ("ann", "ben")]
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """The example shop's grades, with errors planted in them, as a run."""
    folder = tmp_path_factory.mktemp("people")
    return rj.import_ratings(SHOP / "grades_with_errors.csv", catalogue=SHOP / "catalogue.csv", out=folder / "run")


def frame_of(path):
    """As the file has its cells: left to itself, pandas makes the number 79 of a price 79.00."""
    return pd.read_csv(path, dtype=str)


def arrow_of(path):
    return pa.Table.from_pandas(frame_of(path))


@pytest.mark.parametrize("kind", [str, rows_of, frame_of, arrow_of])
def test_labels_are_those_of_the_verb_whatever_holds_the_rows(main, fake, tmp_path, kind):
    main("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--out", "verb")
    run = rj.label(kind(SHOP / "pairs.csv"), catalogue=kind(SHOP / "catalogue.csv"), judge=fake, out=tmp_path / "run")
    verb = rj.Run.open(tmp_path / "verb")
    assert run.fingerprint == verb.fingerprint
    assert run.to_arrow().equals(verb.to_arrow())
    assert run.summary.rows == 429
    assert main("status", "run", "--json").json["done"]


def test_one_run_goes_on_with_the_same_rows_and_refuses_others(fake, tmp_path):
    rows, out = rows_of(DOZEN), tmp_path / "run"
    first = rj.label(rows, judge=fake, out=out)
    # As a kill leaves it: no label yet, and the temporary file of that sitting.
    for part in (out / "labels").iterdir():
        part.unlink()
    (out / "staging-killed").mkdir()
    again = rj.label((dict(row) for row in rows), judge=fake, out=out)
    assert again.to_arrow().equals(first.to_arrow())
    assert not list(out.glob("staging-*"))
    with pytest.raises(rj.RunError, match="pairs: "):
        rj.label(rows[1:], judge=fake, out=out)


def test_columns_are_mapped(fake, tmp_path):
    rows = [{"q": "lamp", "sku": 1, "name": "Desk lamp"}]
    columns = {"query": "q", "candidate_id": ["id", "sku"], "title": "name"}
    run = rj.label(rows, judge=fake, out=tmp_path / "run", map=columns)
    assert run.to_arrow().to_pylist()[0]["candidate_id"] == "1"
    with pytest.raises(rj.InputError, match="titel"):
        rj.label(rows, judge=fake, out=tmp_path / "other", map={**columns, "titel": "name"})


def test_nothing_is_printed_unless_asked(fake, tmp_path, capfd):
    run = rj.label(DOZEN, judge=fake, out=tmp_path / "run")
    rj.agree(None, RATED)
    run.export("judgments")
    assert capfd.readouterr() == ("", "")
    rj.label(DOZEN, judge=fake, out=tmp_path / "shown", progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "judging" in err


def test_agreement_is_that_of_the_verb(main, fake, tmp_path):
    table = pd.DataFrame(RATED)
    table.to_csv(tmp_path / "ratings.csv", index=False)
    main("label", "ratings.csv", "--engine", "fake", "--out", "run", "--skip-bad-rows")
    verb = main("agree", "ratings.csv", "--run", "run", "--json").json
    found = rj.agree(tmp_path / "run", table)
    assert found["weighted_kappa"].interval == (verb["weighted_kappa"]["low"], verb["weighted_kappa"]["high"])
    named = {"ratings": None, "run": None}
    assert json.loads(json.dumps(found.as_json())) | named == verb | named
    assert set(found) == set(found.to_pandas()["measure"])
    assert (found.n, found.judged, found.reference) == (verb["n"], "run", "majority")
    page = found.write_report(tmp_path / "report.html")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(rj.InputError, match="already there"):
        found.write_report(page)


def test_people_alone_several_runs_and_what_grades_mean(fake, tmp_path):
    alone = rj.agree(None, RATED)
    # Both raters gave the same grade to every pair.
    assert alone["accuracy"].value == 1
    letters = [{**row, "label": "ISE"[row["grade"]]} for row in RATED]
    same = rj.agree(None, letters, rating="label", grades={"E": 2, "S": 1, "I": 0}, raters=["ann", "ben"])
    assert same.confusion == alone.confusion
    rows = [row for row in RATED if row["rater"] == "ann"]
    runs = [rj.label(rows, judge=fake, out=tmp_path / name) for name in ("one", "two")]
    found = rj.agree(runs, RATED, reference="ann")
    assert (found.judged, found.reference) == ("one", "ann")
    with pytest.raises(TypeError, match="ratting"):
        rj.agree(None, RATED, ratting="label")
    for raters in ("ann,ben", ["ann", "ann"]):
        with pytest.raises(rj.InputError, match="raters="):
            rj.agree(None, RATED, raters=raters)


def test_flags_are_those_of_the_verb_and_nothing_is_written_before(main, people, tmp_path):
    events, grades = pd.read_csv(SHOP / "engagement.csv"), SHOP / "grades.csv"
    run = rj.Run.open(shutil.copytree(people.path, tmp_path / "people"))
    before = sorted(path.name for path in run.path.iterdir())
    found = rj.audit(run, events, people=grades)
    assert found.summary["pairs"]["with_people_grade"] == 429
    assert sorted(path.name for path in run.path.iterdir()) == before
    shutil.copytree(people.path, tmp_path / "verb")
    verb = main("audit", "verb", SHOP / "engagement.csv", "--people", grades, "--out", "audit", "--json").json
    named = {"run": None, "events": None, "made": None, "next_step": None}
    assert json.loads(json.dumps(found.summary)) | named == verb | named
    written = pa.parquet.read_table(tmp_path / "audit" / "flags.parquet").to_pylist()
    assert [(f.row, f.type, f.suggested_grade, f.q_value) for f in found.flags] == [
        (row["row"], row["type"], row["suggested_grade"], row["q_value"]) for row in written
    ]
    assert found.flags[0].candidate["title"]
    with pytest.raises(ValidationError, match="frozen"):
        found.flags[0].grade = 2
    assert len(found.to_pandas()) == len(found.flags)
    # It is written once, and replaced when told.
    found.write(tmp_path / "ours")
    assert (run.path / "flags.parquet").is_file()
    with pytest.raises(rj.InputError, match="earlier audit"):
        found.write(tmp_path / "ours")
    found.write(tmp_path / "ours", overwrite=True)
    flagged = len({flag.row for flag in found.flags})
    left = run.export("judgments", without_flagged=True)
    assert left.left_out == {"flagged and undecided": flagged}


@pytest.mark.parametrize(
    "options", [{"fdr": 0.0}, {"fdr": 0.9}, {"first_position": 2}, {"memory": "much"}, {"grades": {"E": 9}}]
)
def test_options_of_an_audit_that_cannot_be_are_refused(people, options):
    ratings = SHOP / "grades.csv" if "grades" in options else None
    with pytest.raises(rj.InputError):
        rj.audit(people, SHOP / "engagement.csv", people=ratings, **options)


def test_exports_are_those_of_the_verb(main, people, tmp_path):
    splits = {"train": 0.9, "test": 0.1}
    main("export", people.path, "--to", "triplets", "--splits", "train=0.9,test=0.1", "--out", "verb")
    found = people.export("triplets", tmp_path / "ours", splits=splits)
    assert [path.name for path in found.files] == ["test-00000.parquet", "train-00000.parquet"]
    for path in found.files:
        assert path.read_bytes() == (tmp_path / "verb" / path.name).read_bytes()
    data = found.to_dataset()
    assert {name: split.num_rows for name, split in data.items()} == dict(found.records)
    assert set(data["train"].column_names) == {"anchor", "positive", "negative"}


def test_an_export_without_a_place_lies_in_the_run_and_takes_its_own_place(people):
    one = rj.export(people, "trec")
    again = rj.export(people.path, "trec")
    other = rj.export(people, "trec", per_query=1)
    assert one.path == again.path != other.path
    assert one.path.is_relative_to(people.path / "exports")
    assert len(one.path.read_text().splitlines()) == one.records["train"] == 429
    assert Stored.open(people.path).labelled() == 429  # the run is a run still
    with pytest.raises(rj.InputError, match="Parquet"):
        one.to_dataset()
    assert people.export("judgments").to_dataset()["train"].num_rows == 429


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("carrots", {}),
        ("trec", {"splits": {"train": 0.5}}),
        ("trec", {"min_confidence": 2}),
        ("trec", {"negatives": {"mix": "odd"}}),
        ("trec", {"colour": "red"}),
        ("trec", {"labelled": True}),
        ("csv", {"balance": True}),
    ],
)
def test_what_cannot_be_exported_is_an_input_error(people, form, options):
    with pytest.raises(rj.InputError):
        people.export(form, **options)


@pytest.mark.slow
def test_a_judge_is_fine_tuned_from_rows_and_grades(tiny_base, quick, tmp_path):
    config = json.loads(quick(epochs=1).read_text())
    rows = list(rated_rows())
    tuned = rj.finetune(rows, out=tmp_path / "ours", base=str(tiny_base), config=config)
    assert sum(tuned.validation["confusion"][0]) >= 0
    scores = tuned.judge().score([(rows[0]["query"], {"title": rows[0]["title"]})])
    assert scores.probabilities.sum() == pytest.approx(1)
    assert "fine-tuned judge" in tuned._repr_html_()


def test_what_notebooks_show_is_escaped(fake, tmp_path):
    rows = [{"query": f"{HOSTILE} {n}", "candidate_id": f"{HOSTILE}{n}", "title": HOSTILE} for n in range(6)]
    run = rj.label(rows, judge=fake, out=tmp_path / "run")
    rated = [{**row, "grade": n % 3, "rater": HOSTILE} for n, row in enumerate(rows)]
    found = rj.agree(run, rated)
    # The query of the strongest flag, with a markup's words.
    graded, events = (
        [{**row, "query": row["query"].replace("poêle", HOSTILE)} for row in rows_of(SHOP / name)]
        for name in ("grades_with_errors.csv", "engagement.csv")
    )
    audit = rj.audit(rj.import_ratings(graded, out=tmp_path / "people"), events)
    assert HOSTILE in audit.flags[0].query
    shown = [
        run,
        found,
        found.chart(),
        found.reliability(),
        audit,
        run.export("judgments"),
        fake.score([(HOSTILE, "x")]),
    ]
    for result in shown:
        html = result._repr_html_()
        assert "<img" not in html
        assert "\x1b" not in html
        if not isinstance(result, rj_shown.Chart):
            printed = repr(result)
            assert printed.startswith(type(result).__name__)
            assert len(printed) < 1500
            assert "\x1b" not in printed
    assert "&lt;img" in audit._repr_html_()
    assert "&lt;img" in found._repr_html_()
    assert repr(audit).count("\n") < 12
    for chart, said in (
        (found.chart(), found["accuracy"].value),
        (found.reliability(), found.report.charts.reliability[0].accuracy),
    ):
        desc = chart.svg.partition("<desc>")[2].partition("</desc>")[0]
        assert f"{said:.3f}" in desc, "for those who do not see it"
        assert 'fill="currentColor"' in chart.svg, "it can be read in a dark notebook"
    assert f"{found['accuracy'].value:.3f}" in repr(found)


def test_columns_are_aligned_where_letters_are_wide():
    class Found(rj_shown.Result):
        def _sheet(self):
            return rj_shown.Sheet("two", ("query", "n"), [("防水ケース", 1), ("नीला दुपट्टा", 2), ("lamp", 3)])

    lines = repr(Found()).splitlines()[1:]
    assert {cell_len(line[:-1]) for line in lines} == {14}
