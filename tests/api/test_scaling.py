"""Planned and refreshed runs from Python: rows in, a finished run out, with the labels of a plain one."""

import pytest

import relevance_judge as rj
from judge.errors import InputError, RunError

ROWS = [
    {"query": f"query {q}", "candidate_id": f"c{c}", "title": f"title {q} {c}"} for q in range(12) for c in range(5)
]


def grades(run):
    return {(row["query_id"], row["candidate_id"]): row["grade"] for row in run.to_arrow().to_pylist()}


def test_a_planned_run_is_labelled_in_shards_and_finished(fake, tmp_path):
    planned = rj.plan(ROWS, judge=fake, out=tmp_path / "run", shard_pairs=10)
    assert (planned.rows, planned.stretches) == (60, 6)
    again = rj.plan(ROWS, judge=fake, out=tmp_path / "run", shard_pairs=10)
    assert (again.rows, again.stretches) == (60, 6)
    rj.label(plan=planned.run, shard="1/2")
    assert rj.status(planned.run).uncovered
    with pytest.raises(RunError):
        rj.finish(planned.run)
    rj.label(plan=tmp_path / "run", shard="2/2")
    done = rj.finish(tmp_path / "run")
    assert done.summary.done
    assert not rj.status(done).uncovered
    assert grades(done) == grades(rj.label(ROWS, judge=fake, out=tmp_path / "plain"))
    assert rj.finish(done).summary.done  # once more changes nothing


@pytest.mark.parametrize(
    "wrong", [{"shard": "3/2"}, {"shard": "x"}, {"on": "slurm"}, {"shard": "1/1", "workers": 2}, {}]
)
def test_a_share_that_is_none_is_refused(fake, tmp_path, wrong):
    planned = rj.plan(ROWS, judge=fake, out=tmp_path / "run")
    with pytest.raises(InputError):
        rj.label(plan=planned.run, **wrong)


def test_stretches_need_a_pair(fake, tmp_path):
    with pytest.raises(InputError, match="shard_pairs"):
        rj.plan(ROWS, judge=fake, out=tmp_path / "run", shard_pairs=0)


def test_a_run_is_refreshed(fake, tmp_path):
    from judge.labelling.refresh import read_report

    old = rj.label(ROWS, judge=fake, out=tmp_path / "old")
    today = [{**row} for row in ROWS[5:]]
    today[0]["title"] = "another"
    today.append({"query": "new", "candidate_id": "n", "title": "t"})
    new = rj.refresh(old, today, judge=fake, out=tmp_path / "new")
    assert grades(new) == grades(rj.label(today, judge=fake, out=tmp_path / "anew"))
    report = read_report(new.stored)
    assert (report.unchanged, report.changed, report.new, report.vanished) == (54, 1, 1, 5)
    assert new.stored.manifest.judged == 2
    with pytest.raises(RunError):
        rj.refresh(old, today, judge=fake, out=tmp_path / "x", limit=3) and rj.refresh(
            new, today, judge=fake, out=tmp_path / "x"
        )
