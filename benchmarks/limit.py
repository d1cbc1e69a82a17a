"""The arithmetic limit: how fast matrix products alone would let a machine judge, and what a pair must take."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from benchmarks.contestants import cores
from judge.records import Prompt

ROWS, INNER, OUTER, TIMES = 512, 576, 1536, 40
"""The judge's largest product: tokens of a pack, its width, and the width of its middle layer."""


@dataclass(frozen=True)
class Size:
    """What of a model counts for its speed."""

    parameters: int
    """Those that every token meets: all but the embedding, which is looked up."""
    attention: int
    """Operations for one token to look at another one, in all layers."""


def size_of(directory: Any) -> Size:
    """Count a model's parameters without loading them."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(directory)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    counted = sum(p.numel() for p in model.parameters()) - model.get_input_embeddings().weight.numel()
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Size(int(counted), 4 * config.num_hidden_layers * config.num_attention_heads * width)


@dataclass(frozen=True)
class Work:
    """What prompts with one guideline take when everything shared is computed once, the guideline before."""

    guideline: int
    """Its tokens."""
    tokens: float
    """Unique tokens a pair."""
    looks: float
    """Earlier tokens, and itself, that they look at, all together, a pair."""

    def attention_share(self, size: Size) -> float:
        """Attention's operations over those that the limit counts."""
        return self.looks * size.attention / (self.tokens * 2 * size.parameters)


def work_of(prompts: Sequence[Prompt]) -> Work:
    """Count the tokens of prompts that stand in their order, a query's together."""
    shared = len(prompts[0].shared)
    tokens = looks = 0
    for query, group in groupby(prompts, key=lambda prompt: prompt.query):
        lengths = [len(prompt.candidate) for prompt in group]
        behind = shared + len(query)
        tokens += len(query) + sum(lengths)
        looks += _sum(shared, behind) + sum(_sum(behind, behind + length) for length in lengths)
    return Work(shared, tokens / len(prompts), looks / len(prompts))


def matrix_rate() -> tuple[float, float]:
    """GFLOP/s of a core in fp32 matrix products of the judge's shapes, all cores at once, one thread each.

    The first is torch's own product; the second the same with weights in the order in which the embedded engine has
    them: oneDNN's or MKL's with AVX-512, else torch's. The limit is the faster one.
    """
    import torch

    from judge.engines.product import Product

    def work(_: int) -> tuple[float, float]:
        torch.set_num_threads(1)
        with torch.inference_mode():
            rows, weight = torch.randn(ROWS, INNER), torch.randn(OUTER, INNER)
            ordered = Product([[weight]])
            plain, packed = float("inf"), float("inf")
            for _ in range(4):
                plain = min(plain, _seconds(lambda: torch.nn.functional.linear(rows, weight)))
                packed = min(packed, _seconds(lambda: ordered(rows)))
        operations = 2 * ROWS * INNER * OUTER * (TIMES // 4) / 1e9
        return operations / plain, operations / packed

    with ThreadPoolExecutor(cores()) as pool:
        plain, packed = zip(*pool.map(work, range(cores())), strict=True)
    return statistics.mean(plain), statistics.mean(packed)


def _seconds(call: Any) -> float:
    begun = time.perf_counter()
    for _ in range(TIMES // 4):
        call()
    return time.perf_counter() - begun


def _sum(start: int, end: int) -> int:
    """start + 1, …, end, added up."""
    return (end - start) * (start + 1 + end) // 2
