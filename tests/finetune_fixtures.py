"""A base small enough to fine-tune in seconds, ratings to learn from, and what a fine-tuned judge says of itself."""

import csv
import json

import pytest
from conftest import DOZEN


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A random Llama small enough to be fine-tuned in seconds, without pad token and chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator([DOZEN.read_text(encoding="utf-8")], trainer)
    PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 128}
    config = LlamaConfig(
        vocab_size=backend.get_vocab_size(), max_position_embeddings=2048, initializer_range=0.06, **shape
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data *= 8  # an adapter that leaves the head alone could not be sure of anything otherwise
    model.save_pretrained(folder)
    return folder


def rated_rows(queries=12, seed=0):
    """Ratings of made-up pairs that can be learnt: 2 where kind and material match, 1 where the kind does, else 0."""
    import random

    draw = random.Random(seed)
    kinds, materials = ("scarf", "kettle", "lamp", "chair"), ("wool", "steel", "glass", "wood")
    wanted = [(material, kind) for material in materials for kind in kinds][:queries]
    for material, kind in wanted:
        pairs = [(material, kind)] * 2 + [(m, kind) for m in materials if m != material][:2]
        pairs += [(draw.choice(materials), k) for k in kinds if k != kind][:2]
        for number, (m, k) in enumerate(pairs):
            grade = 2 * (m == material and k == kind) + (m != material and k == kind)
            key = f"{material}-{kind}-{number}"
            yield {
                "query": f"{material} {kind}",
                "candidate_id": key,
                "title": f"A {m} {k} no. {number}",
                "grade": grade,
            }


@pytest.fixture
def rated_file(tmp_path):
    """Those ratings as a CSV file."""
    return write_rated(tmp_path / "ratings.csv")


def write_rated(path):
    rows = list(rated_rows())
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def quick(tmp_path):
    """A configuration for trainings of seconds."""

    def write(**keys):
        return write_quick(tmp_path / "quick.yaml", **keys)

    return write


def write_quick(path, **keys):
    base = {"epochs": 2, "batch_pairs": 8, "rank": 8, "learning_rate": 0.01, "calibration": 0.2, "device": "cpu"}
    base["adversarial"] = 0  # ratings are learned unchanged
    path.write_text(json.dumps({**base, "least_per_grade": 1, "checkpoint_every": 2, **keys}))
    return path


COMPACT = "judge-compact.v1"


@pytest.fixture
def tuned(guideline):
    """What a judge of the three-level guideline with one short field says of itself."""
    import numpy as np

    from judge.calibration.calibrate import calibrate
    from judge.files import now
    from judge.labelling.config import AdapterManifest, Base, LabelToken
    from judge.words.templates import template_digest

    rng = np.random.default_rng(0)
    logprobs = np.log(rng.dirichlet((1, 1, 1), 60))
    # People give the lowest grade far more often than this judge thinks: calibrating has something to correct.
    lenient = np.exp(logprobs) * (8, 1, 1 / 8)
    shares = np.eye(3)[[int(rng.choice(3, p=row / row.sum())) for row in lenient]]
    fields = [{**guideline.fields[0].model_dump(), "tokens": 20}]
    return AdapterManifest(
        base=Base(name="smollm2-135m", revision=None, weights="w"),
        adapter=None,
        labels=tuple(LabelToken(grade=g.value, text=g.token, id=48 + g.value) for g in guideline.grades),
        guideline={**guideline.model_dump(mode="json"), "fields": fields},
        guideline_digest=guideline.digest,
        template=COMPACT,
        template_digest=template_digest(COMPACT),
        calibration=calibrate(logprobs, shares, [f"q{i % 12}" for i in range(60)], "data"),
        training={},
        validation={},
        created=now(),
    )


@pytest.fixture
def directory(tuned, tmp_path):
    """A fine-tuned judge's directory, with files that stand for peft's."""
    from judge.fingerprint import adapter_digest

    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text("{}")
    return write_tuned(folder, tuned.model_copy(update={"adapter": adapter_digest(folder)}))


def write_tuned(folder, tuned):
    (folder / "judge.json").write_text(tuned.model_dump_json())
    return folder


@pytest.fixture
def prepared(tiny_base, rated_file, guideline):
    """A training of those ratings, before its first step."""
    from finetune.config import load_config
    from finetune.job import TrainingJob, prepare
    from judge.pairs.stage import Source
    from judge.ratings.rated import RatingsFile

    config = load_config().changed(least_per_grade=1, device="cpu", rank=8, batch_pairs=8, adversarial=0, query_noise=0)
    source = Source(rated_file, grades={"0": 0, "1": 1, "2": 2})
    return prepare(TrainingJob(RatingsFile(source), guideline, str(tiny_base), config))
