"""Help: grouped by stage, whole sentences, fast; and verbs that take few parameters each."""

import inspect
import os
import subprocess
import sys

import click
import pytest
from conftest import COMMAND, ROOT

from relevance_judge.cli.main import app
from relevance_judge.cli.verbs import STAGES

CONTEXT = click.Context(app)
VERBS = app.list_commands(CONTEXT)
LIGHT = ("torch", "transformers", "duckdb", "pyarrow", "numpy", "scipy", "pydantic", "yaml", "rich", "jinja2")


def test_help_shows_every_verb_under_its_stage_with_its_whole_summary(main):
    lines = main("--help").out.split("\n")
    for stage, verbs in STAGES.items():
        start = lines.index(f"{stage.capitalize()}:") + 1
        shown = [line.split(maxsplit=1) for line in lines[start : start + len(verbs)]]
        assert shown == [[verb, summary] for verb, summary in verbs.items()]
        assert not lines[start + len(verbs)]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_a_summary_is_the_first_sentence_of_the_verbs_own_help(verb):
    summary = next(verbs[verb] for verbs in STAGES.values() if verb in verbs)
    command = app.get_command(CONTEXT, verb)
    assert command.name == verb
    said = " ".join(command.help.split())
    assert said.startswith(summary)
    assert said[len(summary) :][:1] in ("", " ")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_takes_at_most_eight_parameters_and_none_without_a_type(verb):
    function = inspect.unwrap(app.get_command(CONTEXT, verb).callback)
    parameters = inspect.signature(function).parameters.values()
    assert len(parameters) <= 8
    for each in parameters:
        assert each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert each.annotation is not inspect.Parameter.empty


def loaded(*arguments):
    """Which libraries the command has imported when it ends."""
    code = f"""
import atexit, sys
atexit.register(lambda: print(*[name for name in {LIGHT!r} if name in sys.modules], file=sys.stderr))
sys.argv = ["judge", *{arguments!r}]
from relevance_judge.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stderr.split()


def test_help_and_version_import_nothing_heavy():
    assert loaded("--help") == []
    assert loaded("--version") == []


def test_a_verbs_help_imports_no_library_of_models_or_tables():
    assert set(loaded("label", "--help")) <= {"pydantic", "yaml", "jinja2", "rich"}


def test_the_version_is_that_of_the_package(main):
    from judge import __version__

    assert main("--version").out == f"judge {__version__}\n"


def test_the_line_of_the_docs_makes_the_shell_complete_verbs_and_options():
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert 'eval "$(_JUDGE_COMPLETE=bash_source judge)"' in text
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "_JUDGE_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    for words, found in (("judge ca", "calibrate"), ("judge export --neg", "--negative-confidence")):
        asked = {**environment, "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(COMMAND, capture_output=True, text=True, env=asked)
        assert found in done.stdout


def test_a_usage_error_names_the_verb_whose_help_has_the_fix(main):
    refused = main("label", "--nope", code=2)
    assert refused.out == ""
    first, fix = refused.err.splitlines()
    assert "--nope" in first
    assert "judge label --help" in fix
    assert len(main("lable", code=2).err.splitlines()) == 2
    assert "Usage" in main(code=2).err


def test_ctrl_c_is_no_defect(main, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("judge.words.guideline.load_guideline", stop)
    assert main("guideline", code=130).err.strip() == "stopped"
