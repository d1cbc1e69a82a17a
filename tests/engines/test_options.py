"""What engines can be told: one commented file, and nothing that is not in it."""

import re
from importlib.resources import files

import pytest
from conftest import DOZEN

from judge.engines.options import default_options, load_options
from judge.errors import InputError

TEXT = files("judge.engines").joinpath("engines.yaml").read_text()


def test_the_commented_file_names_every_key():
    assert TEXT.startswith("#")
    keys = re.findall(r"^  (\w+):", TEXT, re.MULTILINE)
    assert len(keys) == sum(len(section) for section in default_options().model_dump().values())
    assert TEXT.count("\n  #") >= len(keys)


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("vllm: {gpu_memory: 0.5}\n")
    found = load_options(path)
    assert found.vllm.gpu_memory == 0.5
    assert found.server == default_options().server


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vllm: {gpu_memry: 0.5}", r"vllm\.gpu_memry: there is no such key"),
        ("vlm: {}", "vlm: there is no such key"),
        ("server: {concurrency: 0}", r"server\.concurrency cannot be 0, wanted is at least 1"),
        ("vllm: {path: magic}", r"vllm\.path"),
        ("server: 3", "server"),
        ("[1, 2]", "holds no keys"),
        ("false", "holds no keys"),
        ("a: [", "cannot be read"),
        ("vllm: &a {gpu_memory: 0.5}\nserver: *a\n", "cannot be read .*anchors"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_key(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_options(path)


def test_the_command_line_refuses_what_does_not_go_together(main, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("query,candidate_id,title\nq,1,thing\n")
    label = ("label", pairs, "--out", "run")
    assert "needs --judge" in main(*label, "--engine", "server", "--url", "http://x/v1", code=2).err
    assert "needs the endpoint's address" in main(*label, "--engine", "server", "--judge", "x/y", code=2).err
    assert "does not use --url" in main(*label, "--engine", "fake", "--url", "http://x/v1", code=2).err
    assert "applies no --adapter" in main(*label, "--engine", "fake", "--adapter", "x", code=2).err
    assert "compares two engines" in main("doctor", "--parity", "--engine", "fake", code=2).err


@pytest.mark.parametrize("verb", [("label", DOZEN, "--out", "x", "--judge"), ("probe", DOZEN, "--judge")])
@pytest.mark.parametrize("name", ["fake", "chat"])
def test_an_engine_in_place_of_a_judge_is_answered_with_the_option_of_engines(main, verb, name):
    refused = main(*verb, name, code=2).err
    assert f"--engine {name}" in refused
    assert ("--url" in refused) == (name == "chat")


def test_an_engine_adjudicates_by_its_option(main, audited_shop):
    command = ("adjudicate", audited_shop[0] / "run", "--with", "fake")
    assert "--engine fake, and give a model in its place" in main(*command, code=2).err
