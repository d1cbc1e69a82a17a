"""An endpoint of completions that takes token ids."""

from judge.engines.kinds import Engine, EngineKind, Setup
from judge.engines.options import ServerOptions
from judge.engines.weights import check_whole
from judge.errors import install


def _make(setup: Setup) -> Engine:
    from judge.engines.server import ServerEngine

    return ServerEngine(setup.url, setup.options.server)


def _parts(setup: Setup) -> dict[str, str | None]:
    """What computes there only its operator knows. That it applies the adapter it is asked as, nobody here can prove:
    that adapter is `declared_adapter`, and `adapter` is one that took effect."""
    check_whole(setup.model.directory)
    declared = {"adapter": None, "declared_adapter": setup.adapter_digest} if setup.adapter_digest else {}
    served = {"served": setup.options.server.model} if setup.options.server.model else {}
    return {"tokenizer": setup.model.tokenizer, "dtype": "as served", **declared, **served}


ENGINE = EngineKind(
    name="server",
    help="an OpenAI-compatible completions endpoint (--url), `vllm serve` first",
    order=30,
    make=_make,
    probabilities="always",
    modules=("tokenizers", "transformers"),
    install=install("local"),
    options=ServerOptions,
    flags=frozenset({"concurrency"}),
    endpoint=True,
    unnamed=(
        "--engine server needs --judge: prompts go as token ids, which are other words to another model",
        "name the model that the endpoint serves: --judge MODEL",
    ),
    served=lambda options: options.server.model,
    parts=_parts,
)
