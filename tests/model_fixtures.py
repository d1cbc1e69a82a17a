"""The embedded base model, loaded once, the fake judge, and a GPU where there is one."""

import pytest

import relevance_judge as rj


@pytest.fixture(scope="session")
def embedded():
    """The embedded base model, found and unpacked; tests that load it are slow."""
    from judge.engines import Judge

    return Judge("smollm2-135m")


@pytest.fixture(scope="session")
def engine(embedded):
    """The embedded base model's weights, in fp32 on the processor."""
    from judge.engines.transformers import TransformersEngine

    return TransformersEngine(embedded.model.directory, device="cpu", dtype="float32")


_OPENED = {}


@pytest.fixture
def opened_once(monkeypatch):
    """A model is loaded once in a worker, however many commands of these tests open it."""
    from judge.engines import Judge

    load = Judge.open

    def open_once(self):
        if self.serving.engine != "transformers":
            return load(self)
        key = (self.model.directory, self.serving.adapter, repr(self.options))
        if key not in _OPENED:
            _OPENED[key] = load(self)
        return _OPENED[key]

    monkeypatch.setattr(Judge, "open", open_once)


@pytest.fixture(scope="session")
def gpu():
    """Only where there is a GPU that torch can use."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")


@pytest.fixture
def fake():
    return rj.Judge(engine="fake")
