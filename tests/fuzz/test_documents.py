"""Every reader of documents: what was written comes back as it was, and what is broken is one clear error."""

import json

import pytest
import yaml
from fuzz.broken import FEW, MANY, TEXTS, broken_bytes, broken_json, clear
from hypothesis import given
from hypothesis import strategies as st

from finetune.config import load_config
from judge.calibration.calibrate import Calibration, read_calibration
from judge.documents import Kind, load
from judge.engines.chat.journal import Journal
from judge.engines.lora import read_lora
from judge.engines.options import load_options
from judge.engines.weights import read_header
from judge.export.hub.merging import Card, merged, read_card
from judge.export.ledger import Exports
from judge.labelling.config import read_tuned
from judge.models.model import read_config
from judge.run.decisions import Decision, Decisions, Verdict
from judge.run.store import Run
from judge.settings import as_yaml
from judge.words.guideline import load_guideline

EARLIER = "tests/data/earlier"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def earlier(request):
    return request.config.rootpath / EARLIER


def put(folder, name, raw):
    path = folder / name
    path.write_bytes(raw)
    return path


def json_reader(read, path):
    """A property of one reader of one JSON file: `path` lies among the files of earlier versions."""

    @MANY
    @given(st.data())
    def check(folder, earlier, data):
        sound = json.loads((earlier / path).read_bytes())
        raw = data.draw(broken_json(sound))
        with clear():
            read(folder, raw)

    return check


def read_manifest(folder, raw):
    put(folder, "run.json", raw)
    manifest = Run(folder).manifest
    assert manifest.values
    assert manifest.calibrated in (True, False)
    assert isinstance(manifest.judge, str)


def read_judge(folder, raw):
    try:
        value = json.loads(raw)
        if isinstance(value, dict) and value.get("adapter"):
            value["adapter"] = None
            raw = json.dumps(value).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        pass
    put(folder, "judge.json", raw)
    tuned = read_tuned(folder)
    assert tuned.policy.values == tuple(label.grade for label in tuned.labels)


def read_adapter(folder, raw):
    put(folder, "adapter_config.json", raw)
    lora = read_lora(folder)
    assert lora.config.r >= 1


def read_numbers(folder, raw):
    found = read_calibration(put(folder, "calibration.json", raw))
    assert sum(found.apply([0.0] * len(found.bias)).tolist()) == pytest.approx(1)


def read_blend(folder, raw):
    found = read_calibration(put(folder, "blend.json", raw))
    features = [[1.0] * len(found.blend.names)] * 2 if found.blend else None
    assert found.apply([[0.0] * len(found.bias)] * 2, features).sum(axis=1) == pytest.approx([1, 1])


test_a_broken_manifest = json_reader(read_manifest, "labelled/run.json")
test_a_broken_judge_json = json_reader(read_judge, "adapter/judge.json")
test_a_broken_adapter_config = json_reader(read_adapter, "adapter/adapter_config.json")
test_a_broken_calibration = json_reader(read_numbers, "calibration.json")
test_a_broken_blend = json_reader(read_blend, "../../../judge/shipped/shop-135m/blend.json")
test_a_broken_model_config = json_reader(
    lambda folder, raw: read_config(put(folder, "config.json", raw).parent), "base/config.json"
)


LINES = {
    "decisions.jsonl": lambda folder: list(Decisions(folder)),
    "exports.jsonl": lambda folder: list(Exports(folder)),
}


@pytest.mark.parametrize("name", LINES)
@MANY
@given(data=st.data())
def test_broken_lines_of_a_run(folder, earlier, name, data):
    line = json.loads((earlier / "labelled" / name).read_bytes().splitlines()[0])
    put(folder, name, data.draw(broken_json(line)) + b"\n" + json.dumps(line).encode() + b"\n")
    with clear():
        LINES[name](folder)


ANSWER = {
    "fingerprint": "f",
    "rows": [1, 2],
    "sample": 0,
    "attempt": 0,
    "replies": [{"place": 1}, {"logprobs": [-0.1, None], "outside": 0.0}],
    "usage": {"requests": 1, "unmetered": 0, "prompt_tokens": 5, "completion_tokens": 2},
}


@MANY
@given(broken_json(ANSWER))
def test_broken_answers(folder, raw):
    path = put(folder, "answers.jsonl", raw + b"\n")
    with clear():
        Journal(path, "f").close()


YAML = {
    "guideline.yaml": ("guidelines/three-level.yaml", lambda path: load_guideline(str(path))),
    "engine.yaml": ("judge/engines/engines.yaml", load_options),
    "lora.yaml": ("finetune/lora.yaml", load_config),
}


@pytest.mark.parametrize("name", YAML)
@FEW
@given(data=st.data())
def test_broken_yaml(folder, request, name, data):
    source, read = YAML[name]
    value = yaml.safe_load((request.config.rootpath / source).read_text(encoding="utf-8"))
    path = put(folder, name, data.draw(broken_json(value)))  # JSON is YAML
    with clear():
        read(path)


CARD = {"license": "mit", "tags": ["a", "b"], "configs": [{"config_name": "x", "data_files": []}], "language": "en"}


@MANY
@given(broken_json(CARD))
def test_a_broken_card_is_refused_or_kept(raw):
    text = "---\n" + raw.decode("utf-8", "replace") + "\n---\n# Words\n"
    with clear():
        ours = Card({"license": "mit", "tags": ["c"], "configs": [{"config_name": "y"}]}, "ours")
        merged(read_card(text, "o/n"), ours, "Title", ["y"])


@MANY
@given(st.data())
def test_broken_safetensors(folder, earlier, data):
    raw = (earlier / "adapter" / "adapter_model.safetensors").read_bytes()
    path = put(folder, "w.safetensors", data.draw(broken_bytes(raw[:2000])) + raw[2000:])
    with clear():
        read_header(path)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@FEW
@given(
    st.builds(
        Decision,
        query_id=TEXTS,
        candidate_id=TEXTS,
        verdict=st.just(Verdict.CHANGE),
        grade=st.integers(0, 3),
        label=st.none() | st.integers(0, 3),
        author=TEXTS,
        reason=TEXTS,
        time=TEXTS,
        source=TEXTS,
    )
)
def test_a_decision_comes_back(folder, decision):
    put(folder, "decisions.jsonl", b"")
    Decisions(folder).append([decision])
    assert list(Decisions(folder)) == [decision]


@MANY
@given(
    st.floats(0.01, 100),
    st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=5),
    st.dictionaries(TEXTS, st.none() | TEXTS, min_size=1),
)
def test_a_calibration_comes_back(folder, earlier, temperature, bias, parts):
    sound = Calibration.model_validate_json((earlier / "calibration.json").read_bytes())
    made = sound.model_copy(update={"temperature": temperature, "bias": tuple(bias), "parts": parts})
    assert read_calibration(put(folder, "c.json", made.model_dump_json().encode())) == made


@FEW
@given(st.integers(1, 10**6), st.floats(1e-9, 1e9), st.integers(0, 2**40))
def test_settings_come_back(folder, rank, rate, seed):
    made = load_config().changed(rank=rank, learning_rate=rate, seed=seed)
    assert load_config(put(folder, "lora.yaml", as_yaml(made).encode())) == made


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@MANY
@given(st.dictionaries(TEXTS, JSON, max_size=3), st.booleans())
def test_any_json_comes_back(folder, value, ascii_only):
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert load(put(folder, "any.json", raw), dict, Kind("")) == value
