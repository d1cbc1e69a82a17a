"""One encoder for queries and documents: what a training starts from, as a model of sentence-transformers.

It is put together from an encoder's own files by kinds that are known here: nothing is fetched, and no code of its own
runs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judge.errors import InputError, ModelError
from judge.models.gguf import quiet_transformers
from judge.models.pooling import read_json, settings

OWN_FILES = {"local_files_only": True, "trust_remote_code": False}
"""Nothing is fetched, and nobody is asked whether to run code."""


def build_towers(name: str, directory: Path, modules: Sequence[tuple[str, Path]], device: str) -> Any:
    """A SentenceTransformer with an encoder's weights: transformer, pooling, dense layers, vectors of length 1.

    Raises:
        ModelError: The weights cannot be loaded.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize
    from sentence_transformers.sentence_transformer.modules import Pooling

    with quiet_transformers():
        parts: list[Any] = [transformer(name, modules[0][1])]
        for kind, path in modules[1:]:
            if kind == "Pooling":
                size = parts[0].get_embedding_dimension()
                known = (path / "config.json").is_file()
                parts.append(Pooling.load(str(path)) if known else Pooling(size, "mean"))
            elif kind == "Dense":
                parts.append(Dense.load(str(path)))
        # Mining takes every vector at length 1, whatever the folder says.
        return SentenceTransformer(modules=[*parts, Normalize()], prompts=prompts(directory), device=device)


def transformer(name: str, folder: Path) -> Any:
    """The transformer of an encoder's folder, with its own longest text.

    Raises:
        ModelError: It cannot be loaded.
    """
    import torch
    from sentence_transformers.base.modules import Transformer

    longest = settings(folder / "sentence_bert_config.json").max_seq_length
    try:
        return Transformer(
            str(folder),
            model_kwargs={"use_safetensors": True, "dtype": torch.float32, **OWN_FILES},
            processor_kwargs=dict(OWN_FILES),
            config_kwargs=dict(OWN_FILES),
            max_seq_length=longest,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"{name}: cannot be loaded ({said})", "save the encoder again") from None


def prompts(directory: Path) -> dict[str, str]:
    """What an encoder has before its queries and its documents."""
    found = read_json(directory / "config_sentence_transformers.json").get("prompts") or {}
    return {
        "query": found.get("query") or "",
        "document": found.get("document") or found.get("passage") or "",
    }


def score_towers(queries: Any, documents: Sequence[Any]) -> Any:
    """Cosines, of shape (queries, documents), of the outputs of `build_towers`."""
    import torch

    vectors = torch.cat([piece["sentence_embedding"].float() for piece in documents])
    return queries["sentence_embedding"].float() @ vectors.T


def freeze(model: Any, layers: int) -> int:
    """Let the top layers of a model learn and nothing below; returns the weights that learn.

    What comes behind the transformer learns too. A pooler that the vectors do not pass through stays as it is.

    Args:
        model: Of sentence-transformers.
        layers: How many; 0: the whole model.

    Raises:
        InputError: It has fewer layers.
    """
    stacked = stack(model)
    if layers > len(stacked):
        raise too_few(layers, len(stacked))
    if layers:
        for weight in model[0].parameters():
            weight.requires_grad = False
        for layer in stacked[-layers:]:
            for weight in layer.parameters():
                weight.requires_grad = True
    for name, weight in model[0].named_parameters():
        if ".pooler." in f".{name}":
            weight.requires_grad = False
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def too_few(asked: int, there: int) -> InputError:
    """For layers that a model does not have."""
    return InputError(f"--layers {asked}: the model has {there}", "0 trains the whole model")


def stack(model: Any) -> Any:
    """The transformer's layers, bottom first: its longest list of modules.

    Raises:
        ModelError: It has none.
    """
    import torch

    lists = [each for each in model[0].modules() if isinstance(each, torch.nn.ModuleList)]
    if not lists:
        raise ModelError("the encoder is not made of layers, so that none can be chosen", "train all of it: --layers 0")
    return max(lists, key=len)
