"""A run that grows with its input: each pair is judged once."""

import json
import shutil

import pytest
from refresh_fixtures import EACH, QUERIES, labels, rows_of, write

import judge.labelling.grow as growing
from judge.run.hold import GROWN
from judge.run.store import Run


@pytest.mark.parametrize(("option", "first", "second"), [("--limit", "30", "300"), ("--sample", "3", "9")])
def test_a_run_grows_to_all_of_its_input_and_judges_each_pair_once(main, tmp_path, asked, option, first, second):
    write(tmp_path / "p.csv", rows := rows_of())
    main("label", "p.csv", "--engine", "fake", "--out", "whole")
    asked.clear()
    label = ("label", "p.csv", "--engine", "fake", "--out", "run")
    sizes = ((option, first), (option, second), ())
    counts = [main(*label, *size, "--json").json["rows"] for size in sizes]
    assert counts == [30, 300 if option == "--limit" else 90, 400]
    assert len(asked) == len(rows)
    assert labels(tmp_path / "run") == labels(tmp_path / "whole")
    assert Run(tmp_path / "run").manifest.inputs == Run(tmp_path / "whole").manifest.inputs
    assert main(*label, *sizes[0], code=2).err.count("other input") == 1


def test_a_sample_of_another_limit_is_of_other_queries():
    before = {"limit": 30, "sample": 5, "seed": 0}
    larger = [{"sample": 9}, {"sample": None}, {"sample": None, "limit": None}]
    assert all(growing.grows(before, {**before, **more}) for more in larger)
    other = [{"limit": 300}, {"limit": None}, {"sample": 4}, {"sample": 9, "seed": 1}, {"limit": 20, "sample": None}]
    assert not any(growing.grows(before, {**before, **more}) for more in other)


def test_a_sample_is_of_whole_queries_and_a_larger_one_holds_it(main, tmp_path):
    write(tmp_path / "p.csv", rows_of())

    def queries(*options):
        main("label", "p.csv", "--engine", "fake", "--out", "-".join(options), *options)
        found = labels(tmp_path / "-".join(options))
        assert len(found) == EACH * len({row["query_id"] for row in found})
        return {row["query_id"] for row in found}

    few, more, others = queries("--sample", "5"), queries("--sample", "8"), queries("--sample", "5", "--seed", "1")
    assert (len(few), len(more), len(others)) == (5, 8, 5)
    assert few < more
    assert few != others
    assert len(queries("--sample", "99")) == QUERIES


def test_a_sample_counts_every_row_that_it_leaves_out(main, tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id,title\na,1,x\na,1,x\nb,1,y\n,2,z\nc,1,\n")
    options = ("--engine", "fake", "--skip-bad-rows", "--sample", "3", "--json")
    # Of three queries, the row without a query belongs to none.
    found = main("label", "p.csv", "--out", "run", *options).json
    assert (found["rows"], found["status"]["graded"], found["status"]["skipped"]) == (4, 2, 2)


@pytest.mark.parametrize("moment", ["staged", "named", "labels gone", "pairs placed"])
def test_killed_while_it_grows_a_run_is_the_old_one_or_the_new(main, tmp_path, asked, monkeypatch, moment):
    write(tmp_path / "p.csv", rows_of())
    label = ("label", "p.csv", "--engine", "fake", "--out", "run")
    main(*label, "--limit", "30")

    class Killed(BaseException):
        pass

    def settle(path):
        if moment == "labels gone":
            shutil.rmtree(path / "labels")
        if moment == "pairs placed":
            shutil.rmtree(path / "labels")
            for name in ("inherited.parquet", "pairs.parquet"):
                (path / GROWN / name).replace(path / name)
        raise Killed

    def write_none(*given):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(growing, *(("write_inherited", write_none) if moment == "staged" else ("settle_growth", settle)))
        with pytest.raises(Killed):
            main(*label, "--limit", "300")
    assert (tmp_path / "run" / GROWN).exists() == (moment != "staged")
    main(*label, "--limit", "300")
    assert len(asked) == 300
    assert len(labels(tmp_path / "run")) == 300
    assert not (tmp_path / "run" / GROWN).exists()


def test_a_planned_run_does_not_grow(main, tmp_path):
    write(tmp_path / "p.csv", rows_of(4, 4))
    main("plan", "p.csv", "--engine", "fake", "--out", "run", "--limit", "8")
    said = main("plan", "p.csv", "--engine", "fake", "--out", "run", code=2).err
    assert "limit: 8 → None" in said
    assert "does not grow" in said
    said = main("plan", "p.csv", "--engine", "fake", "--out", "run", "--limit", "4", code=2).err
    assert "does not grow" not in said  # that would be less, which no run takes


def test_decisions_and_flags_of_a_run_outlive_its_growth(main, tmp_path):
    write(tmp_path / "p.csv", rows_of(4, 4))
    main("label", "p.csv", "--engine", "fake", "--out", "run", "--limit", "6")
    (tmp_path / "run" / "decisions.jsonl").write_text(json.dumps({"kept": "as it is"}) + "\n")
    main("label", "p.csv", "--engine", "fake", "--out", "run")
    assert json.loads((tmp_path / "run" / "decisions.jsonl").read_text()) == {"kept": "as it is"}
