"""Options that functions share with their verbs do there what they do on the command line."""

import csv

import pytest
from finetune_fixtures import rated_rows

import relevance_judge as rj
from judge.run.seen import Seen, words_key, write_seen

PRODUCTS = [
    {"candidate_id": f"p{n}", "title": f"{colour} {kind}", "category": f"Home > {kind}s", "colour": colour}
    for n, (kind, colour) in enumerate((kind, colour) for kind in ("lamp", "chair") for colour in ("red", "blue"))
]


def graded(out, *grades):
    rows = [{"query": "red lamp", "candidate_id": f"p{n}", "grade": grade} for n, grade in enumerate(grades)]
    return rj.import_ratings(rows, out=out)


def test_runs_are_exported_together_and_one_is_preferred(tmp_path):
    one, two = graded(tmp_path / "one", 2, 0), graded(tmp_path / "two", 1, 0, 0)
    with pytest.raises(rj.InputError, match="different grades"):
        rj.export(one, "trec", tmp_path / "no", others=[two])
    done = one.export("trec", tmp_path / "qrels", others=[two], prefer=two)
    lines = [line.split() for line in done.path.read_text().splitlines()]
    assert sorted((line[2], line[3]) for line in lines) == [("p0", "1"), ("p1", "0"), ("p2", "0")]
    with pytest.raises(rj.InputError, match="there is one run"):
        rj.export(one, "trec", tmp_path / "no", prefer=two)


def test_what_an_engine_does_not_use_is_refused(tmp_path):
    pairs = [{"query": "lamp", "candidate_id": "1", "title": "Lamp"}]
    for options in ({"samples": 3}, {"per_request": 2}, {"concurrency": 2}):
        with pytest.raises(rj.InputError, match="does not use"):
            rj.Judge(engine="fake", **options)
    fake = rj.Judge(engine="fake")
    for options in ({"price": "in=1,out=2"}, {"shots": 3}, {"examples": pairs}):
        with pytest.raises(rj.InputError):
            rj.label(pairs, judge=fake, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_queries_are_of_the_kinds_and_tiers_that_are_asked_for(tmp_path):
    found = rj.queries(PRODUCTS, out=tmp_path / "made.csv", kinds=["attribute"], tiers={"simple": 1.0}, per_category=2)
    assert found.written > 0
    assert {name for name, count in found.by_kind.items() if count} == {"attribute"}
    assert {name for name, count in found.by_tier.items() if count} == {"simple"}
    with pytest.raises(rj.InputError, match="go together"):
        rj.queries(PRODUCTS, out=tmp_path / "no.csv", writer="http://127.0.0.1:9/v1")


def test_mining_draws_the_sample_that_is_asked_for_and_zeros_are_weighed(tmp_path):
    run = graded(tmp_path / "run", 2)
    found = rj.mine(run, PRODUCTS, out=tmp_path / "m.parquet", sources=["lexical"], sample=1, seed=3)
    with found.sample.open(encoding="utf-8-sig", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 1
    labelled = rj.label(found.path, catalogue=PRODUCTS, judge=rj.Judge(engine="fake"), out=tmp_path / "mined")
    rated = [
        {"query": row["query"], "candidate_id": row["candidate_id"], "grade": 0} for row in found.table.to_pylist()
    ]
    worth = rj.worth(labelled, rated, top=5)
    # People rated all mined pairs, and gave 0 to each: of the judge's zeros none is wrong.
    assert (worth.rated, worth.groups[0].wrong) == (len(rated), 0)
    with pytest.raises(rj.InputError, match="where they were mined"):
        rj.worth(run, rated)


def test_a_calibration_is_charted_and_stored_only_with_the_judge_that_made_the_labels(tmp_path):
    rows = list(rated_rows())
    run = rj.label(rows, judge=rj.Judge(engine="fake"), out=tmp_path / "run")
    rj.calibrate(run, rows, out=tmp_path / "c.json", report=tmp_path / "c.svg")
    assert (tmp_path / "c.svg").read_text().startswith("<svg")
    # What is left out is counted, as the command says it: 6 pairs of a query that was learned from, one not in the run.
    write_seen(run.path, Seen(learned=(words_key(rows[0]["query"]),)))
    fitted = rj.calibrate(run, [*rows, {**rows[-1], "candidate_id": "new"}], out=tmp_path / "e.json")
    assert (fitted.learned, fitted.not_in_run, fitted.record.after.n) == (6, 1, len(rows) - 6)
    assert "learned" in repr(fitted)
    with pytest.raises(rj.JudgeError):
        rj.calibrate(run, rows, out=tmp_path / "d.json", adapter=tmp_path / "nobody")
    assert not (tmp_path / "d.json").exists()
