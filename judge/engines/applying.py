"""An adapter on its base: proven to take effect, by name and shape before weights are loaded and by value after.

Loaders apply what fits and at most warn about the rest: an adapter of another model, or of a wrapper class around this
one, would leave the base's answers under the adapter's name.
"""

import re
import warnings
from pathlib import Path
from typing import Any

from judge.engines.loading import load_model
from judge.engines.lora import PREFIX, WEIGHTS, Lora, read_lora
from judge.engines.memory import room_for
from judge.engines.plain import find_plain
from judge.engines.weights import read_tensors
from judge.errors import ModelError

PAIRED = re.compile(r"\.lora_(embedding_)?[AB]\b")


def check_lora(directory: Path, base: Path) -> Lora:
    """An adapter of which every tensor has its place in a base, and changes something. The base's weights stay unread.

    Raises:
        ModelError: As `read_lora` and `Lora.fit` say, or its numbers would change nothing, or are none.
    """
    lora = read_lora(directory)
    plain = find_plain(base)
    lora.fit((plain and plain.slots(lora)) or slots(skeleton(base), lora), base)
    tensors = read_tensors(directory / WEIGHTS)
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise ModelError(f"{directory}: {name!r} holds values that are not numbers", "train the adapter again")
    zero = {_module(name) for name, tensor in tensors.items() if PAIRED.search(name) and not bool(tensor.any())}
    # DoRA has magnitudes, which change the base without a product.
    if not lora.config.use_dora and zero == lora.modules:
        raise ModelError(
            f"{directory}: changes nothing: for each of its {len(lora.modules)} modules lora_A or lora_B is zero",
            "train it first, or drop --adapter",
        )
    return lora


def slots(model: Any, lora: Lora) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that an adapter's config asks for on a model; () where any shape will do.

    Raises:
        ModelError: The config names a module that can have no LoRA weights, or none at all.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    config = lora.config
    found: dict[str, tuple[int, ...]] = {}
    every = config.target_modules == "all-linear"
    head = model.get_output_embeddings()
    for name, module in model.named_modules():
        if not (isinstance(module, torch.nn.Linear | Conv1D) and module is not head if every else config.names(name)):
            continue
        rank = config.rank(name)
        if isinstance(module, torch.nn.Embedding):
            count, width = module.weight.shape
            pair = {"lora_embedding_A": (rank, count), "lora_embedding_B": (width, rank)}
        elif isinstance(module, torch.nn.Linear | Conv1D):
            out, into = module.weight.shape if isinstance(module, torch.nn.Linear) else module.weight.shape[::-1]
            pair = {"lora_A.weight": (rank, into), "lora_B.weight": (out, rank)}
        else:
            raise ModelError(
                f"{lora.directory}: targets {name!r}, a {type(module).__name__}, which takes no LoRA weights",
                "name an adapter of linear layers",
            )
        magnitude: dict[str, tuple[int, ...]] = {"lora_magnitude_vector": ()} if config.use_dora else {}
        found |= {f"{PREFIX}{name}.{part}": tuple(shape) for part, shape in (pair | magnitude).items()}
    return found


def skeleton(directory: Path) -> Any:
    """A model's modules without memory for its weights.

    Raises:
        ModelError: transformers cannot make a causal language model of its config.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from judge.models.gguf import quiet_transformers

    try:
        with quiet_transformers(), torch.device("meta"):
            config = AutoConfig.from_pretrained(directory, trust_remote_code=False, local_files_only=True)
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:
        raise ModelError(
            f"{directory}: its config.json is not of a causal language model ({type(error).__name__})",
            "name a causal language model that transformers knows",
        ) from error


def apply_lora(model: Any, directory: Path, base: object) -> Any:
    """A model with an adapter merged into its weights.

    A head that shares its weights with the embedding gets weights of its own where the adapter targets either: merged
    into shared weights, its change would reach both.

    Raises:
        ModelError: Not every tensor of the adapter, and nothing else, came to lie in its place.
    """
    from peft import PeftModel, get_peft_model_state_dict

    lora = read_lora(directory)
    lora.fit(slots(model, lora), base)
    tensors = read_tensors(directory / WEIGHTS)
    _check_vocabulary(model, lora, tensors)
    _untie(model, lora)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's advice; what it warns of is refused or proven here
        adapted: Any = PeftModel.from_pretrained(model, str(directory), local_files_only=True)
        placed = get_peft_model_state_dict(adapted, save_embedding_layers=False)
        lora.fit({name: tuple(tensor.shape) for name, tensor in placed.items()}, base)
        for name, tensor in placed.items():
            if not bool((tensor.cpu() == tensors[name].to(tensor.dtype)).all()):
                raise ModelError(f"{directory}: {name!r} was not loaded as its file has it", "report this adapter")
        return adapted.merge_and_unload()


def load_adapted(directory: Path, dtype: str, adapter: Path | None) -> Any:
    """A model, with an adapter merged into its weights in the number type `dtype`.

    Raises:
        ModelError: The model or the adapter cannot be loaded, or memory does not hold them.
    """
    from judge.models.gguf import quiet_transformers

    if adapter is not None:
        check_lora(adapter, directory)
    model = load_model(directory, dtype, "name a causal language model that transformers knows")
    if adapter is None:
        return model
    with room_for(adapter), quiet_transformers():
        return apply_lora(model, adapter, directory)


def _module(name: str) -> str:
    return name.removeprefix(PREFIX).rpartition(".lora_")[0]


def _check_vocabulary(model: Any, lora: Lora, tensors: dict[str, Any]) -> None:
    for name in lora.vocabulary:
        module = name.removeprefix(PREFIX).removesuffix(".base_layer.weight")
        own = model.get_submodule(module).weight if module in lora.modules else None
        found = tensors[name]
        if own is None or own.shape != found.shape or not bool((own.detach().cpu().to(found.dtype) == found).all()):
            raise ModelError(
                f"{lora.directory}: brings weights of its own for {module!r}, other than those of the base",
                "merge it into its base with the library that trained it, and name the merged model as --judge",
            )


def _untie(model: Any, lora: Lora) -> None:
    import torch

    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is None or embedding is None or head.weight is not embedding.weight:
        return
    targeted = {module for name, module in model.named_modules() if name in lora.modules}
    if targeted & {head, embedding}:
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
        model.all_tied_weights_keys = {}
        for config in (model.config, model.config.get_text_config()):
            config.tie_word_embeddings = False
