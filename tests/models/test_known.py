"""Short names of larger judges: what they stand for, and what a run records of them."""

import re

import pytest

from judge.errors import ModelError
from judge.models.known import KNOWN, repository
from judge.models.model import check_name, find_model, local_directory


def test_each_name_is_short_and_stands_for_an_openly_licensed_repository():
    for name, model in KNOWN.items():
        assert re.fullmatch(r"[a-z0-9.-]+", name)
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", model.repo)
        assert model.licence == "Apache-2.0"
    sizes = [model.billions for model in KNOWN.values()]
    assert sizes == sorted(sizes)


def test_memory_is_parameters_times_bytes_and_a_fifth_more():
    # 1.54 billion at 4 bytes are 6.16 GB, and a fifth more 7.392.
    assert KNOWN["qwen2.5-1.5b"].gigabytes(4) == pytest.approx(7.392)


def test_a_revision_stays_and_other_names_are_themselves():
    assert repository("qwen3-0.6b@abc") == "Qwen/Qwen3-0.6B@abc"
    assert repository("owner/name@abc") == "owner/name@abc"
    check_name("qwen3-0.6b")
    with pytest.raises(ModelError):
        check_name("qwen3-0.7b")


def test_a_run_records_the_repository_and_the_commit(tmp_path, monkeypatch):
    commit = "a" * 40
    snapshot = tmp_path / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"weights")
    asked = []

    def download(repo, revision=None, **how):
        asked.append((repo, revision))
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    found = find_model("qwen3-0.6b")
    assert (found.name, found.revision) == ("Qwen/Qwen3-0.6B", commit)
    assert find_model("qwen3-0.6b@v1").name == "Qwen/Qwen3-0.6B"
    assert local_directory("qwen3-0.6b") == snapshot
    assert asked == [("Qwen/Qwen3-0.6B", None), ("Qwen/Qwen3-0.6B", "v1"), ("Qwen/Qwen3-0.6B", None)]
