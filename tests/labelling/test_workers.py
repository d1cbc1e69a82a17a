"""Several workers on one run: every row has one label, whoever is killed, slow, wrong or there twice."""

import errno
import json
import os
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import judge.labelling.writer as writing
import relevance_judge as rj
from judge.engines import Judge, Serving
from judge.engines.fake import FakeEngine
from judge.errors import InputError, JudgeError, ModelError, RunError
from judge.labelling.complete import complete
from judge.labelling.job import Labelling
from judge.labelling.on_ray import label_on_ray
from judge.labelling.ray_cluster import Cluster
from judge.labelling.worker import Worker, finish_run, plan_run, planned
from judge.pairs.stage import Source
from judge.run.coverage import gaps, intervals
from judge.run.plan import Shard, failures, query_bounds
from judge.run.store import Run
from judge.run.summary import summarise
from judge.words.guideline import load_guideline
from relevance_judge.cli.output import duration
from relevance_judge.scaling import asked_of

QUERIES, EACH = 30, 8


class OwnEngine(Judge):
    """The fake judge with an engine of the test's."""

    def __init__(self, engine):
        super().__init__("fake", Serving("fake"))
        self.engine = engine

    def open(self):
        return self.engine


def job(source, engine=None, guideline=None):
    own = engine or FakeEngine()
    if engine is None:
        own.block = 16
    return Labelling(source, guideline or load_guideline(), "fake", Serving("fake"), find=lambda: OwnEngine(own))


def worker(run, engine=None, guideline=None):
    return Worker(Run.open(run.path), job(Source(run.pairs_path), engine, guideline))


def labels(run):
    return sorted((row for part in run.parts() for row in pq.read_table(part).to_pylist()), key=lambda row: row["row"])


@pytest.fixture
def source(tmp_path):
    rows = "".join(f"query {q},{c},title {q * c}\n" for q in range(QUERIES) for c in range(EACH))
    (tmp_path / "p.csv").write_text("query,candidate_id,title\n" + rows + "query 0,0,title 0\n")
    return Source(tmp_path / "p.csv")


@pytest.fixture
def whole(source, tmp_path):
    """The labels of a run that one process made."""
    run = Run(tmp_path / "whole")
    from contextlib import nullcontext

    with run.writing():
        complete(job(source), run, lambda manifest, done: nullcontext(lambda rows: None))
    return run


@pytest.fixture
def run(source, tmp_path):
    """A planned run: stretches of 56 or so of its 241 rows."""
    made = Run(tmp_path / "run")
    with made.writing():
        plan_run(made, job(source), 50, {"engine": "fake"})
    return made


def test_the_stretches_tile_the_rows_and_end_where_queries_end(run):
    plan = planned(run)
    ids = pq.read_table(run.pairs_path)["query_id"].to_pylist()
    assert plan.rows == len(ids) == QUERIES * EACH + 1
    # Seven queries of 8 rows are the first 50 or more, and the first query has one row more.
    assert plan.stretches == ((0, 57), (57, 113), (113, 169), (169, 225), (225, 241))
    assert all(ids[end - 1] != ids[end] for _, end in plan.stretches[:-1])
    assert sorted(stretch for i in (1, 2, 3) for stretch in plan.shard(Shard.read(f"{i}/3"))) == list(plan.stretches)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 12), st.integers(1, 7))
@settings(max_examples=40)
def test_bounds_are_the_first_ends_of_queries_after_so_many_rows(tmp_path_factory, sizes, size, group):
    path = tmp_path_factory.mktemp("bounds") / "pairs.parquet"
    ids = [f"q{query}" for query, count in enumerate(sizes) for _ in range(count)]
    pq.write_table(pa.table({"query_id": ids}), path, row_group_size=group)
    wanted = [0]
    for position in range(1, len(ids)):
        if position - wanted[-1] >= size and ids[position] != ids[position - 1]:
            wanted += [position]
    assert query_bounds(path, size) == [*wanted, len(ids)]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sets(st.integers(1, 39)))
def test_gaps_and_parts_tile_the_rows(labelled, bounds):
    covered = [(at, at + 1) for at, has in enumerate(labelled) if has]
    open_ = gaps(covered, len(labelled), sorted(bounds))
    assert [row for start, end in open_ for row in range(start, end)] == [
        at for at, has in enumerate(labelled) if not has
    ]
    assert not any(start < bound < end for start, end in open_ for bound in bounds)
    assert all(before[1] <= after[0] for before, after in pairwise(open_))


def test_workers_of_all_shards_make_the_run_of_one_process(run, whole):
    for shard in ("2/3", "3/3", "1/3"):
        assert not worker(run).label_all(planned(run).shard(Shard.read(shard)))
    with run.writing():
        finish_run(run, planned(run))
    assert labels(run) == labels(whole)
    assert run.manifest.counts == whole.manifest.counts == {"graded": 240, "abstained": 0, "failed": 0, "skipped": 1}
    assert run.manifest.judged == 240


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_worker_that_finishes_late_adds_nothing(run, whole, monkeypatch, at):
    """While the slow one scores its block number `at`, another labels the same stretch to its end, in other parts."""
    monkeypatch.setattr(writing, "PART_SECONDS", 0.0)
    quick = worker(run)

    class Slow(FakeEngine):
        block = 24
        asked = 0

        def score(self, prompts):
            if self.asked == at:
                quick.label((0, 57))
            self.asked += 1
            return super().score(prompts)

    slow = worker(run, Slow())
    slow.label((0, 57))
    covered = intervals(run.parts())
    assert [row for start, end in covered for row in range(start, end)] == list(range(57))
    quick.label_all(planned(run).stretches)
    with run.writing():
        finish_run(run, planned(run))
    assert labels(run) == labels(whole)


def test_two_workers_on_one_stretch_at_once_label_it_once(run, whole, monkeypatch):
    from threading import Thread

    monkeypatch.setattr(writing, "PART_SECONDS", 0.0)
    engines = [FakeEngine(delay=0.0005), FakeEngine(delay=0.0004)]
    engines[0].block, engines[1].block = 8, 12
    threads = [Thread(target=worker(run, engine).label, args=((0, 57),)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    covered = intervals(run.parts())
    assert [row for start, end in covered for row in range(start, end)] == list(range(57))
    assert labels(run) == [row for row in labels(whole) if row["row"] in {label["row"] for label in labels(run)}]


def test_a_stretch_that_nobody_took_is_named_and_the_run_is_not_finished(run, main):
    for stretch in planned(run).stretches:
        if stretch != (113, 169):
            worker(run).label(stretch)
    found = main("status", run.path, "--json").json
    assert (found["labelled"], found["uncovered"], found["stretches"]) == (185, [[113, 169]], 5)
    for verb in (("finish",), ("export", "--to", "jsonl", "--out", "x.jsonl")):
        said = main(verb[0], run.path, *verb[1:], code=2).err
        assert f"judge label --plan {run.path} --shard i/N" in said
        assert f"judge status {run.path}" in said
    assert run.manifest.finished is None
    main("label", "--plan", run.path, "--shard", "1/1")
    done = main("finish", run.path, "--json").json
    assert done["done"]
    assert sum(done["status"].values()) == done["rows"] == 241


def test_a_full_disk_fails_its_stretches_and_the_next_worker_makes_up_for_it(run, main, monkeypatch):
    plan = planned(run)
    append = Run.append

    def full(self, start, table, tally):
        if 57 <= start < 113:
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(self, start, table, tally)

    monkeypatch.setattr(Run, "append", full)
    assert main("label", "--plan", run.path, "--shard", "1/1", code=1).err.count("No space left on device") == 1
    found = summarise(run)
    assert found.uncovered == ((57, 113),)
    assert [(each.start, each.end, each.tries) for each in found.failed] == [(57, 113, 3)]
    monkeypatch.undo()
    assert not worker(run).label_all(plan.stretches)
    assert not failures(run.path)
    assert summarise(run).done


def test_a_disk_that_fills_while_a_part_is_written_leaves_nothing_of_it(run, monkeypatch):
    def half(table, path, **options):
        Path(path).write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="No space"):
        worker(run).label((0, 57))
    assert not [*run.labels_path.iterdir()]


def test_a_worker_of_another_guideline_number_type_or_version_writes_nothing(run, monkeypatch):
    with pytest.raises(RunError, match="guideline_digest"):
        worker(run, guideline=load_guideline("esci-four-level")).label_all(planned(run).stretches)
    parts = Labelling.parts.fget
    monkeypatch.setattr(Labelling, "parts", property(lambda self: {**parts(self), "dtype": "bfloat16"}))
    with pytest.raises(RunError, match="dtype: None → bfloat16"):
        worker(run).label((0, 57))
    monkeypatch.undo()
    monkeypatch.setattr("judge.labelling.begin.__version__", "99")
    with pytest.raises(RunError, match=r"toolkit: .* → 99"):
        worker(run).label((0, 57))
    assert not run.parts()


def test_the_number_type_of_the_workers_is_the_planners_to_say(source, main):
    options = ("plan", source.pairs, "--engine", "fake", "--out", "gpu", "--dtype", "bfloat16", "--json")
    assert main(*options).json["dtype"] == "bfloat16"
    assert "dtype: bfloat16 → None" in main("label", "--plan", "gpu", "--shard", "1/1", code=2).err


def test_a_living_workers_half_written_part_stays_and_an_old_one_goes(run, whole):
    run.labels_path.mkdir()
    young, old = (run.labels_path / f"part-000000000000.parquet.{name}.partial" for name in "ab")
    for path in (young, old):
        path.write_bytes(b"PAR1")
    os.utime(old, (time.time() - 7200,) * 2)
    stray = whole.labels_path / young.name
    stray.write_bytes(b"PAR1")
    for each in (run, whole):
        with each.writing():
            pass
    assert young.exists()
    assert not old.exists()
    assert not stray.exists(), "a run without a plan has one writer, who holds the lock"


def test_a_plan_in_which_a_row_is_in_two_stretches_is_refused(run, main):
    plan = json.loads(run.plan_path.read_text())
    plan["stretches"][1] = [50, 113]
    run.plan_path.write_text(json.dumps(plan))
    assert "row 50 is claimed by two stretches" in main("label", "--plan", run.path, "--shard", "1/2", code=2).err
    assert not run.parts()


def test_times_are_told_in_units_that_fit():
    # Below half a minute, hours to one decimal place would be 0.0.
    assert [duration(seconds) for seconds in (20, 200, 7500)] == ["20.0 s", "3 min 20 s", "2 h 05 min"]


def test_a_finished_run_needs_no_workers(whole, source, main):
    told = main("plan", source.pairs, "--engine", "fake", "--out", whole.path, "--shard-pairs", 500).out
    assert "241 rows in 1 stretch:" in told
    assert "start workers" not in told
    assert "every pair has its label" in told


def test_a_plan_whose_input_changed_is_refused(run, source, main):
    again = ("plan", source.pairs, "--engine", "fake", "--out", run.path, "--shard-pairs", "50")
    main(*again)
    table = pq.read_table(run.pairs_path)
    kept = run.pairs_path.read_bytes()
    pq.write_table(table.slice(0, 240), run.pairs_path)
    assert "not those that were planned" in main("label", "--plan", run.path, "--shard", "1/2", code=2).err
    run.pairs_path.write_bytes(kept)
    with source.pairs.open("a") as stream:
        stream.write("query 0,99,new\n")
    assert "other input" in main(*again, code=2).err


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "a/4", "1/0", "-1/4", "1/4/4", "²/4"])
def test_a_shard_out_of_range_is_refused(run, main, shard):
    assert f"--shard {shard}" in main("label", "--plan", run.path, "--shard", shard, code=2).err
    assert not run.parts()


def test_more_shards_than_stretches_leave_some_without_work(run, main):
    assert main("label", "--plan", run.path, "--shard", "9/9", "--json").json["rows"] == 0


def test_options_that_do_not_go_together_are_refused(run, source, main):
    for options in (
        ("--plan", run.path),
        ("--plan", run.path, "--shard", "1/2", "--on", "ray"),
        ("--plan", run.path, "--shard", "1/2", "--workers", "2"),
        ("--plan", run.path, "--shard", "1/2", "--limit", "2"),
        (source.pairs, "--out", "x", "--shard", "1/2"),
        (source.pairs, "--out", "x", "--workers", "2"),
        (source.pairs, "--out", "x", "--on", "ray", "--examples", source.pairs),
        (source.pairs, "--out", "x", "--on", "ray", "--engine", "chat", "--url", "http://127.0.0.1:1", "--judge", "m"),
        (),
    ):
        main("label", *options, code=2)
    assert not run.parts()


@pytest.mark.parametrize(
    "more", [{"limit": 3}, {"skip_bad_rows": True}, {"workers": 2}, {"on": "slurm", "shard": None}, {"out": "x"}]
)
def test_in_python_too_options_that_do_not_go_together_are_refused(run, more):
    options = {"shard": "1/2", **more}
    with pytest.raises(InputError):
        rj.label(plan=run.path, **{name: value for name, value in options.items() if value is not None})
    assert not run.parts()


def test_a_chat_endpoint_is_not_asked_by_several_workers(run, monkeypatch):
    monkeypatch.setattr(OwnEngine, "chat", object())
    with pytest.raises(InputError, match="one process"):
        worker(run).label((0, 57))


def test_a_planned_run_may_also_be_labelled_by_one_process(run, whole, source, main):
    worker(run).label((57, 113))
    main("label", source.pairs, "--engine", "fake", "--out", run.path)
    assert labels(run) == labels(whole)
    assert run.manifest.finished


def test_a_part_of_one_process_ends_where_another_worker_may_begin(run, whole):
    class Slow(FakeEngine):
        block = 24
        asked = 0

        def score(self, prompts):
            if self.asked == 1:
                worker(run).label((57, 113))
            self.asked += 1
            return super().score(prompts)

    with run.writing():
        job(Source(run.pairs_path), Slow()).go_on(run, lambda rows: None)
        finish_run(run, planned(run))
    assert labels(run) == labels(whole)


@pytest.mark.parametrize("name", ["part-x.parquet", "part-7.parquet", "part-²00000000000.parquet"])
def test_a_file_among_the_parts_that_is_none_is_named(run, name):
    worker(run).label((0, 57))
    (run.labels_path / name).write_bytes(run.parts()[0].read_bytes())
    with pytest.raises(RunError, match=name):
        run.uncovered()


def test_a_plan_finds_the_judge_whatever_lies_in_the_folder(source, tmp_path, main, monkeypatch):
    (tmp_path / "fake").mkdir()
    (tmp_path / "shop-135m").mkdir()
    monkeypatch.chdir(tmp_path)
    assert asked_of(rj.Judge("shop-135m", engine="fake"))["model"] == "shop-135m"
    made = rj.plan(source.pairs, judge=rj.Judge(engine="fake"), out="run", shard_pairs=50)
    assert rj.label(plan=made.run, shard="1/1").summary.done
    path = tmp_path / "run" / "plan.json"
    path.write_text(path.read_text().replace('"engine"', '"motor"'))
    assert "'motor'" in main("label", "--plan", "run", "--shard", "1/1", code=2).err


def test_without_ray_it_is_said_what_to_install(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ModelError, match="needs ray"):
        label_on_ray(run, planned(run), job, Cluster())


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "here", "127.0.0.1:port"])
def test_an_address_that_does_not_answer_is_one_clear_error(run, address):
    pytest.importorskip("ray")
    with pytest.raises(JudgeError, match="--ray-address") as error:
        label_on_ray(run, planned(run), job, Cluster(address))
    assert error.value.hint
