"""GGUF files as judges: taken over exactly, once, from a path or the Hub; refused where that cannot be."""

import json
import os
import subprocess
import sys
from subprocess import PIPE

import pytest
from conftest import ROOT

from judge.errors import ModelError
from judge.fingerprint import file_digest
from judge.models.gguf import folder_of, is_whole
from judge.models.model import find_model, local_directory
from judge.words.tokenizer import ModelTokenizer


def write_gguf(path, pre="qwen2"):
    """A random Qwen2 of one layer in fp32, with the byte alphabet as vocabulary."""
    import gguf
    import numpy as np
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*sorted(ByteLevel.alphabet()), "ab", "<|endoftext|>", "<|im_end|>"]
    draw, wide = np.random.default_rng(0), 16
    writer = gguf.GGUFWriter(str(path), "qwen2")
    writer.add_context_length(8192)
    writer.add_embedding_length(wide)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (len(tokens) - 2) + [3, 3])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_pad_token_id(len(tokens) - 2)
    shapes = {
        "token_embd.weight": (len(tokens), wide),
        "output.weight": (len(tokens), wide),
        "output_norm.weight": (wide,),
        "blk.0.attn_norm.weight": (wide,),
        "blk.0.ffn_norm.weight": (wide,),
        **{f"blk.0.attn_{p}.weight": (n, wide) for p, n in (("q", 16), ("k", 8), ("v", 8), ("output", 16))},
        **{f"blk.0.attn_{p}.bias": (n,) for p, n in (("q", 16), ("k", 8), ("v", 8))},
        "blk.0.ffn_gate.weight": (32, wide),
        "blk.0.ffn_up.weight": (32, wide),
        "blk.0.ffn_down.weight": (wide, 32),
    }
    written = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name, values in written.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return written


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_file_is_unpacked_once_with_its_own_weights_and_tokens(cache, tmp_path):
    import numpy as np
    from safetensors import safe_open

    path = tmp_path / "small.gguf"
    written = write_gguf(path)
    assert local_directory(str(path)) is None
    found = find_model(str(path))
    assert (found.name, found.revision, found.context) == (str(path), None, 8192)
    assert found.weights == file_digest(path)
    assert found.directory.parent == cache
    with safe_open(str(found.directory / "model.safetensors"), framework="np") as saved:
        for theirs, ours in {
            "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
            "blk.0.attn_k.bias": "model.layers.0.self_attn.k_proj.bias",
            "output.weight": "lm_head.weight",
        }.items():
            assert np.array_equal(saved.get_tensor(ours), written[theirs])
    tokenizer = ModelTokenizer(found.directory)
    composed, apart = tokenizer.plain(["caf\u00e9", "cafe\u0301"])
    assert composed == apart, "accents are composed before anything else"
    before = (found.directory / "model.safetensors").stat().st_mtime_ns
    assert find_model(str(path)) == found
    assert (found.directory / "model.safetensors").stat().st_mtime_ns == before
    assert local_directory(str(path)) == found.directory


UNPACK = """
import sys, gguf, tokenizers, transformers
from judge.models.model import find_model
print("ready", flush=True)
sys.stdin.readline()
print(find_model(sys.argv[1]).directory)
"""


def test_a_disk_that_is_full_is_told_with_what_to_do(cache, tmp_path, monkeypatch):
    from safetensors import SafetensorError
    from transformers import PreTrainedModel

    def full(self, folder, **options):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full)
    write_gguf(tmp_path / "small.gguf")
    with pytest.raises(ModelError, match="No space left on device") as raised:
        find_model(str(tmp_path / "small.gguf"))
    assert "RELEVANCE_JUDGE_CACHE" in raised.value.hint


def test_two_processes_unpack_it_once_and_a_damaged_file_is_made_anew(cache, tmp_path):
    path = tmp_path / "small.gguf"
    write_gguf(path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", UNPACK, str(path)]
    folder = folder_of("small", file_digest(path))
    (cache / f".{folder.name}-left").mkdir(parents=True)  # what a killed conversion leaves
    # This process is one of the two; both begin once the other has imported what it takes.
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        assert find_model(str(path)).directory == folder
        assert other.communicate()[0].strip() == str(folder)
    assert other.returncode == 0
    kept = sorted(path.name for path in cache.iterdir() if path.name != ".in-use")
    assert kept == sorted([folder.name, f"{folder.name}.lock"])
    assert set(json.loads((folder / "digests.json").read_text())) == {p.name for p in folder.iterdir()} - {
        "digests.json"
    }

    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-64] + bytes(64))
    assert not is_whole(folder)
    assert find_model(str(path)).directory == folder
    assert is_whole(folder)
    assert weights.read_bytes() == whole


def test_a_file_of_the_hub_is_held_by_its_commit(cache, tmp_path, monkeypatch):
    snapshot = tmp_path / "snapshots" / "0a1b2c"
    snapshot.mkdir(parents=True)
    write_gguf(snapshot / "small.gguf")
    asked = []

    def download(repo, **how):
        asked.append((repo, how["revision"], how["allow_patterns"]))
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    found = find_model("owner/name/small.gguf@main")
    assert (found.name, found.revision) == ("owner/name/small.gguf", "0a1b2c")
    assert asked == [("owner/name", "main", ["small.gguf"])]
    assert local_directory(found.name, found.revision) == found.directory
    with pytest.raises(ModelError, match=r"owner/name: holds no other\.gguf"):
        find_model("owner/name/other.gguf")


def test_files_that_cannot_be_taken_over_exactly_are_refused(cache, tmp_path):
    path = tmp_path / "other.gguf"
    write_gguf(path, pre="llama-bpe")
    with pytest.raises(ModelError, match=r"its tokenizer \(llama-bpe\)"):
        find_model(str(path))
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"is damaged .*no GGUF file"):
        find_model(str(path))
    assert not [folder for folder in cache.iterdir() if folder.is_dir()]


def test_a_gguf_base_is_labelled_with_as_any_other(cache, tmp_path, main, rated_file):
    write_gguf(tmp_path / "small.gguf")
    main("label", rated_file, "--judge", tmp_path / "small.gguf", "--out", "run", "--limit", "4")
    parts = json.loads((tmp_path / "run" / "run.json").read_text())["parts"]
    assert parts["judge"].endswith("small.gguf")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["counts"]["graded"] == 4
