"""Plans and options that several workers refuse, and what a planned run may also be."""

import errno
import json

import pyarrow.parquet as pq
import pytest
from worker_fixtures import OwnEngine, job, labels, worker

import relevance_judge as rj
from judge.engines.fake import FakeEngine
from judge.errors import InputError, JudgeError, ModelError, RunError
from judge.labelling.on_ray import label_on_ray
from judge.labelling.ray_cluster import Cluster
from judge.labelling.worker import finish_run, planned
from judge.pairs.stage import Source
from judge.run.store import Run
from judge.run.summary import summarise
from judge.words.guideline import load_guideline
from relevance_judge.asked import asked_of
from relevance_judge.cli.output import duration

FIFTY = ("--shard-pairs", "50")


def test_a_plan_in_which_a_row_is_in_two_stretches_is_refused(planned_run, main):
    plan = json.loads(planned_run.plan_path.read_text())
    plan["stretches"][1] = [50, 113]
    planned_run.plan_path.write_text(json.dumps(plan))
    assert (
        "row 50 is claimed by two stretches" in main("label", "--plan", planned_run.path, "--shard", "1/2", code=2).err
    )
    assert not planned_run.parts()


def test_times_are_told_in_units_that_fit():
    # Below half a minute, hours to one decimal place would be 0.0.
    assert [duration(seconds) for seconds in (20, 200, 7500)] == ["20.0 s", "3 min 20 s", "2 h 05 min"]


def test_a_finished_run_needs_no_workers(whole, source, main):
    told = main("plan", source.pairs, "--engine", "fake", "--out", whole.path, "--shard-pairs", 500).out
    assert "241 rows in 1 stretch:" in told
    assert "start workers" not in told
    assert "every pair has its label" in told


def test_no_judge_is_loaded_where_nothing_is_left(planned_run, monkeypatch):
    first, rest = planned(planned_run).stretches[0], planned(planned_run).stretches[1:]
    worker(planned_run).label_all(rest)
    opened = []
    monkeypatch.setattr(OwnEngine, "open", lambda self: opened.append(self) or self.engine)
    assert not worker(planned_run).label_all(rest)
    assert not opened
    with pytest.raises(RunError, match="guideline_digest"):
        worker(planned_run, guideline=load_guideline("esci-four-level")).label_all(rest)
    worker(planned_run).label_all([first, *rest])
    assert len(opened) == 1


def test_a_run_whose_rows_all_have_labels_still_wants_to_be_finished(planned_run, main):
    assert main("status", planned_run.path, "--json").json["finished"] is None
    worker(planned_run).label_all(planned(planned_run).stretches)
    assert f"judge finish {planned_run.path}" in main("status", planned_run.path).out
    main("finish", planned_run.path)
    assert "judge finish" not in main("status", planned_run.path).out
    assert main("status", planned_run.path, "--json").json["finished"]


def test_a_damaged_plan_is_made_again_and_labels_stay(planned_run, source, main):
    worker(planned_run).label((57, 113))
    planned_run.plan_path.write_bytes(planned_run.plan_path.read_bytes()[:99])
    assert "what is labelled stays" in main("label", "--plan", planned_run.path, "--shard", "1/1", code=2).err
    planned_run.plan_path.unlink()
    assert ", N up to 5" in main("plan", source.pairs, "--engine", "fake", "--out", planned_run.path, *FIFTY).out
    assert "56 of them before" in main("label", "--plan", planned_run.path, "--shard", "1/1").out
    main("finish", planned_run.path)


def test_where_a_run_cannot_be_written_no_judge_is_loaded(planned_run, main, monkeypatch):
    class ReadOnly:
        def __init__(self, **given):
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("judge.places.TemporaryFile", ReadOnly)
    monkeypatch.setattr(OwnEngine, "open", lambda self: pytest.fail("the judge was loaded"))
    with pytest.raises(InputError, match="labels: cannot be written"):
        worker(planned_run).label_all(planned(planned_run).stretches)
    monkeypatch.setattr("os.access", lambda *given: False)
    assert "--out" not in main("finish", planned_run.path, code=2).err


def test_a_status_adds_up_while_workers_write(planned_run, monkeypatch):
    stretches = [*planned(planned_run).stretches]

    def meanwhile(name):
        """Have a worker label a stretch when the run is asked this."""
        kept = getattr(Run, name)

        def ask(self, *given):
            monkeypatch.setattr(Run, name, kept)
            worker(planned_run).label(stretches.pop())
            return kept(self, *given)

        monkeypatch.setattr(Run, name, ask)

    for name in ("tally", "labelled", "uncovered", "database"):
        meanwhile(name)
        found = summarise(planned_run)
        open_ = sum(end - start for start, end in found.uncovered)
        assert sum(found.status.values()) == found.labelled == found.rows - open_, name
    assert len(stretches) == 1


def test_a_plan_whose_input_changed_is_refused(planned_run, source, main):
    again = ("plan", source.pairs, "--engine", "fake", "--out", planned_run.path, "--shard-pairs", "50")
    main(*again)
    table = pq.read_table(planned_run.pairs_path)
    kept = planned_run.pairs_path.read_bytes()
    pq.write_table(table.slice(0, 240), planned_run.pairs_path)
    assert "not those that were planned" in main("label", "--plan", planned_run.path, "--shard", "1/2", code=2).err
    planned_run.pairs_path.write_bytes(kept)
    with source.pairs.open("a") as stream:
        stream.write("query 0,99,new\n")
    assert "other input" in main(*again, code=2).err


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "a/4", "1/0", "-1/4", "1/4/4", "²/4"])
def test_a_shard_out_of_range_is_refused(planned_run, main, shard):
    assert f"--shard {shard}" in main("label", "--plan", planned_run.path, "--shard", shard, code=2).err
    assert not planned_run.parts()


def test_more_shards_than_stretches_leave_some_without_work(planned_run, main):
    assert main("label", "--plan", planned_run.path, "--shard", "9/9", "--json").json["rows"] == 0


def test_options_that_do_not_go_together_are_refused(planned_run, source, main):
    for options in (
        ("--plan", planned_run.path),
        ("--plan", planned_run.path, "--shard", "1/2", "--on", "ray"),
        ("--plan", planned_run.path, "--shard", "1/2", "--workers", "2"),
        ("--plan", planned_run.path, "--shard", "1/2", "--limit", "2"),
        (source.pairs, "--out", "x", "--shard", "1/2"),
        (source.pairs, "--out", "x", "--workers", "2"),
        (source.pairs, "--out", "x", "--on", "ray", "--examples", source.pairs),
        (source.pairs, "--out", "x", "--on", "ray", "--engine", "chat", "--url", "http://127.0.0.1:1", "--judge", "m"),
        (),
    ):
        main("label", *options, code=2)
    assert not planned_run.parts()


@pytest.mark.parametrize(
    "more", [{"limit": 3}, {"skip_bad_rows": True}, {"workers": 2}, {"on": "slurm", "shard": None}, {"out": "x"}]
)
def test_in_python_too_options_that_do_not_go_together_are_refused(planned_run, more):
    options = {"shard": "1/2", **more}
    with pytest.raises(InputError):
        rj.label(plan=planned_run.path, **{name: value for name, value in options.items() if value is not None})
    assert not planned_run.parts()


def test_a_chat_endpoint_is_not_asked_by_several_workers(planned_run, monkeypatch):
    monkeypatch.setattr(OwnEngine, "chat", object())
    with pytest.raises(InputError, match="one process"):
        worker(planned_run).label((0, 57))


def test_a_planned_run_may_also_be_labelled_by_one_process(planned_run, whole, source, main):
    worker(planned_run).label((57, 113))
    main("label", source.pairs, "--engine", "fake", "--out", planned_run.path)
    assert labels(planned_run) == labels(whole)
    assert planned_run.manifest.finished


def test_a_part_of_one_process_ends_where_another_worker_may_begin(planned_run, whole):
    class Slow(FakeEngine):
        block = 24
        asked = 0

        def score(self, prompts):
            if self.asked == 1:
                worker(planned_run).label((57, 113))
            self.asked += 1
            return super().score(prompts)

    with planned_run.writing():
        job(Source(planned_run.pairs_path), Slow()).go_on(planned_run, lambda rows: None)
        finish_run(planned_run, planned(planned_run))
    assert labels(planned_run) == labels(whole)


@pytest.mark.parametrize("name", ["part-x.parquet", "part-7.parquet", "part-²00000000000.parquet"])
def test_a_file_among_the_parts_that_is_none_is_named(planned_run, name):
    worker(planned_run).label((0, 57))
    (planned_run.labels_path / name).write_bytes(planned_run.parts()[0].read_bytes())
    with pytest.raises(RunError, match=name):
        planned_run.uncovered()


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


def test_workers_in_other_folders_find_the_files_of_the_judge(planned_run, source, main, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("judge.labelling.on_ray.label_on_ray", lambda run, plan, make, *rest: made.append(make) or [])
    monkeypatch.setattr("judge.labelling.worker.finish_run", lambda run, plan: None)
    (tmp_path / "own.yaml").write_text(main("guideline", "--source").out)
    (tmp_path / "three-level").mkdir()
    main("label", "--plan", planned_run.path, "--on", "ray", "--guideline", "own.yaml")
    main("label", source.pairs, "--engine", "fake", "--guideline", "own.yaml", "--out", "one", "--on", "ray")
    main("label", source.pairs, "--engine", "fake", "--guideline", "three-level", "--out", "two", "--on", "ray")
    asked = [make.args[0]["guideline"] for make in made]
    assert asked == [str(tmp_path / "own.yaml")] * 2 + ["three-level"]


def test_ray_takes_the_stretches_that_a_plan_has(planned_run, source, main, monkeypatch):
    plans = []
    monkeypatch.setattr("judge.labelling.on_ray.label_on_ray", lambda run, plan, *rest: plans.append(plan) or [])
    monkeypatch.setattr("judge.labelling.worker.finish_run", lambda run, plan: None)
    main("label", source.pairs, "--engine", "fake", "--out", planned_run.path, "--on", "ray")
    assert [len(plan.stretches) for plan in plans] == [5]


def test_without_ray_it_is_said_what_to_install(planned_run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ModelError, match="needs ray"):
        label_on_ray(planned_run, planned(planned_run), job, Cluster())


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "here", "127.0.0.1:port"])
def test_an_address_that_does_not_answer_is_one_clear_error(planned_run, address):
    pytest.importorskip("ray")
    with pytest.raises(JudgeError, match="--ray-address") as error:
        label_on_ray(planned_run, planned(planned_run), job, Cluster(address))
    assert error.value.hint
