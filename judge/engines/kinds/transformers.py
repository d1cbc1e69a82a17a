"""The embedded default: transformers in this process."""

from judge.engines.kinds import Engine, EngineKind, Setup
from judge.engines.options import TransformersOptions
from judge.errors import install


def _make(setup: Setup) -> Engine:
    from judge.engines.transformers import TransformersEngine

    return TransformersEngine(setup.model.directory, setup.options.transformers, setup.adapter)


ENGINE = EngineKind(
    name="transformers",
    help="in process, on a GPU or on any processor",
    order=10,
    make=_make,
    probabilities="always",
    modules=("torch", "transformers", "safetensors"),
    install=install("local"),
    options=TransformersOptions,
    adapter=True,
)
