"""The embedded default: a causal language model in this process, sharing what prompts share.

The guideline's keys and values are computed once a run, a query's once a query, and candidates run in batches of like
length behind them; of the vocabulary only the last position is read. The work for a pair is then its own tokens alone.
"""

import copy
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from judge.errors import EngineError, ModelError
from judge.records import Failure, Prompt, Scores

SHARED_FROM = 3
"""From so many candidates on, a query's own keys and values are worth a pass of their own."""


def best_device() -> tuple[str, str]:
    """Device and number type to run on: bf16 on GPUs that have instructions for it, else fp32.

    Processors run fp32 also where they have bf16 instructions: bf16 moved probabilities by up to 0.03 there, and the
    same labels on every processor are worth more than the time it saves (docs/LOG.md has both figures).
    """
    import torch

    if not torch.cuda.is_available():
        return "cpu", "float32"
    return "cuda", "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


class TransformersEngine:
    """A causal language model of a directory.

    Args:
        directory: config and safetensors weights.
        batch: Candidates scored at once; chosen for the device unless given.
        device, dtype: As torch names them; `best_device()` unless given.
        adapter: A peft adapter's directory, merged into the weights in memory.

    Raises:
        ModelError: The model cannot be loaded.
    """

    def __init__(
        self,
        directory: Path,
        batch: int | None = None,
        device: str | None = None,
        dtype: str | None = None,
        adapter: Path | None = None,
    ) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        from judge.embedded import quiet_transformers

        found = best_device()
        self.device, self.dtype = device or found[0], dtype or found[1]
        # Batches of 8 stay in a processor's cache; 16 were slower there.
        self._batch = batch or (8 if self.device == "cpu" else 256)
        self.block = 64 if self.device == "cpu" else 4096
        try:
            with quiet_transformers():
                self._model: Any = AutoModelForCausalLM.from_pretrained(
                    directory,
                    dtype=getattr(torch, self.dtype),
                    trust_remote_code=False,
                    use_safetensors=True,
                    local_files_only=True,
                )
                if adapter is not None:
                    from peft import PeftModel

                    tuned = PeftModel.from_pretrained(self._model, str(adapter), local_files_only=True)
                    self._model = tuned.merge_and_unload()
        except (OSError, ValueError, RuntimeError, ImportError) as error:
            raise ModelError(
                f"{directory}: cannot be loaded ({error})", "name a causal language model that transformers knows"
            ) from error
        self._model = self._model.to(self.device).eval()
        self._prefix: tuple[tuple[int, ...], Any] = ((), None)

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Failure]:
        """See `Engine.score`."""
        import torch

        results: list[Scores | Failure | None] = [None] * len(prompts)
        with torch.inference_mode():
            for prefix, suffixes in self._jobs(prompts):
                self._score_behind(prefix, suffixes, prompts, results)
        return [result or Failure("the engine gave no answer") for result in results]

    def _jobs(self, prompts: Sequence[Prompt]) -> Iterator[tuple[Any, list[tuple[int, tuple[int, ...]]]]]:
        """Prefixes as caches, each with the prompts (by index) and tokens that come behind it."""
        for shared, group in groupby(range(len(prompts)), key=lambda i: prompts[i].shared):
            guideline = self._guideline(shared)
            lonely: list[tuple[int, tuple[int, ...]]] = []
            for query, same in groupby(group, key=lambda i: prompts[i].query):
                members = list(same)
                if len(members) < SHARED_FROM:
                    lonely += [(i, query + prompts[i].candidate) for i in members]
                else:
                    yield self._extended(guideline, query), [(i, prompts[i].candidate) for i in members]
            if lonely:
                yield guideline, lonely

    def _guideline(self, shared: tuple[int, ...]) -> Any:
        from transformers import DynamicCache

        if self._prefix[0] != shared:
            self._prefix = (shared, self._extended(DynamicCache(config=self._model.config), shared))
        return self._prefix[1]

    def _extended(self, cache: Any, tokens: tuple[int, ...]) -> Any:
        """A copy of a cache with some tokens behind it."""
        import torch

        cache = copy.deepcopy(cache)
        ids = torch.tensor([tokens], device=self.device)
        return self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1).past_key_values

    def _score_behind(
        self,
        prefix: Any,
        suffixes: list[tuple[int, tuple[int, ...]]],
        prompts: Sequence[Prompt],
        results: list[Scores | Failure | None],
    ) -> None:
        import torch

        waiting = sorted(suffixes, key=lambda item: len(item[1]))
        while waiting:
            batch = waiting[: self._batch]
            try:
                scores = self._forward(prefix, [tokens for _, tokens in batch], prompts[batch[0][0]].labels)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    hint = "use a smaller judge, a shorter guideline, or a larger GPU"
                    raise EngineError("one prompt does not fit into the GPU's memory", hint) from None
                self._batch = len(batch) // 2
                torch.cuda.empty_cache()
                continue
            for (index, _), score in zip(batch, scores, strict=True):
                results[index] = score
            del waiting[: len(batch)]

    def _forward(self, prefix: Any, rows: list[tuple[int, ...]], labels: tuple[int, ...]) -> list[Scores]:
        import torch

        cache = copy.deepcopy(prefix)
        cache.batch_repeat_interleave(len(rows))
        before, width = prefix.get_seq_length(), max(map(len, rows))
        # Padding goes in front, masked, so that the label position is the last of every row.
        pads = torch.tensor([width - len(row) for row in rows], device=self.device)
        ids = torch.tensor([(0,) * (width - len(row)) + row for row in rows], device=self.device)
        columns = torch.arange(width, device=self.device)
        own = columns >= pads[:, None]
        mask = torch.cat([own.new_ones(len(rows), before), own], dim=1).long()
        positions = before + (columns - pads[:, None]).clamp(min=0)
        logits = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        logprobs = logits.float().log_softmax(dim=-1)[:, list(labels)]
        outside = (-torch.expm1(logprobs.logsumexp(dim=-1))).clamp(0.0, 1.0)
        return [Scores(tuple(row), mass) for row, mass in zip(logprobs.tolist(), outside.tolist(), strict=True)]
