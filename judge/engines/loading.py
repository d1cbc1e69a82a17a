"""A causal language model of a directory, as judging and training load it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge.engines.memory import room_for
from judge.engines.weights import check_whole
from judge.errors import JudgeError, ModelError, safe
from judge.records import counted


def load_model(directory: Path, dtype: str, hint: str) -> Any:
    """A model as transformers has it, but that its labels' logits are fp32; safetensors only, no code of its own.

    Args:
        directory: config and safetensors weights.
        dtype: As torch names it, or "auto": as the weights are stored.
        hint: What to do where it cannot be loaded.

    Raises:
        ModelError: It cannot be loaded, or memory does not hold it.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from judge.models.gguf import quiet_transformers

    check_whole(directory)
    try:
        with room_for(directory), quiet_transformers():
            model: Any
            model, found = AutoModelForCausalLM.from_pretrained(
                directory,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told below, in full
                dtype=getattr(torch, dtype, dtype),  # "auto" is none of torch's
                trust_remote_code=False,
                use_safetensors=True,
                local_files_only=True,
            )
    except JudgeError:
        raise
    except Exception as error:  # whatever its config makes transformers do
        raise ModelError(f"{directory}: cannot be loaded ({safe(str(error))[:300]})", hint) from error
    _check_filled(directory, found)
    if getattr(model.config.get_text_config(), "attn_logit_softcapping", None):
        # The attention that transformers takes unless told otherwise leaves the cap out without a word.
        model.set_attn_implementation("eager")
    # Between 32 and 64 bf16 has steps of 0.25: logits rounded to it would tie, and grades flip.
    head = model.get_output_embeddings()
    if type(head) is torch.nn.Linear and head.weight.element_size() == 2:
        head.register_forward_hook(_in_fp32)
    return model


def _check_filled(directory: Path, found: Mapping[str, Any]) -> None:
    """Refuse weights that are not all of the model's and no others: transformers draws missing ones at random."""
    words = (("missing_keys", "lacks"), ("mismatched_keys", "has in another shape"), ("unexpected_keys", "has besides"))
    said = []
    for kind, verb in words:
        if names := sorted(str(key[0] if isinstance(key, tuple) else key) for key in found[kind]):
            said.append(f"{verb} {counted(len(names), 'tensor')} ({names[0]!r})")
    if said:
        raise ModelError(
            f"{directory}: its weights are not those of its config.json: compared with that it {', '.join(said)}",
            "copy or save the model again: all weight files, and the config.json that belongs to them",
        )


def _in_fp32(head: Any, rows: tuple[Any], rounded: Any) -> Any:
    """A head's logits, unrounded; scales and soft caps that a model has behind its head are then fp32, too.

    The rounded ones are dropped: few places are read, so that computing them is cheap compared with the layers before.
    """
    import torch

    bias = None if head.bias is None else head.bias.float()
    return torch.nn.functional.linear(rows[0].float(), head.weight.float(), bias)
