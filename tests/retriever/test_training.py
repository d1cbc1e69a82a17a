"""Training a retriever, end to end on a tiny encoder: a listwise set in, a folder out that loads in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from retriever_fixtures import files, lists, save_encoder, trained, write_set

from judge.errors import InputError, RunError
from judge.models.encoder import find_encoder
from retriever.trainer import Watch

TEXTS = ["wool scarf", "steel lamp of our house", "a text with letters", ""]


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_a_model_learns_and_loads_in_one_line(stage1, tiny_encoder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(stage1 / "model"), device="cpu")
    theirs = model.encode(TEXTS)
    assert np.allclose(np.linalg.norm(theirs, axis=1), 1, atol=1e-6)
    # Mining and search read the same folder without that library, and see the same vectors.
    assert np.allclose(find_encoder(str(stage1 / "model")).encode(TEXTS), theirs, atol=1e-5)
    assert not np.allclose(find_encoder(str(tiny_encoder)).encode(TEXTS), theirs, atol=1e-3)
    said = json.loads((stage1 / "model" / "retriever.json").read_text(encoding="utf-8"))
    assert len(said["losses"]) == 3
    assert said["losses"][-1] < said["losses"][0]
    assert (said["steps"], said["data"]["queries"], said["data"]["grades"]) == (12, 16, {"0": 48, "1": 48, "2": 16})


def test_a_folder_holds_safetensors_and_nothing_that_runs(stage1):
    names = [path.name for path in (stage1 / "model").rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth", ".py", ".pkl", ".partial"))]
    assert "model.safetensors" in names
    assert not (stage1 / "model" / "checkpoints").exists()
    modules = json.loads((stage1 / "model" / "modules.json").read_text(encoding="utf-8"))
    assert all(module["type"].startswith("sentence_transformers.") for module in modules)


def test_only_the_top_layers_learn(stage1, tiny_encoder):
    before, after = weights(tiny_encoder), weights(stage1 / "model")
    moved = {name for name in before if not np.array_equal(before[name].numpy(), after[name].numpy())}
    assert moved
    assert all(name.startswith("encoder.layer.1.") for name in moved)


def test_the_same_command_finds_a_finished_model(stage1, tiny_encoder):
    before = files(stage1 / "model")
    trained(stage1 / "set", tiny_encoder, stage1 / "model", Watch(steps=lambda count: pytest.fail("trained again")))
    assert files(stage1 / "model") == before


KILLED = """
import os, signal, sys
from pathlib import Path
from retriever.trainer import Watch
from test_training import trained
def kill(count, done=[0]):
    done[0] += count
    if done[0] == 8:
        os.kill(os.getpid(), signal.SIGKILL)
trained(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Watch(kill), misspell=0.5)
"""


@pytest.mark.slow  # another process imports everything again
def test_a_training_that_was_killed_ends_as_one_that_was_not(stage1, tiny_encoder, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "killed"
    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    given = [sys.executable, "-c", KILLED, str(stage1 / "set"), str(tiny_encoder), str(out)]
    died = subprocess.run(
        given, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, check=False, capture_output=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["checkpoint-5"]
    # What a process that is killed while it writes leaves: a later checkpoint that is not whole, half a model.
    shutil.copytree(out / "checkpoints" / "checkpoint-5", out / "checkpoints" / "checkpoint-10")
    (out / "checkpoints" / "checkpoint-10" / "whole.json").unlink()
    (out / "checkpoints" / "checkpoint-10" / "model.safetensors").write_bytes(b"cut off")
    (out / "model.partial").mkdir()
    (out / "modules.json").write_text("[", encoding="utf-8")
    counts = []
    trained(stage1 / "set", tiny_encoder, out, Watch(counts.append), misspell=0.5)
    assert counts == [5] + [1] * 7
    trained(stage1 / "set", tiny_encoder, whole, misspell=0.5)
    one, other = files(whole), files(out)
    said = [json.loads(each.pop("retriever.json")) for each in (one, other)]
    assert one == other
    assert said[0]["losses"] == said[1]["losses"]


def test_a_set_or_a_setting_that_changed_is_no_training_to_resume(stage1, tiny_encoder, tmp_path):
    def stop(count):
        if count == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(stage1 / "set", tiny_encoder, tmp_path / "model", Watch(stop))
    changed = write_set(tmp_path / "set", lists(12))
    for path, keys, part in ((changed, {}, "set:"), (stage1 / "set", {"seed": 1}, "seed:")):
        with pytest.raises(RunError, match=part):
            trained(path, tiny_encoder, tmp_path / "model", **keys)
    assert (tmp_path / "model" / "training.json").is_file()


def test_what_is_kept_apart_is_measured_before_and_after(main, tiny_encoder, tmp_path):
    made = list(lists(16))
    write_set(write_set(tmp_path / "set", made[:10]), made[10:], "test")
    record = trained(tmp_path / "set", tiny_encoder, tmp_path / "model", epochs=2)
    found = record.held_out
    assert (found.split, found.queries, found.pairs) == ("test", 6, 42)
    assert record.data.queries == 10
    # The trained model's figure, worked out from its vectors: 2^g - 1 over log2(rank + 1), seven documents a query.
    model, total = find_encoder(str(tmp_path / "model")), 0.0
    for query, documents in made[10:]:
        scores = model.encode([text for _, text, _ in documents]) @ model.encode([query], "query")[0]
        gains = 2.0 ** np.array([grade for *_, grade in documents]) - 1
        discount = 1 / np.log2(np.arange(2, len(gains) + 2))
        total += (gains[np.argsort(-scores)] @ discount) / (np.sort(gains)[::-1] @ discount)
    assert found.trained.value == pytest.approx(total / 6, abs=1e-6)
    assert found.difference.value == pytest.approx(found.trained.value - found.start.value)
    assert found.difference.low <= found.difference.value <= found.difference.high
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert f"{found.trained.value:.3f}" in card
    again = main("train", tmp_path / "set", "--from", tiny_encoder, "--out", "other", "--layers", "1", "--epochs", "1")
    assert "6 test queries" in again.out


def test_somebody_elses_folder_is_left_alone(stage1, tiny_encoder, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="something else"):
        trained(stage1 / "set", tiny_encoder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_stage_2_starts_from_stage_1_and_says_so(stage1, tmp_path):
    record = trained(stage1 / "set", stage1 / "model", tmp_path / "model", loss="circle", epochs=1, spread=2.0)
    assert [(step.start, step.loss) for step in (*record.lineage, record.ancestor)] == [
        ("encoder", "supcon"),
        ("model", "circle"),
    ]
    # Stage 1 told the grades apart, and their places are further apart still.
    places = [record.targets[grade] for grade in (0, 1, 2)]
    assert places == sorted(places)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert card.index("contrastive loss") < card.index("circle loss")


@pytest.mark.parametrize("loss", ["mnrl", "cosent", "circle"])
def test_every_loss_trains_from_a_plain_encoder(loss, stage1, tiny_encoder, tmp_path):
    record = trained(stage1 / "set", tiny_encoder, tmp_path / "model", loss=loss, epochs=1)
    assert np.isfinite(record.losses).all()


def test_expected_grades_are_learned_by_cosent_alone(main, tiny_encoder, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = write_set(tmp_path / "set", lists(8)) / "rows.parquet"
    # Another order than that of the grades: CoSENT looks at nothing else.
    rows = [{**row, "expected_grade": 2.0 - row["grade"]} for row in pq.read_table(ids).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows), ids)
    given = ("train", tmp_path / "set", "--from", tiny_encoder, "--layers", "1", "--epochs", "1", "--soft")
    assert "cosent" in main(*given, "--out", "no", code=2).err
    soft = main(*given, "--loss", "cosent", "--out", "soft", "--json").json
    hard = main(*given[:-1], "--loss", "cosent", "--out", "hard", "--json").json
    assert soft["config"]["soft"]
    assert soft["losses"] != hard["losses"]


def test_late_interaction_keeps_every_token(stage1, tiny_encoder, tmp_path):
    from sentence_transformers import MultiVectorEncoder

    record = trained(stage1 / "set", tiny_encoder, tmp_path / "late", late=True)
    assert record.losses[-1] < record.losses[0]
    model = MultiVectorEncoder(str(tmp_path / "late"), device="cpu")
    # Two words with the tokens before and behind them, in as many numbers as the encoder has: no projection was added.
    assert model.encode_query("wool scarf").shape == (4, 32)
    with pytest.raises(InputError, match="late"):
        trained(stage1 / "set", tmp_path / "late", tmp_path / "towers")
    again = trained(stage1 / "set", tmp_path / "late", tmp_path / "later", late=True, loss="circle", epochs=1)
    assert [step.late for step in (*again.lineage, again.ancestor)] == [True, True]


def test_scores_of_late_interaction_are_means_of_maxsim():
    import torch

    from retriever.late import score_late

    # The query's tokens (1, 0) and (0, 1), the third is padding; best cosines of the first document .8 and .6, of the
    # second, whose second token is padding, 1 and 0.
    queries = {
        "token_embeddings": torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]]),
        "attention_mask": torch.tensor([[1, 1, 0]]),
    }
    documents = {
        "token_embeddings": torch.tensor([[[0.8, 0.6], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]),
        "attention_mask": torch.tensor([[1, 1], [1, 0]]),
    }
    assert score_late(queries, [documents, documents]).tolist()[0] == pytest.approx([0.7, 0.5, 0.7, 0.5])


def test_prompts_of_the_start_are_kept_and_seen(stage1, tiny_encoder, tmp_path):
    from sentence_transformers import SentenceTransformer

    prompted = save_encoder(tmp_path / "prompted", prompts={"query": "steel ", "document": "wood "})
    trained(stage1 / "set", prompted, tmp_path / "model", epochs=1)
    trained(stage1 / "set", tiny_encoder, tmp_path / "plain", epochs=1)
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert (model.prompts["query"], model.prompts["document"]) == ("steel ", "wood ")
    assert not np.array_equal(
        *(weights(tmp_path / each)["encoder.layer.1.output.dense.weight"].numpy() for each in ("model", "plain"))
    )
