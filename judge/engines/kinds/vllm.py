"""vLLM in this process."""

from judge.engines.kinds import Engine, EngineKind, Setup
from judge.engines.options import VllmOptions
from judge.errors import install


def _make(setup: Setup) -> Engine:
    from judge.engines.vllm import VllmEngine

    return VllmEngine(setup.model.directory, setup.options.vllm, setup.adapter)


ENGINE = EngineKind(
    name="vllm",
    help="vLLM in process, on GPUs at scale",
    order=20,
    make=_make,
    probabilities="always",
    modules=("vllm", "torch", "transformers"),
    install=install("vllm"),
    optional=True,
    options=VllmOptions,
    adapter=True,
)
