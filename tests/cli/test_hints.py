"""What an error tells to do can be done: each option that it names is one of the verb's, and its encoding is read."""

import re

import click
import pytest
from conftest import DOZEN, ROOT, in_process

from relevance_judge.cli.main import app

SHOP = ROOT / "examples" / "shop"
CATALOGUE, QUERIES = ("--catalogue", SHOP / "catalogue.csv"), ("--queries", SHOP / "queries.csv")
FAKE = ("--engine", "fake")
CHAT = ("--engine", "chat", "--url", "http://127.0.0.1:1/v1", "--judge", "m", "--shots", "2")
PAIR = ("gluten free pasta", "P089")
# Each file that a verb reads, of other people; RUN, JUDGED and FILE stand for two runs and that file.
COMMANDS = {
    "validate": (("FILE",), (SHOP / "pairs.csv", *CATALOGUE, "--queries", "FILE"), ("FILE", "--rating", "grade")),
    "import": (("FILE", "--out", "OUT"), (SHOP / "grades.csv", "--catalogue", "FILE", "--out", "OUT")),
    "aggregate": (("FILE", "--out", "OUT.csv"),),
    "label": (
        ("FILE", *FAKE, "--out", "OUT"),
        (DOZEN, "--catalogue", "FILE", *FAKE, "--out", "OUT"),
        (DOZEN, *CHAT, "--examples", "FILE", "--out", "OUT"),
        (DOZEN, *FAKE, "--engine-config", "FILE", "--out", "OUT"),
        (DOZEN, *FAKE, "--guideline", "FILE", "--out", "OUT"),
        (DOZEN, *FAKE, "--calibration", "FILE", "--out", "OUT"),
    ),
    "plan": (("FILE", *FAKE, "--out", "OUT"),),
    "refresh": (("JUDGED", "--pairs", "FILE", *FAKE, "--out", "OUT"),),
    "calibrate": (("JUDGED", "FILE", "--out", "OUT.json"), ("JUDGED", "--apply", "FILE", "--out", "OUT")),
    "finetune": (("FILE", "--out", "OUT"),),
    "agree": (("FILE", "--run", "RUN"), (SHOP / "grades.csv", "--catalogue", "FILE")),
    "audit": (
        ("RUN", "FILE", "--overwrite", "--out", "OUT"),
        ("RUN", SHOP / "engagement.csv", "--people", "FILE", "--overwrite", "--out", "OUT"),
    ),
    "probe": (("FILE", *FAKE),),
    "trace": (("RUN", *PAIR, "--ratings", "FILE"),),
    "decide": (("RUN", "FILE", "--author", "Ana"),),
    "adjudicate": (("RUN", "--with", "fake", *FAKE, "--ratings", "FILE"),),
    "mine": (
        ("RUN", "--catalogue", "FILE", "--from", "lexical", "--out", "OUT.parquet"),
        ("RUN", *CATALOGUE, "--queries", "FILE", "--from", "lexical", "--out", "OUT.parquet"),
        ("RUN", *CATALOGUE, "--run", "FILE", "--run", "FILE", "--out", "OUT.parquet"),
    ),
    "queries": (
        ("--catalogue", "FILE", "--out", "OUT.csv"),
        (*CATALOGUE, "--like", "FILE", "--per-category", "1", "--out", "OUT.csv"),
    ),
    "push": (("RUN", "shop/labels", "--ratings", "FILE"),),
    "search": (
        ("bm25", "--catalogue", "FILE", *QUERIES, "--out", "OUT.run"),
        ("bm25", *CATALOGUE, "--queries", "FILE", "--out", "OUT.run"),
        ("FILE", *CATALOGUE, *QUERIES, "--out", "OUT.run"),
    ),
    "evaluate": (("bm25", *CATALOGUE, "--gold", "FILE"), ("FILE", *CATALOGUE, "--gold", SHOP / "grades.csv")),
    "guideline": (("FILE",),),
}
ROWS = "query,candidate_id,title,category,grade\nlámp,1,Lámp,Home,1\n"
READ = [(verb, at) for verb, commands in COMMANDS.items() for at in range(len(commands))]


def options(verb):
    return {name for param in app.get_command(click.Context(app), verb).params for name in param.opts}


@pytest.fixture(scope="module")
def runs(audited_shop, tmp_path_factory):
    judged = tmp_path_factory.mktemp("judged") / "run"
    assert in_process("label", DOZEN, *FAKE, "--out", judged).code == 0
    return {"RUN": str(audited_shop[0] / "run"), "JUDGED": str(judged)}


@pytest.fixture
def refused(runs, tmp_path):
    """Run a verb on a file that it has to refuse; what it says."""

    def run(verb, at, file, *more):
        words = {**runs, "FILE": str(file), "OUT": str(tmp_path / "out")}
        command = (re.sub("^(RUN|JUDGED|FILE|OUT)", lambda m: words[m[0]], str(word)) for word in COMMANDS[verb][at])
        return in_process(verb, *command, *more)

    return run


def names(text):
    """The options that a message names, but those of another command that it shows."""
    return set(re.findall(r"--[a-z][a-z-]*", re.sub(r"`?judge [a-z]+ [^`;]*`?", "", text)))


@pytest.mark.parametrize(("verb", "at"), READ)
def test_a_file_that_is_not_utf_8_is_answered_with_what_the_verb_can_do(refused, tmp_path, verb, at):
    file = tmp_path / "file.csv"
    file.write_bytes(ROWS.encode("cp1252"))
    found = refused(verb, at, file)
    assert found.code == 2
    assert "defect" not in found.err
    assert names(found.err) <= options(verb)
    if "--encoding" in found.err:
        again = refused(verb, at, file, "--encoding", "cp1252").err
        assert "UTF-8" not in again
        assert "--encoding" not in again


def test_grades_of_worked_examples_are_answered_with_the_file_as_label_reads_it(refused, tmp_path):
    at = next(at for at, command in enumerate(COMMANDS["label"]) if "--examples" in command)
    for rows in (ROWS.replace("1\n", "Exact\n"), ROWS.replace("1\n", "\n"), ROWS.replace("Lámp,Home", ",")):
        (tmp_path / "file.csv").write_text(rows, encoding="utf-8")
        found = refused("label", at, tmp_path / "file.csv")
        assert found.code == 2
        assert "file.csv" in found.err
        assert names(found.err) <= options("label")
        assert "--skip-bad-rows" not in found.err


def test_an_option_of_another_verb_would_be_found():
    assert names("fix: say it with --encoding, or --grades 1=2") == {"--encoding", "--grades"}
    assert names("fix: `judge export RUN --to trec --out x` first, with --json") == {"--json"}
