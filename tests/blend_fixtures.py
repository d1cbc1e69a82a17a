"""A judge that holds a blend, with the fake encoder in place of the embedded one."""

import pytest

import judge.calibration.features as features
from judge.calibration.ordinal import Feature, Ordinal
from judge.errors import ModelError
from judge.labelling.blending import FILE
from judge.models.fake_encoder import FakeEncoder

NAMES = ("judge", "cosine", "overlap")
BLEND = Ordinal(
    objective="log_loss",
    features=tuple(Feature(name=name, centre=0.4, spread=0.5, weight=0.9) for name in NAMES),
    cuts=(-0.4, 0.7),
    encoder="fake",
)


@pytest.fixture
def encoder(monkeypatch):
    """The fake encoder in place of the embedded one, with a switch that takes it away."""
    state = {"there": True}

    def find(name):
        if not state["there"]:
            raise ModelError("the embedded encoder is not installed", "install it")
        return FakeEncoder()

    monkeypatch.setattr(features, "find_encoder", find)
    return state


@pytest.fixture
def blended(directory, tuned, encoder):
    """A fine-tuned judge's directory that holds a blend."""
    (directory / FILE).write_text(tuned.calibration.model_copy(update={"blend": BLEND}).as_text())
    return directory


def label(main, blended, rated_file, out, *more, code=0):
    return main("label", rated_file, "--judge", blended, "--engine", "fake", "--out", out, *more, code=code)
