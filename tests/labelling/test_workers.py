"""Several workers on one run: every row has one label, whoever is killed, slow, wrong or there twice."""

import errno
import os
import time
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worker_fixtures import EACH, QUERIES, labels, worker

import judge.labelling.writer as writing
from judge.engines.fake import FakeEngine
from judge.errors import RunError
from judge.labelling.job import Labelling
from judge.labelling.worker import finish_run, planned
from judge.run.coverage import gaps, intervals
from judge.run.plan import Shard, failures, query_bounds
from judge.run.store import Run
from judge.run.summary import summarise
from judge.words.guideline import load_guideline


def test_the_stretches_tile_the_rows_and_end_where_queries_end(planned_run):
    plan = planned(planned_run)
    ids = pq.read_table(planned_run.pairs_path)["query_id"].to_pylist()
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


def test_workers_of_all_shards_make_the_run_of_one_process(planned_run, whole):
    for shard in ("2/3", "3/3", "1/3"):
        assert not worker(planned_run).label_all(planned(planned_run).shard(Shard.read(shard)))
    with planned_run.writing():
        finish_run(planned_run, planned(planned_run))
    assert labels(planned_run) == labels(whole)
    assert (
        planned_run.manifest.counts
        == whole.manifest.counts
        == {"graded": 240, "abstained": 0, "failed": 0, "skipped": 1}
    )
    assert planned_run.manifest.judged == 240


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_worker_that_finishes_late_adds_nothing(planned_run, whole, monkeypatch, at):
    """While the slow one scores its block number `at`, another labels the same stretch to its end, in other parts."""
    monkeypatch.setattr(writing, "PART_SECONDS", 0.0)
    quick = worker(planned_run)

    class Slow(FakeEngine):
        block = 24
        asked = 0

        def score(self, prompts):
            if self.asked == at:
                quick.label((0, 57))
            self.asked += 1
            return super().score(prompts)

    slow = worker(planned_run, Slow())
    slow.label((0, 57))
    covered = intervals(planned_run.parts())
    assert [row for start, end in covered for row in range(start, end)] == list(range(57))
    quick.label_all(planned(planned_run).stretches)
    with planned_run.writing():
        finish_run(planned_run, planned(planned_run))
    assert labels(planned_run) == labels(whole)


def test_two_workers_on_one_stretch_at_once_label_it_once(planned_run, whole, monkeypatch):
    from threading import Thread

    monkeypatch.setattr(writing, "PART_SECONDS", 0.0)
    engines = [FakeEngine(delay=0.0005), FakeEngine(delay=0.0004)]
    engines[0].block, engines[1].block = 8, 12
    threads = [Thread(target=worker(planned_run, engine).label, args=((0, 57),)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    covered = intervals(planned_run.parts())
    assert [row for start, end in covered for row in range(start, end)] == list(range(57))
    assert labels(planned_run) == [
        row for row in labels(whole) if row["row"] in {label["row"] for label in labels(planned_run)}
    ]


def test_a_stretch_that_nobody_took_is_named_and_the_run_is_not_finished(planned_run, main):
    for stretch in planned(planned_run).stretches:
        if stretch != (113, 169):
            worker(planned_run).label(stretch)
    found = main("status", planned_run.path, "--json").json
    assert (found["labelled"], found["uncovered"], found["stretches"]) == (185, [[113, 169]], 5)
    for verb in (("finish",), ("export", "--to", "jsonl", "--out", "x.jsonl")):
        said = main(verb[0], planned_run.path, *verb[1:], code=2).err
        assert f"judge label --plan {planned_run.path} --shard i/N" in said
        assert f"judge status {planned_run.path}" in said
    assert planned_run.manifest.finished is None
    main("label", "--plan", planned_run.path, "--shard", "1/1")
    done = main("finish", planned_run.path, "--json").json
    assert done["done"]
    assert sum(done["status"].values()) == done["rows"] == 241


def test_a_full_disk_fails_its_stretches_and_the_next_worker_makes_up_for_it(planned_run, main, monkeypatch):
    plan = planned(planned_run)
    append = Run.append

    def full(self, start, table, tally):
        if 57 <= start < 113:
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(self, start, table, tally)

    monkeypatch.setattr(Run, "append", full)
    assert main("label", "--plan", planned_run.path, "--shard", "1/1", code=1).err.count("No space left on device") == 1
    found = summarise(planned_run)
    assert found.uncovered == ((57, 113),)
    assert [(each.start, each.end, each.tries) for each in found.failed] == [(57, 113, 3)]
    monkeypatch.undo()
    assert not worker(planned_run).label_all(plan.stretches)
    assert not failures(planned_run.path)
    assert summarise(planned_run).done


def test_a_disk_that_fills_while_a_part_is_written_leaves_nothing_of_it(planned_run, monkeypatch):
    def half(table, path, **options):
        Path(path).write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="No space"):
        worker(planned_run).label((0, 57))
    assert not [*planned_run.labels_path.iterdir()]


def test_a_worker_of_another_guideline_number_type_or_version_writes_nothing(planned_run, monkeypatch):
    with pytest.raises(RunError, match="guideline_digest"):
        worker(planned_run, guideline=load_guideline("esci-four-level")).label_all(planned(planned_run).stretches)
    parts = Labelling.parts.fget
    monkeypatch.setattr(Labelling, "parts", property(lambda self: {**parts(self), "dtype": "bfloat16"}))
    with pytest.raises(RunError, match="dtype: None → bfloat16"):
        worker(planned_run).label((0, 57))
    monkeypatch.undo()
    monkeypatch.setattr("judge.labelling.begin.__version__", "99")
    with pytest.raises(RunError, match=r"toolkit: .* → 99"):
        worker(planned_run).label((0, 57))
    assert not planned_run.parts()


def test_the_number_type_of_the_workers_is_the_planners_to_say(source, main):
    options = ("plan", source.pairs, "--engine", "fake", "--out", "gpu", "--dtype", "bfloat16", "--json")
    assert main(*options).json["dtype"] == "bfloat16"
    assert "dtype: bfloat16 → None" in main("label", "--plan", "gpu", "--shard", "1/1", code=2).err


def test_a_type_of_numbers_that_there_is_not_is_refused(source, main, tmp_path):
    options = ("plan", source.pairs, "--engine", "fake", "--out", "gpu", "--dtype", "bf16")
    assert "give one of bfloat16, float16, float32" in main(*options, code=2).err
    assert not (tmp_path / "gpu").exists()


def test_a_living_workers_half_written_part_stays_and_an_old_one_goes(planned_run, whole):
    planned_run.labels_path.mkdir()
    young, old = (planned_run.labels_path / f"part-000000000000.parquet.{name}.partial" for name in "ab")
    for path in (young, old):
        path.write_bytes(b"PAR1")
    os.utime(old, (time.time() - 7200,) * 2)
    stray = whole.labels_path / young.name
    stray.write_bytes(b"PAR1")
    for each in (planned_run, whole):
        with each.writing():
            pass
    assert young.exists()
    assert not old.exists()
    assert not stray.exists(), "a run without a plan has one writer, who holds the lock"
