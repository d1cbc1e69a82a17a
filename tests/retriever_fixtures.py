"""What the tests of training share: a tiny encoder with random weights, and listwise sets with their ids."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retriever.config import load_config
from retriever.job import prepare, train
from retriever.trainer import Watch

FAST = load_config().changed(layers=1, queries=4, documents=5, learning_rate=0.003, checkpoint_every=5, device="cpu")

KINDS, MATERIALS = ("scarf", "kettle", "lamp", "chair"), ("wool", "steel", "glass", "wood")


def lists(queries=12, seed=0):
    """Queries that can be learnt: 2 where kind and material match, 1 where the kind does, else 0."""
    draw = random.Random(seed)
    wanted = [(material, kind) for material in MATERIALS for kind in KINDS][:queries]
    for material, kind in wanted:
        found = [(material, kind, 2), *((m, kind, 1) for m in MATERIALS if m != material)]
        found += [(draw.choice(MATERIALS), k, 0) for k in KINDS if k != kind]
        query = f"{material} {kind}"
        yield query, [(f"{m}-{k}", f"{m} {k} of our house", grade) for m, k, grade in found]


def write_set(folder, groups, split="train", **columns):
    """A listwise set: a file of texts and grades, and next to it the ids."""
    folder.mkdir(parents=True, exist_ok=True)
    groups = list(groups)
    table = {
        "query": [query for query, _ in groups],
        "docs": [[text for _, text, _ in documents] for _, documents in groups],
        "labels": [[grade for *_, grade in documents] for _, documents in groups],
    }
    pq.write_table(pa.table({**table, **columns}), folder / f"{split}-00000.parquet")
    rows = [
        {"split": split, "place": place, "query_id": f"q{place}", "candidate_id": key, "grade": grade}
        for place, (_, documents) in enumerate(groups)
        for key, _, grade in documents
    ]
    ids = folder / "rows.parquet"
    others = [row for row in pq.read_table(ids).to_pylist() if row["split"] != split] if ids.is_file() else []
    pq.write_table(pa.Table.from_pylist(others + rows), ids)
    return folder


def save_encoder(folder, layers=2, prompts=None):
    """A tiny sentence-transformers folder, whose weights are random."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *KINDS, *MATERIALS, "of", "our", "house"]
    words += [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz" for mark in ("", "##")]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder / "plain")
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": layers, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, **shape)
    BertModel(config).save_pretrained(folder / "plain")
    parts = [Transformer(str(folder / "plain"), max_seq_length=32), Pooling(32, "mean"), Normalize()]
    SentenceTransformer(modules=parts, device="cpu", prompts=prompts).save_pretrained(
        str(folder / "encoder"), create_model_card=False
    )
    return folder / "encoder"


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


def trained(path, start, out, watch=None, **keys):
    return train(prepare(path, str(start), FAST.changed(**keys)), out, watch)


@pytest.fixture(scope="session")
def stage1(tmp_path_factory, tiny_encoder):
    """A set, and a model trained on it."""
    folder = tmp_path_factory.mktemp("stage1")
    told = []
    watch = Watch(epoch=lambda epoch, loss: told.append(loss))
    record = trained(write_set(folder / "set", lists(16)), tiny_encoder, folder / "model", watch)
    assert record.losses == tuple(told)
    return folder


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_run(path, lists):
    """A TREC run of lists of products by query; returns its path as text."""
    lines = [f"{q} Q0 {c} {r} {9 - r} x\n" for q, keys in lists.items() for r, c in enumerate(keys, 1)]
    path.write_text("".join(lines))
    return str(path)
