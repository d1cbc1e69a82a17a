"""What vLLM is told before it loads a model: versions, GPUs, environment, the arguments of its `LLM`, and adapters."""

import os
import re
from pathlib import Path
from typing import Any

from judge.engines.applying import check_lora
from judge.engines.options import VllmOptions
from judge.errors import InputError, ModelError, install
from judge.models.model import read_config

OLDEST = (0, 32)
"""Versions before have known faults in the log-probabilities of tokens that are named (vLLM #43125)."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Adapter ranks that vLLM has room for."""
NAME = "judge"
"""What the adapter is called in requests."""
QUANTISED = {"quantization_config", "compression_config"}
"""Keys of the config of models that are stored quantised: vLLM may refuse to compute their head in fp32, and an adapter
cannot be merged into their weights."""
MERGE = "set vllm.adapter to merge, or use --engine transformers"
UNQUANTISED = "name the base that is not quantised, into which the adapter can be merged"
ON_GPU, ON_PROCESSOR = 16, 32
"""Tokens of an entry of the prefix cache; the build for processors takes multiples of 32 alone."""


def check_version() -> None:
    """Refuse a vLLM whose results are known to be wrong.

    Raises:
        ModelError: Names it.
    """
    import vllm

    found = re.match(r"(\d+)\.(\d+)", vllm.__version__)
    # Built from source without tags, a version is 0.1.dev: it says nothing.
    if found and "dev" not in vllm.__version__ and (int(found[1]), int(found[2])) < OLDEST:
        raise ModelError(
            f"vLLM {vllm.__version__} can give wrong log-probabilities of the labels (vLLM #43125)",
            f"install {OLDEST[0]}.{OLDEST[1]} or later: {install('vllm')}",
        )


def number_type(options: VllmOptions) -> tuple[str, str]:
    """Device and number type of an engine with these options."""
    from judge.engines.transformers import best_device

    device, dtype = best_device()
    return device, options.dtype or dtype


def merges(base: Path, options: VllmOptions) -> bool:
    """Whether an adapter is merged into a base; else vLLM applies it to each request."""
    return options.adapter == "merge" and not QUANTISED & read_config(base).keys()


def check_gpus(directory: Path, options: VllmOptions, device: str, count: int) -> None:
    """Refuse a division of the model that the machine or the model does not allow.

    Args:
        directory: The model's.
        options: How it is to be divided.
        device: As torch names it.
        count: GPUs that this process sees.

    Raises:
        InputError: There are fewer GPUs than parts, or heads that cannot be divided.
    """
    parts, named = options.tensor_parallel_size, len(options.devices.split(",")) if options.devices else count
    if options.devices and options.own_process is False:
        raise InputError(
            "vllm.devices needs the engine in a process of its own, and vllm.own_process is false",
            "leave vllm.own_process out, or set CUDA_VISIBLE_DEVICES instead",
        )
    if parts > named and device == "cuda":
        what = f"vllm.devices names {named}" if options.devices else f"this process sees {named}"
        raise InputError(f"vllm.tensor_parallel_size: {parts} needs as many GPUs; {what}", f"set it to {named}")
    heads = read_config(directory).get("num_attention_heads")
    if type(heads) is int and heads % parts:
        fits = max(n for n in range(1, parts) if not heads % n)
        raise InputError(
            f"vllm.tensor_parallel_size: {parts} does not divide the {heads} attention heads of {directory}",
            f"set it to {fits}",
        )


def set_environment(options: VllmOptions, device: str) -> None:
    """Say to vLLM what it reads from the environment. What the user has set there stays, but for what options say."""
    own = device == "cuda" if options.own_process is None else options.own_process
    defaults = {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        # In one process, making prompts and scheduling them share one Python thread, and a GPU waits for it.
        "VLLM_ENABLE_V1_MULTIPROCESSING": str(int(own)),
    }
    if device == "cpu":
        # Its own default takes half of the machine's memory for the cache.
        defaults |= {"TORCH_COMPILE_DISABLE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    if options.own_process is not None:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(own))
    if options.devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.devices


def arguments(directory: Path, options: VllmOptions, device: str, dtype: str) -> dict[str, Any]:
    """The arguments of vLLM's `LLM` for a model, without those of a classifier or of an adapter."""
    given: dict[str, Any] = {
        "model": str(directory),
        "dtype": dtype,
        "trust_remote_code": False,
        "load_format": "safetensors",
        "enable_prefix_caching": True,
        "max_model_len": options.context,
        "block_size": options.prefix_block or (ON_GPU if device == "cuda" else ON_PROCESSOR),
        "enforce_eager": options.eager or device == "cpu",
        "tensor_parallel_size": options.tensor_parallel_size,
        "disable_log_stats": True,
    }
    if options.batch_tokens:
        given["max_num_batched_tokens"] = max(options.batch_tokens, options.context)
    if options.batch_prompts:
        given["max_num_seqs"] = options.batch_prompts
    if options.quantization:
        given["quantization"] = options.quantization
    if options.quantization == "bitsandbytes":
        given["load_format"] = "bitsandbytes"
    if device == "cuda":
        given["gpu_memory_utilization"] = options.gpu_memory
        if not options.quantization and not QUANTISED & read_config(directory).keys():
            # Between 32 and 64 bf16 has steps of 0.25: logits rounded to it would tie. `classify` has an fp32 head.
            given["hf_overrides"] = {"head_dtype": "float32"}
    return given


class AppliedAdapter:
    """A peft LoRA adapter on a base's directory, as vLLM applies it to requests.

    Raises:
        ModelError: The directory holds no adapter, or one that vLLM would apply wrongly.
    """

    def __init__(self, directory: Path, base: Path) -> None:
        self.directory = directory
        lora = check_lora(directory, base)
        config, self.rank = lora.config, lora.config.r
        # Of these vLLM takes none: it would scale by r and lora_alpha alone, or leave tensors out.
        other = [
            name for name in ("alpha_pattern", "rank_pattern", "use_dora", "fan_in_fan_out") if getattr(config, name)
        ]
        vocabulary = {name.rpartition(".")[2] for name in lora.modules} & {"lm_head", "embed_tokens"}
        hint = UNQUANTISED if QUANTISED & read_config(base).keys() else MERGE
        if found := sorted({*other, *vocabulary}):
            raise ModelError(f"{directory}: has LoRA with {', '.join(found)}, which vLLM does not apply", hint)
        if self.rank > RANKS[-1]:
            raise ModelError(f"{directory}: has rank {self.rank}; vLLM goes up to {RANKS[-1]}", hint)

    def room(self) -> dict[str, Any]:
        """What vLLM must be told to have room for it, and a slot to spare."""
        rank = next(rank for rank in RANKS if rank >= self.rank)
        return {"enable_lora": True, "max_loras": 2, "max_lora_rank": rank}

    def request(self) -> Any:
        """The adapter as part of a request."""
        from vllm.lora.request import LoRARequest

        return LoRARequest(NAME, 1, str(self.directory))
