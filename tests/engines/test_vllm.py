"""vLLM for real, on its build for processors: the same probabilities as transformers, plain, adapted and served."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec

import pytest

from judge.engines.options import default_options
from judge.engines.server import ServerEngine
from judge.engines.transformers import TransformersEngine, best_device
from judge.errors import InputError
from judge.labelling.parity import BOUNDS, difference, examples
from judge.labelling.resolve import JudgeRequest, resolve_judge
from judge.models.shipped import SHIPPED
from judge.records import Failure
from judge.run.store import Run
from judge.words.prompt import PromptBuilder

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed (see docs/serving.md)"),
    pytest.mark.filterwarnings("ignore"),
]
LENGTH = 2048
OPTIONS = default_options().changed(vllm={"batch_prompts": 32, "block": 16, "context": 640, "adapter": "apply"})


@pytest.fixture(scope="module")
def bound():
    """Between vLLM and transformers on a processor: vLLM takes the number type of the machine's best device."""
    return BOUNDS[best_device()[1]]


@pytest.fixture(scope="module")
def prompts(embedded, guideline):
    return PromptBuilder(guideline, embedded.tokenizer).build(examples(guideline)[:8])


@pytest.fixture(scope="module")
def plain(engine, prompts):
    return engine.score(prompts)


@pytest.fixture(scope="module")
def shipped():
    """(guideline, judge config) of the shipped judge, whose adapter has a part in every layer's projections."""
    return resolve_judge(JudgeRequest(SHIPPED))


@pytest.fixture(scope="module")
def adapter(shipped):
    return shipped[1].adapter


def vllm_engine(embedded, adapter=None, **changes):
    from judge.engines.vllm import VllmEngine

    return VllmEngine(embedded.model.directory, OPTIONS.changed(vllm=changes).vllm, adapter)


def far(one, two):
    found = difference(("a", "b"), one, two)
    assert found.compared == len(one), found.failures
    return found


def test_vllm_agrees_with_transformers(embedded, prompts, plain, bound):
    engine = vllm_engine(embedded)
    found = far(engine.score(prompts), plain)
    assert found.probability_difference < bound
    assert found.outside_difference < bound
    long = prompts[0].__class__(prompts[0].shared, prompts[0].query, prompts[0].candidate * 20, prompts[0].labels)
    mixed = engine.score([prompts[0], long, prompts[1]])
    assert isinstance(mixed[1], Failure)
    assert "tokens" in mixed[1].reason
    assert far([mixed[0], mixed[2]], plain[:2]).probability_difference < bound


def test_an_adapter_is_applied_unmerged_as_peft_merges_it(embedded, engine, shipped, bound):
    guideline, judge_config = shipped
    asked = PromptBuilder(guideline, embedded.tokenizer, judge_config.template).build(examples(guideline)[:8])
    merged = TransformersEngine(embedded.model.directory, None, judge_config.adapter, "cpu", "float32").score(asked)
    assert far(merged, engine.score(asked)).probability_difference > 10 * BOUNDS["float32"], "it must change something"
    applied = vllm_engine(embedded, judge_config.adapter)
    first = applied.score(asked)
    found = far(first, merged)
    assert found.probability_difference < bound
    assert found.outside_difference < bound
    assert far(applied.score(asked), first).probability_difference < bound


def test_every_request_of_an_engine_has_the_adapter_and_a_slot_is_spare(embedded, prompts, adapter, monkeypatch):
    from vllm import LLM

    seen = []
    monkeypatch.setattr(LLM, "__init__", lambda self, **options: seen.append(options))
    monkeypatch.setattr(LLM, "generate", lambda self, p, ask, **options: seen.append((ask, options)) or [])
    engine = vllm_engine(embedded, adapter)
    with pytest.raises(ValueError, match="shorter"):
        engine.score(prompts)
    assert seen[0]["max_loras"] == 2
    assert seen[0]["max_lora_rank"] == 8
    ask, options = seen[1]
    assert options["lora_request"].lora_path == str(adapter)
    assert (ask.logprobs, ask.logprob_token_ids) == (None, list(prompts[0].labels))


def test_classify_gives_the_same_probabilities_without_the_outside_mass(embedded, prompts, plain, bound):
    found = far(vllm_engine(embedded, path="classify").score(prompts), plain)
    assert found.probability_difference < bound
    assert found.outside_difference is None


def test_classify_refuses_an_adapter_that_is_not_merged(embedded, adapter):
    with pytest.raises(InputError, match="merged"):
        vllm_engine(embedded, adapter, path="classify")


@pytest.mark.gpu
def test_both_engines_agree_on_a_gpu(gpu, embedded, prompts, adapter, bound):
    for chosen in (None, adapter):
        own = TransformersEngine(embedded.model.directory, None, chosen).score(prompts)
        assert far(vllm_engine(embedded, chosen).score(prompts), own).probability_difference < bound


@pytest.fixture(scope="module")
def served(embedded, tmp_path_factory):
    """`vllm serve` on loopback, with a key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"TORCH_COMPILE_DISABLE": "1", "VLLM_API_KEY": "loopback-key"}
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(embedded.model.directory)]
    command += ["--served-model-name", "judge", "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32"]
    command += ["--enforce-eager", "--block-size", "32", "--max-model-len", str(LENGTH), "--max-num-seqs", "32"]
    log = tmp_path_factory.mktemp("served") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        for _ in range(300):
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def test_a_served_judge_agrees_with_transformers(served, prompts, plain, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_API_KEY", "loopback-key")
    options = default_options().changed(server={"prompts": 3, "concurrency": 2}).server
    long = prompts[0].__class__(prompts[0].shared, prompts[0].query, prompts[0].candidate * LENGTH, prompts[0].labels)
    answers = ServerEngine(served, options).score([*prompts, long])
    found = far(answers[:-1], plain)
    assert found.probability_difference < BOUNDS["float32"]
    assert found.outside_difference < BOUNDS["float32"]
    assert isinstance(answers[-1], Failure)
    assert "400" in answers[-1].reason


def test_the_command_line_labels_through_a_served_judge(served, main, opened_once, tmp_path, monkeypatch):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("query,candidate_id,title\nred scarf,1,Scarlet wool scarf\nred scarf,2,Desk lamp\n")
    options = ("--engine", "server", "--url", served, "--judge", "smollm2-135m")
    monkeypatch.setenv("RELEVANCE_JUDGE_API_KEY", "loopback-key")
    main("label", pairs, "--out", "run", *options)
    assert main("status", "run", "--json").json["status"]["graded"] == 2
    assert "loopback-key" not in (tmp_path / "run" / "run.json").read_text()
    parity = ("doctor", "--parity", "--engine", "transformers", *options, "--json")
    assert main(*parity).json["holds"]
    monkeypatch.setenv("RELEVANCE_JUDGE_API_KEY", "wrong")
    refused = main("label", pairs, "--out", "other", *options, code=1)
    assert "401" in refused.err
    assert "wrong" not in refused.err


def test_a_served_judge_is_asked_as_a_chat(served, main, tmp_path, monkeypatch):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("query,candidate_id,title\nred scarf,1,Scarlet wool scarf\nred scarf,2,Desk lamp\n")
    monkeypatch.setenv("OPENAI_API_KEY", "loopback-key")
    endpoint = ("--url", served, "--judge", "judge")
    able = main("doctor", *endpoint, "--json").json
    assert (able["chat"], able["answers"]) == (True, "json_schema"), able
    assert able["logprobs"] > 0, able
    main("label", pairs, "--engine", "chat", *endpoint, "--out", "run")
    run = Run(tmp_path / "run")
    assert run.manifest.parts["answers"] == "json_schema"
    for status, grade, probabilities, outside in run.query(
        "SELECT status, grade, probabilities, outside_mass FROM labels ORDER BY row"
    ):
        assert (status, grade) == ("graded", probabilities.index(max(probabilities)))
        assert sum(probabilities) == pytest.approx(1)
        assert 0 <= outside < 1
    main("label", pairs, "--engine", "chat", *endpoint, "--samples", "4", "--out", "sampled")
    assert Run(tmp_path / "sampled").query("SELECT count(*) FROM labels WHERE status = 'graded'") == [(2,)]
    assert "loopback-key" not in (tmp_path / "run" / "run.json").read_text()
