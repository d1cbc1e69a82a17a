"""vLLM in this process."""

from collections.abc import Mapping

from judge.engines.kinds import Engine, EngineKind, Setup, weights_parts
from judge.engines.options import VllmOptions
from judge.errors import install


def _make(setup: Setup) -> Engine:
    from judge.engines.vllm import VllmEngine

    return VllmEngine(setup.model.directory, setup.options.vllm, setup.adapter)


def _parts(setup: Setup) -> Mapping[str, str | None]:
    """Number type and quantisation; and what becomes of an adapter, which earlier versions always applied.

    How a model is divided, cached and batched changes the last digits at most.
    """
    from judge.engines.vllm_setup import merges

    options = setup.options.vllm
    lora = None
    if setup.adapter_digest is not None:
        lora = "merged" if merges(setup.model.directory, options) else "applied"
    said = {"dtype": options.dtype, "quantization": options.quantization, "lora": lora}
    return {**weights_parts(setup), **{name: value for name, value in said.items() if value}}


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
    parts=_parts,
)
