"""Fine-tuning, end to end on a tiny base: files in, an adapter out that judges as in training, also after a kill."""

import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import COMMAND, ROOT, in_process
from finetune_fixtures import rated_rows, write_quick, write_rated

from finetune.checkpoint import load
from finetune.config import load_config
from finetune.network import Network
from judge.engines import Judge
from judge.engines.transformers import TransformersEngine
from judge.files import write_whole
from judge.labelling.config import read_tuned
from judge.labelling.label import read_pairs
from judge.pairs.stage import Source, stage
from judge.run.seen import words_key
from judge.words.prompt import PromptBuilder

pytestmark = pytest.mark.slow
SURE = {"epochs": 12, "patience": 12, "dropout": 0.0, "learning_rate": 0.003}
VALUES = {"0": 0, "1": 1, "2": 2}


def finetuned(main, tiny_base, rated_file, quick, *more, out="ours"):
    config = quick(**SURE)
    return main("finetune", rated_file, "--base", tiny_base, "--out", out, "--config", config, *more, "--json").json


@pytest.fixture(scope="module")
def sure(tiny_base, tmp_path_factory):
    """A judge that was fine-tuned once for the tests that only use it."""
    folder = tmp_path_factory.mktemp("sure")
    given = [write_rated(folder / "ratings.csv"), "--config", write_quick(folder / "quick.yaml", **SURE)]
    assert in_process("finetune", *given, "--base", tiny_base, "--out", folder / "ours").code == 0
    return folder / "ours"


@pytest.fixture
def ours(sure, tmp_path):
    return shutil.copytree(sure, tmp_path / "ours")


def test_a_judge_is_finetuned_and_labels_as_in_training(main, tiny_base, rated_file, quick, tmp_path):
    told = finetuned(main, tiny_base, rated_file, quick, "--merge", "merged")
    looks = told["training"]["looks"]
    assert looks[-1]["training_loss"] < 0.5 < looks[0]["training_loss"]
    assert told["training"]["queries"] == {"train": 9, "validation": 1, "calibration": 2}
    assert "too few" in told["training"]["without_calibration"]
    left = {path.name for path in (tmp_path / "ours").iterdir()}
    assert left == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "judge.json",
        "lora.yaml",
        "seen.json",
        "training.json",
    }
    # In an order that is the same in every process: peft keeps the names as a set.
    named = json.loads((tmp_path / "ours" / "adapter_config.json").read_text())["target_modules"]
    assert named == sorted(named)
    main("label", rated_file, "--judge", "ours", "--out", "run")
    found = main("agree", rated_file, "--run", "run", "--json").json
    assert found["accuracy"]["value"] > 0.8
    parts = json.loads((tmp_path / "run" / "run.json").read_text())["parts"]
    assert parts["adapter"] == read_tuned(tmp_path / "ours").adapter
    # The merged model says the same without peft.
    main("label", rated_file, "--judge", "merged", "--out", "run-merged")
    both = [probabilities(tmp_path / name) for name in ("run", "run-merged")]
    assert np.abs(both[0] - both[1]).max() < 1e-4
    again = finetuned(main, tiny_base, rated_file, quick)
    assert again["created"] == told["created"], "what is done is not done twice"
    config = quick(**SURE, rank=4)
    refused = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", config, code=2)
    assert "rank: 8 → 4" in refused.err
    # As one of before the split was noted, and when the batch was: a judge that is done stays, a training begins anew.
    key = tmp_path / "ours" / "training.json"
    older = {name: part for name, part in json.loads(key.read_text()).items() if "held" not in name}
    key.write_text(json.dumps({**older, "batch_tokens": "4096", "checkpoint_every": "2"}))
    assert finetuned(main, tiny_base, rated_file, quick)["created"] == told["created"]
    held = json.loads((tmp_path / "ours" / "judge.json").read_text())
    counted = held["training"].pop("held_out")
    (tmp_path / "ours" / "judge.json").write_text(json.dumps(held))
    shown = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", quick(**SURE)).out
    assert counted["pairs"] > 0
    assert "queries of each" in shown
    assert "seen in training" not in shown
    (tmp_path / "ours" / "judge.json").unlink()
    refused = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", quick(**SURE), code=2)
    assert "held_out_digest: None → " in refused.err


def probabilities(run):
    from judge.run.store import Run

    return np.array([row[0] for row in Run.open(run).query("SELECT probabilities FROM labels ORDER BY row")])


def test_another_guideline_is_refused_unless_forced(main, ours, rated_file, guideline, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(json.dumps({**guideline.model_dump(mode="json"), "task": "Grade as you like."}))
    given = ["label", rated_file, "--judge", "ours", "--limit", "6", "--out", "run"]
    refused = main(*given, "--guideline", other, code=2)
    assert "the guideline three-level 1" in refused.err
    assert "--force-guideline" in refused.err
    main(*given, "--guideline", "three-level")
    main(*given[:-1], "forced", "--guideline", other, "--force-guideline")
    damaged = ours / "adapter_config.json"
    damaged.write_text(damaged.read_text() + " ")
    assert "are not those" in main(*given[:-1], "damaged", code=2).err


def test_a_killed_training_ends_as_one_that_was_not_whatever_the_hash_seed(
    main, tiny_base, rated_file, quick, tmp_path
):
    config = quick(epochs=6, patience=6, dropout=0.1, checkpoint_every=3)
    given = ["finetune", rated_file, "--base", tiny_base, "--config", config, "--out"]
    main(*given, "whole")
    # The process that is killed has another hash seed than this one, which begins and ends the others.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    command = [*COMMAND, *map(str, given), "killed"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    while process.poll() is None and not checkpoint.is_file():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < load(checkpoint)[0].step < 40, "it was killed on its way"
    main(*given, "killed")
    for name in ("adapter_model.safetensors", "adapter_config.json", "lora.yaml", "training.json", "seen.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name
    told = [json.loads((tmp_path / name / "judge.json").read_text()) for name in ("whole", "killed")]
    for one in told:
        del one["created"], one["training"]["seconds"]
    assert told[0] == told[1]
    config = json.loads((tmp_path / "killed" / "adapter_config.json").read_text())
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not checkpoint.exists()


def test_a_kill_at_the_start_or_the_end_leaves_nothing_in_the_way(
    main, tiny_base, rated_file, quick, tmp_path, monkeypatch
):
    out = tmp_path / "ours"
    given = ["finetune", rated_file, "--base", tiny_base, "--config", quick(epochs=1), "--out", out]
    out.mkdir()
    (out / "training.json.7.partial").touch()

    def killed(path, data):
        write_whole(path, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("finetune.job.write_whole", killed)
        main(*given, code=130)
    main(*given)
    for name in ("checkpoint.safetensors", "checkpoint.safetensors.7.partial", "judge.json.7.partial"):
        (out / name).touch()
    with monkeypatch.context() as patched:
        patched.setattr("finetune.merge.shutil.copyfile", lambda *_: 1 / 0)
        main(*given, "--merge", "merged", code=1)
    assert not (tmp_path / "merged").exists(), "whole or absent"
    main(*given, "--merge", "merged")
    left = {path.name for path in out.iterdir()}
    assert left == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "judge.json",
        "lora.yaml",
        "seen.json",
        "training.json",
    }


def test_the_seed_decides_and_nothing_else(main, tiny_base, rated_file, quick, tmp_path):
    weights = []
    for out, seed in (("one", 0), ("two", 0), ("three", 1)):
        main("finetune", rated_file, "--base", tiny_base, "--out", out, "--config", quick(epochs=1, seed=seed))
        weights.append((tmp_path / out / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_training_reads_the_very_tokens_that_judging_reads(prepared, rated_file, tmp_path):
    judge = Judge(str(prepared.base.directory))
    builder = PromptBuilder(prepared.guideline, judge.tokenizer, prepared.config.template)
    staged = stage(Source(rated_file), prepared.guideline, tmp_path)
    pairs = [pair for block in read_pairs(staged.path) for pair, _ in block]
    asked = {tuple(prompt.ids) for prompt in builder.build(pairs)}
    training_set = prepared.training_set
    learnt = {
        (*training_set.shared, *e.tokens)
        for e in [*training_set.train, *training_set.validation, *training_set.calibration]
    }
    assert learnt == asked


def test_an_adapter_in_the_engine_scores_as_in_training(ours, tiny_base, rated_file, tmp_path, prepared):
    tuned = read_tuned(ours)
    engine = TransformersEngine(tiny_base, device="cpu", dtype="float32", adapter=ours)
    builder = PromptBuilder(tuned.policy, Judge(str(tiny_base)).tokenizer, tuned.template)
    staged = stage(Source(rated_file), tuned.policy, tmp_path)
    pairs = [pair for block in read_pairs(staged.path) for pair, _ in block]
    found = np.array([score.logprobs for score in engine.score(builder.build(pairs))])
    from peft import PeftModel

    network = Network(prepared.base, prepared.config, prepared.training_set)
    network.model = PeftModel.from_pretrained(network.model.unload(), str(ours))
    examples = [e for part in ("train", "validation", "calibration") for e in getattr(prepared.training_set, part)]
    own = {e.tokens: row for e, row in zip(examples, network.predict(examples, 4096), strict=True)}
    asked = [(*prompt.query, *prompt.candidate) for prompt in builder.build(pairs)]
    assert np.abs(found - np.array([own[tokens] for tokens in asked])).max() < 1e-3


def test_a_training_that_runs_away_is_no_judge(main, tiny_base, rated_file, quick, tmp_path):
    config = quick(epochs=3, learning_rate=1e20, warmup=0, clip=1e30)
    refused = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", config, code=1)
    assert "the training diverged: at step" in refused.err
    assert "learning_rate" in refused.err
    assert not (tmp_path / "ours" / "judge.json").exists()


def test_the_real_base_learns_a_handful_of_pairs(main, rated_file, quick):
    config = quick(epochs=6, evaluate_every=3, learning_rate=0.003, dropout=0.0, calibration=0)
    short = rated_file.with_name("short.csv")
    header, *rows = rated_file.read_text().splitlines(keepends=True)
    short.write_text("".join([header, *rows[:12:2]]))  # two queries, for each a pair of each grade
    told = main("finetune", short, "--from", "none", "--out", "ours", "--config", config, "--json").json
    assert told["base"]["name"] == "smollm2-135m"
    looks = told["training"]["looks"]
    assert looks[-1]["training_loss"] < 0.75 * looks[0]["training_loss"]
    labelled = main("label", short, "--judge", "ours", "--limit", "2", "--out", "run", "--json").json
    assert labelled["status"]["graded"] == 2


def test_a_training_goes_on_from_a_judge_and_keeps_what_it_held_out(main, sure, tiny_base, rated_file, quick, tmp_path):
    before = json.loads((sure / "seen.json").read_text())
    queries = {row["query"] for row in rated_rows()}
    # 12 queries, of which 3 are held out; 9 of them are learned from.
    assert sum(words_key(query) in before["held_out"] for query in queries) == 3
    # Another seed deals other queries, and a rate of nothing leaves the weights where they were.
    still = SURE | {"epochs": 1, "learning_rate": 1e-9, "seed": 5}
    given = ["finetune", rated_file, "--json", "--config"]
    told = main(*given, quick(**still), "--from", sure, "--out", "still").json["training"]
    assert told["from"] | {"held_out_known": True, "adapter": read_tuned(sure).adapter} == told["from"]
    after = json.loads((tmp_path / "still" / "seen.json").read_text())
    # The same twelve queries: what was held out stays so, and nothing is held out that was learned from.
    assert after["held_out"] == before["held_out"]
    assert after["learned"] == before["learned"]
    assert sum(words_key(query) in after["learned"] for query in queries) == told["queries"]["train"] == 9
    assert told["held_out"]["queries_kept"] > 0
    assert {*before["products"]} <= {*after["products"]}
    assert told["looks"][0] | {"step": 0, "training_loss": None} == told["looks"][0]
    for name in ("still", sure):
        main(
            "label",
            rated_file,
            "--judge",
            name,
            "--calibration",
            "none",
            "--out",
            tmp_path / f"by-{name.name if name == sure else name}",
        )
    both = [probabilities(tmp_path / name) for name in ("by-still", f"by-{sure.name}")]
    assert np.abs(both[0] - both[1]).max() < 2e-3
    # A rate that ruins the judge: its weights before the first step are kept.
    ruined = quick(**(SURE | {"epochs": 2, "learning_rate": 0.5, "clip": 100.0}))
    ended = main(*given, ruined, "--from", sure, "--out", "ruined")
    assert ended.json["training"]["best_step"] == 0
    assert "judge calibrate" in ended.err
    assert "blend" not in ended.err
    # From the lineage's second judge on, the first is told of.
    told = main(*given, quick(**still), "--from", "still", "--out", "third").json["training"]
    assert told["from"]["from"]["adapter"] == read_tuned(sure).adapter
    assert "unknown" not in json.loads((tmp_path / "third" / "seen.json").read_text())
    # One that does not say what it saw leaves that unknown of all that go on from it.
    (tmp_path / "third" / "seen.json").unlink()
    main(*given, quick(**still), "--from", "third", "--out", "fourth")
    assert json.loads((tmp_path / "fourth" / "seen.json").read_text())["unknown"] is True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "nowhere"), "no fine-tuned judge"),
        (("--from", "{sure}", "--base", "smollm2-135m"), "not of smollm2-135m"),
        (("--base", "{sure}"), "--from {sure}"),
        (("--base", "shop-135m"), "--from shop-135m"),
        (("--from", "{sure}", "--template", "judge.v1"), "template: judge.v1"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(main, sure, rated_file, quick, options, said):
    options = [option.format(sure=sure) for option in options]
    assert (
        said.format(sure=sure) in main("finetune", rated_file, "--config", quick(), *options, "--out", "o", code=2).err
    )


def test_where_nothing_is_named_a_training_goes_on_from_the_shipped_judge(guideline):
    from finetune.start import choose_start
    from judge.words.guideline import load_guideline

    start, config = choose_start(None, None, guideline, lambda below: load_config(below=below))
    assert (start.name, config.query_tokens) == ("shop-135m", start.tuned.training["config"]["query_tokens"])
    for changed in ({"rank": 16}, {"template": "judge.v1"}):
        start, config = choose_start(None, None, guideline, lambda below: load_config(below=below).changed(**changed))  # noqa: B023
        assert start is None
        assert config == load_config().changed(**changed)
    four = load_guideline("esci-four-level")
    assert choose_start(None, None, four, lambda below: load_config(below=below))[0] is None
    assert choose_start("none", None, guideline, lambda below: load_config(below=below))[0] is None
