"""A run directory: nothing is lost, nothing is judged twice, two fingerprints never mix."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import DOZEN, ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

import judge.labelling.writer as labelling
from audit.diff.versions import column_title
from judge.engines import Serving
from judge.engines.fake import FakeEngine, FakeTokenizer
from judge.errors import RunError
from judge.export.texts import has_text
from judge.fingerprint import file_digest
from judge.labelling.job import Labelling
from judge.labelling.label import blocks, label_run
from judge.pairs.stage import Source, stage
from judge.records import Status
from judge.run.store import Run
from judge.run.summary import summarise
from judge.sql import identifier, quoted
from judge.words.guideline import load_guideline
from judge.words.prompt import PromptBuilder

# Labels slowly and writes often, so that a kill hits anything: staging, judging, writing.
SLOW = """
import sys
from pathlib import Path
import judge.labelling.writer as labelling
from judge.labelling.label import label_run
from judge.engines import Serving
from judge.engines.fake import FakeEngine, FakeTokenizer
from judge.words.guideline import load_guideline
from judge.labelling.job import Labelling
from judge.pairs.stage import Source
from judge.words.prompt import PromptBuilder
from judge.run.store import Run

labelling.PART_SECONDS = 0.02
engine = FakeEngine(delay=0.002)
engine.block = 8
run = Run(Path(sys.argv[2]))
with run.writing():
    Labelling(Source(Path(sys.argv[1])), load_guideline(), "fake", Serving("fake")).begin(run)
    label_run(run, PromptBuilder(load_guideline(), FakeTokenizer()), engine)
"""


def many(path: Path, queries=40, candidates=12) -> Path:
    rows = [f"query {q},{c},title {q * c}\n" for q in range(queries) for c in range(candidates)]
    path.write_text("query,candidate_id,title\n" + "".join(rows))
    return path


def label(source: Source, path: Path, engine: FakeEngine | None = None) -> Run:
    run = Run(path)
    with run.writing():
        Labelling(source, load_guideline(), "fake", Serving("fake")).begin(run)
        label_run(run, PromptBuilder(load_guideline(), FakeTokenizer()), engine or FakeEngine())
    return run


def labels(run: Run) -> list[dict]:
    return [row for part in run.parts() for row in pq.read_table(part).to_pylist()]


def test_killed_at_any_moment_the_result_is_that_of_a_run_that_was_not(tmp_path):
    pairs = many(tmp_path / "p.csv")
    engine = FakeEngine()
    engine.block = 8
    whole = labels(label(Source(pairs), tmp_path / "whole", engine))
    command = [sys.executable, "-c", SLOW, str(pairs), str(tmp_path / "killed")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = Run(tmp_path / "killed")
    killed_at = []
    # Killed before anything is written, then each time a few more parts are there; at last left to finish.
    for parts in (0, 1, 12):
        process = subprocess.Popen(command, env=environment, cwd=tmp_path)
        while len(run.parts()) < parts and process.poll() is None:
            time.sleep(0.002)
        time.sleep(0.3 if parts == 0 else 0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed_at.append(len(run.parts()) * 8)
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    assert len({at for at in killed_at if 0 < at < 480}) >= 2, f"no kill hit the labelling: {killed_at}"
    run.check_whole()
    assert labels(run) == whole
    assert not [path.name for path in run.path.rglob("*") if "partial" in path.name or "staging" in path.name]


def test_a_resumed_run_asks_the_engine_only_for_what_has_no_label(tmp_path, monkeypatch):
    monkeypatch.setattr(labelling, "PART_SECONDS", 0.0)

    class Counting(FakeEngine):
        block = 8
        asked = 0

        def score(self, prompts):
            if self.asked > 100:
                raise KeyboardInterrupt
            self.asked += len(prompts)
            return super().score(prompts)

    first, second = Counting(), Counting()
    second.asked = -10_000
    pairs = many(tmp_path / "p.csv")
    with pytest.raises(KeyboardInterrupt):
        label(Source(pairs), tmp_path / "run", first)
    run = label(Source(pairs), tmp_path / "run", second)
    assert first.asked + second.asked + 10_000 == 480
    assert run.tally().judged == 480
    assert summarise(run).done


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 20), st.integers(0, 400))
@settings(max_examples=12)
def test_blocks_after_a_block_are_those_of_the_whole_walk(tmp_path_factory, sizes, size, pick):
    folder = tmp_path_factory.mktemp("blocks")
    rows = "".join(f"q{q},{c},t\n" for q, count in enumerate(sizes) for c in range(count))
    (folder / "p.csv").write_text("query,candidate_id,title\n" + rows)
    path = stage(Source(folder / "p.csv"), load_guideline(), folder).path
    whole = [[row["row"] for _, row in block] for block in blocks(path, 0, size)]
    rows = [row for block in whole for row in block]
    assert rows == sorted(rows)
    assert all(len(block) <= 2 * size for block in whole)
    index = pick % len(whole)
    start = sum(len(block) for block in whole[:index])
    assert [[row["row"] for _, row in block] for block in blocks(path, start, size)] == whole[index:]


def test_every_row_ends_in_one_status_and_the_counts_add_up(tmp_path):
    run = label(Source(DOZEN), tmp_path / "run", FakeEngine(fail="toaster"))
    found = summarise(run)
    assert found.status == {"graded": 10, "abstained": 0, "failed": 1, "skipped": 1}
    assert sum(found.grades.values()) == 10
    assert found.done
    failed = [row for row in labels(run) if row["status"] == Status.FAILED]
    assert failed[0]["grade"] is None
    assert failed[0]["reason"] == "the fake engine was told to fail here"
    assert found.reasons == {"candidate has no text": 1, "the fake engine was told to fail here": 1}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--guideline", "esci-four-level"], ["guideline: three-level 1 → esci-four-level 1", "guideline_digest"]),
        (["--limit", "5"], ["limit: None → 5"]),
        (["--map", "title=description"], ["map: "]),
        (["--engine", "transformers", "--judge", "smollm2-135m"], ["judge: fake → smollm2-135m"]),
    ],
)
def test_another_fingerprint_is_refused_with_the_parts_that_differ(change, says, main):
    arguments = ["label", DOZEN, "--out", "run"]
    main(*arguments, "--engine", "fake")
    again = [*arguments, *([] if "--engine" in change else ["--engine", "fake"]), *change]
    error = main(*again, code=2).err
    # --limit and --map are of the input; who judges, and by what, is in the fingerprint.
    other = "other input" if change[0] in ("--limit", "--map") else "another fingerprint"
    assert f"holds a run of {other}; what differs:" in error
    for words in says:
        assert words in error


def test_other_input_is_refused_and_the_same_input_reuses_everything(main, tmp_path):
    (tmp_path / "p.csv").write_bytes(DOZEN.read_bytes())
    arguments = ["label", "p.csv", "--engine", "fake", "--out", "run"]
    main(*arguments)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.parquet")}
    assert "12 of 12 rows had their label already" in main(*arguments).out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.parquet")} == before
    with (tmp_path / "p.csv").open("a") as stream:
        stream.write("new query,Z,Title,,,,,,,,0\n")
    assert "pairs: " in main(*arguments, code=2).err


def test_a_mapping_that_changes_nothing_is_the_same_run(main, tmp_path):
    """A name onto itself, a column twice, the options in another order; which of two columns comes first is no matter
    of order alone."""
    rows = "query,candidate_id,product_name,heading\n" + "".join(f"lamp,{n},Lamp {n},x\n" for n in range(3))
    (tmp_path / "p.csv").write_text(rows)
    command = ("label", "p.csv", "--engine", "fake", "--out", "run")

    def mapped(*pairs, code=0):
        found = main(*command, *(part for pair in pairs for part in ("--map", pair)), code=code)
        return found.err if code else "3 of 3 rows had their label already" in found.out

    named = ("title=product_name", "title=heading")
    mapped(*named)
    begun = (tmp_path / "run" / "run.json").read_bytes()
    assert mapped("candidate_id=candidate_id", *named, "query=query")
    assert mapped(*named, "title=product_name")
    assert (tmp_path / "run" / "run.json").read_bytes() == begun
    assert "map: " in mapped("title=heading", "title=product_name", code=2)
    assert "map: " in mapped("title=product_name", code=2)
    assert "map: " in mapped("candidate_id=product_name", *named, code=2)
    # And the other way round: begun with such a mapping, gone on without it.
    main("label", "p.csv", "--engine", "fake", "--out", "other", "--map", "query=query", "--map", "title=heading")
    assert (
        "had their label already"
        in main("label", "p.csv", "--engine", "fake", "--out", "other", "--map", "title=heading").out
    )


def test_a_name_onto_itself_is_another_input_where_the_run_reads_another_column_for_it(main, tmp_path):
    (tmp_path / "p.csv").write_text("query,sku,title\nlamp,1,Lamp\n")
    command = ("label", "p.csv", "--engine", "fake", "--out", "run")
    assert "candidate_id is read from sku" in main(*command).err
    assert "map: " in main(*command, "--map", "candidate_id=candidate_id", code=2).err


def test_two_processes_never_write_one_run(tmp_path):
    run = Run(tmp_path / "run")
    with run.writing(), pytest.raises(RunError, match="another process"), Run(tmp_path / "run").writing():
        pass


def test_an_unfinished_run_shows_its_status_and_refuses_to_be_exported(tmp_path, main):
    run = label(Source(many(tmp_path / "p.csv", 4)), tmp_path / "run")
    table = pq.read_table(run.parts()[0])
    pq.write_table(table.slice(0, 20), run.parts()[0])
    found = main("status", "run", "--json").json
    assert (found["rows"], found["labelled"], found["done"]) == (48, 20, False)
    assert "20 of 48 rows are labelled" in main("export", "run", "--to", "trec", "--out", "x", code=2).err


def test_a_run_that_does_not_add_up_is_refused(tmp_path, main):
    run = label(Source(many(tmp_path / "p.csv", 4)), tmp_path / "run")
    table = pq.read_table(run.parts()[0])
    pq.write_table(pa.concat_tables([table.slice(0, 47), table.slice(0, 1)]), run.parts()[0])
    assert "does not add up" in main("export", "run", "--to", "trec", "--out", "x", code=2).err
    assert not (tmp_path / "x").exists()


def test_interrupted_by_the_keyboard_it_says_how_to_go_on(tmp_path):
    pairs = many(tmp_path / "p.csv", 4_000)
    command = [
        sys.executable,
        "-m",
        "relevance_judge.cli.main",
        "label",
        str(pairs),
        "--engine",
        "fake",
        "--out",
        "run",
    ]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        # A shell has what it starts in the background ignore interruptions, and the tests may run there.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    manifest = tmp_path / "run" / "run.json"
    while not manifest.exists() and process.poll() is None:
        time.sleep(0.01)
    # Python loses an interruption that falls into a destructor: people press again. Not while a busy machine still ends
    # it: then it would die of the signal itself.
    error = None
    while error is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            _, error = process.communicate(timeout=90)
    assert process.returncode == 130, error.decode()
    assert "the same command" in error.decode()


def test_a_dry_run_estimates_and_writes_nothing(main, tmp_path):
    many(tmp_path / "p.csv")
    found = main("label", "p.csv", "--engine", "fake", "--dry-run", "--json").json
    assert (found["rows"], found["pairs"]) == (480, 480)
    assert found["judge_seconds"] == pytest.approx(480 / found["pairs_per_second"])
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_the_seconds_of_every_block_are_counted_the_first_included(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(labelling.time, "monotonic", lambda: clock[0])

    class Slow(FakeEngine):
        def score(self, prompts):
            clock[0] += 1.0  # below what begins a part of its own
            return super().score(prompts)

    engine = Slow()
    engine.block = 480
    run = label(Source(many(tmp_path / "p.csv")), tmp_path / "run", engine)
    assert summarise(run).judge_seconds == 1.0


def test_a_folder_of_the_users_is_never_taken_for_a_run_nor_emptied(main, tmp_path):
    mine = tmp_path / "data"
    mine.mkdir()
    pq.write_table(
        pa.table({"query": ["a", ""], "candidate_id": ["1", "2"], "title": ["x", "y"]}), mine / "pairs.parquet"
    )
    before = (mine / "pairs.parquet").read_bytes()
    for options in ([], ["--skip-bad-rows"]):
        error = main("label", mine / "pairs.parquet", "--engine", "fake", "--out", mine, *options, code=2).err
        assert "already holds something else (pairs.parquet)" in error
        assert (mine / "pairs.parquet").read_bytes() == before
    (tmp_path / "empty").mkdir()
    main("label", mine / "pairs.parquet", "--engine", "fake", "--out", "empty", code=2)
    assert (tmp_path / "empty").is_dir()
    main("label", mine / "pairs.parquet", "--engine", "fake", "--out", "x/y/z", code=2)
    assert not (tmp_path / "x").exists()


def test_labels_of_two_fingerprints_never_mix(main, tmp_path):
    main("label", DOZEN, "--engine", "fake", "--out", "run")
    manifest = tmp_path / "run" / "run.json"
    kept = manifest.read_text()
    manifest.unlink()
    refused = main("label", DOZEN, "--engine", "fake", "--guideline", "esci-four-level", "--out", "run", code=2)
    assert "already holds something else (labels)" in refused.err
    fingerprint = json.loads(kept)["fingerprint"]
    manifest.write_text(kept.replace(fingerprint, "0" * 16))
    assert "0 by this run" in main("export", "run", "--to", "trec", "--out", "x", code=2).err


def test_a_part_that_is_missing_is_what_is_left_to_do(main, tmp_path, monkeypatch):
    monkeypatch.setattr(labelling, "PART_SECONDS", 0.0)
    engine = FakeEngine()
    engine.block = 8
    run = label(Source(many(tmp_path / "p.csv", 4)), tmp_path / "run", engine)
    gap, *_, last = run.parts()[1:]
    lost = len(pq.read_table(gap))
    gap.unlink()
    start = int(gap.stem.removeprefix("part-"))
    found = main("status", "run", "--json").json
    assert (found["labelled"], found["uncovered"]) == (48 - lost, [[start, start + lost]])
    assert "are labelled" in main("export", "run", "--to", "trec", "--out", "x", code=2).err
    before = {part: part.read_bytes() for part in run.parts()}
    label(Source(tmp_path / "p.csv"), tmp_path / "run", engine).check_whole()
    assert {part: part.read_bytes() for part in run.parts() if part != gap} == before
    assert last in before


def test_a_finished_run_says_so_in_its_manifest(main, tmp_path):
    main("label", DOZEN, "--engine", "fake", "--out", "run")
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["counts"] == {"graded": 11, "abstained": 0, "failed": 0, "skipped": 1}
    assert (manifest["rows"], manifest["judged"]) == (12, 11)
    assert manifest["finished"] >= manifest["created"]


@pytest.mark.parametrize("damage", ["run.json", "pairs.parquet"])
def test_a_damaged_run_is_one_clear_error(main, tmp_path, damage):
    main("label", DOZEN, "--engine", "fake", "--out", "run")
    path = tmp_path / "run" / damage
    if damage == "run.json":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.unlink()
    error = main("status", "run", code=2).err
    assert damage in error
    assert "defect" not in error


def test_a_run_whose_name_reads_like_a_pattern_is_refused(main, tmp_path):
    """DuckDB would have read the files of runs/v1 for those of runs/v[1]."""
    refused = main("label", DOZEN, "--engine", "fake", "--out", "v[1]", code=2)
    assert "a run's path cannot have [ in it" in refused.err
    assert not (tmp_path / "v[1]").exists()


def hostile(path: Path, **changes) -> Path:
    """A run's manifest as somebody else may have written it."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


@pytest.mark.parametrize("verb", ["status run", "export run --to jsonl --out out", "export run --to trec --out out"])
@pytest.mark.parametrize("place", ["fingerprint", "guideline"])
def test_a_run_of_somebody_else_runs_no_sql(main, tmp_path, run_of, guideline, verb, place):
    run = run_of([{"query": "lamp", "candidate_id": "1", "title": "A lamp", "grade": 2}])
    write = "COPY (SELECT 1) TO 'stolen.csv'; --"
    words = guideline.model_dump(mode="json")
    words["fields"][0]["name"] = f'title" IS NOT NULL)) ); {write}'
    words_of = {"fingerprint": f"x') FROM labels l LEFT JOIN pairs p USING (row); {write}", "guideline": words}
    hostile(run.manifest_path, **{place: words_of[place]})
    before = sorted(tmp_path.rglob("*"))
    refused = main(*verb.split(), code=2).err
    assert "run.json: is damaged" in refused
    assert "defect" not in refused
    assert sorted(tmp_path.rglob("*")) == before


def test_names_and_texts_stay_one_word_of_sql():
    """The struct's field and the text hold the quotes that would end them: both are read back as they are."""
    import duckdb

    strange = """a"b'c"""
    told = duckdb.sql(f"SELECT row({quoted(strange)})::STRUCT({identifier(strange)} VARCHAR) AS candidate")
    sql = f"SELECT candidate.{identifier(strange)}, {has_text([strange])}, {column_title('told', [strange])} FROM told"
    assert duckdb.sql(sql).fetchall() == [(strange, True, strange)]
    assert len(told) == 1


@pytest.mark.parametrize("grown", ["p.csv", "c.csv"])
@pytest.mark.parametrize("verb", ["label", "import"])
def test_a_file_that_grows_while_it_is_read_makes_no_run(main, tmp_path, monkeypatch, verb, grown):
    (tmp_path / "p.csv").write_text("query,candidate_id,grade\nlamp,1,2\n")
    (tmp_path / "c.csv").write_text("candidate_id,title\n1,Lamp\n2,Sofa\n")
    more = {"p.csv": "lamp,2,0\n", "c.csv": "3,Chair\n"}[grown]
    given = [verb, "p.csv", "--catalogue", "c.csv", "--out", "run", *(["--engine", "fake"] if verb == "label" else [])]

    def growing(*arguments):
        with (tmp_path / grown).open("a") as stream:
            stream.write(more)
        return stage(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(f"judge.{'labelling.begin' if verb == 'label' else 'ratings.reader'}.stage", growing)
        error = main(*given, code=2).err
    assert f"{grown}: changed while it was read" in error
    assert not (tmp_path / "run").exists()
    main(*given)
    assert Run(tmp_path / "run").manifest.inputs["pairs"] == file_digest(tmp_path / "p.csv")


@pytest.mark.parametrize("harm", ["cut short", "written over"])
def test_a_damaged_part_is_named_and_the_same_command_makes_it_again(main, tmp_path, monkeypatch, harm):
    monkeypatch.setattr(labelling, "PART_SECONDS", 0.0)
    monkeypatch.setattr(FakeEngine, "block", 4)
    given = ("label", DOZEN, "--engine", "fake", "--out", "run")
    main(*given)
    run = Run(tmp_path / "run")
    whole, (_, second, *later) = labels(run), run.parts()
    data = second.read_bytes()
    second.write_bytes(data[:-20] if harm == "cut short" else data[:4] + bytes(400) + data[404:])
    error = main("export", "run", "--to", "jsonl", "--out", "x.jsonl", code=2).err
    assert f"labels/{second.name}: is damaged (it cannot be read)\n  fix: delete it and the parts after it" in error
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    error = main("diff", "run", "other", code=2).err
    assert f"labels/{second.name}: is damaged" in error
    for part in (second, *later):
        part.unlink()
    main(*given)
    assert labels(run) == whole
    main("export", "run", "--to", "jsonl", "--out", "x.jsonl")
