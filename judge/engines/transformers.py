"""The embedded default: a causal language model in this process, sharing what prompts share.

The guideline's keys and values are computed once a run and a query's once a pack of its candidates; packs have no
padding, and of the vocabulary only the label positions are read. The work for a pair is then its own tokens alone. On a
processor every core judges packs of its own: one thread with a cache of its own wastes less than several on one pack.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

from judge import watching
from judge.engines.applying import check_lora, load_adapted
from judge.engines.memory import enough_memory, room_for
from judge.engines.options import TransformersOptions, default_options
from judge.engines.packed import Stretch, layout, packs, register
from judge.engines.packed_model import HEAD_ROWS, LoadedWeights, PackedModel, fits
from judge.engines.plain import FileWeights, find_plain
from judge.engines.processor import cores, keep_memory, one_thread, spare_memory
from judge.errors import EngineError
from judge.records import Failure, Prompt, Scores

Work = tuple[list[Stretch], Any, list[int]]
"""A pack, the guideline before it, and the labels' tokens."""


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
        options: Workers and batches; `engines.yaml` unless given.
        adapter: A peft adapter's directory, merged into the weights.
        device, dtype: As torch names them; `best_device()` unless given.

    Raises:
        ModelError: The model or the adapter cannot be loaded.
    """

    def __init__(
        self,
        directory: Path,
        options: TransformersOptions | None = None,
        adapter: Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
    ) -> None:
        options = options or default_options().transformers
        found = best_device()
        self.device, self.dtype = device or found[0], dtype or found[1]
        on_processor = self.device == "cpu"
        workers = (options.workers or cores()) if on_processor else 1
        self._tokens = options.batch_tokens or (512 if on_processor else 16_384)
        self.block = 64 * workers if on_processor else 4096
        self._pool = ThreadPoolExecutor(workers, "judge", one_thread if on_processor else None)
        self._prefix: tuple[tuple[int, ...], Any] = ((), None)
        self._lean: PackedModel | None = None
        self._packed = True
        if on_processor:
            spare_memory()
            one_thread()
        if on_processor and self.dtype == "float32":
            self._lean = self._from_files(directory, adapter)
        if self._lean is None:
            self._load(directory, adapter)
        if self._lean:
            self._share = self._lean.share
        if on_processor:
            keep_memory()

    def _from_files(self, directory: Path, adapter: Path | None) -> PackedModel | None:
        """A model of a plain shape, packed without transformers; null where it is no such model."""
        plain = find_plain(directory)
        if plain is None:
            return None
        lora = None if adapter is None else check_lora(adapter, directory)
        if lora is not None and plain.slots(lora) is None:
            return None
        with room_for(directory):
            return self._pool.submit(lambda: PackedModel(plain.shape(), FileWeights(plain, lora))).result()

    def _load(self, directory: Path, adapter: Path | None) -> None:
        """Any model that transformers knows, packed where it is of a kind that can be."""
        with room_for(directory):
            self._model: Any = load_adapted(directory, self.dtype, adapter).to(self.device).eval()
        self._packed = _plain_attention(self._model)
        config = self._model.config
        self._share = config.num_attention_heads // config.num_key_value_heads if self._packed else 1
        if self._packed:
            self._model.set_attn_implementation(register())
        if self._packed and fits(self._model):
            weights = LoadedWeights(self._model)
            with room_for(directory):
                self._lean = self._pool.submit(PackedModel, weights.shape, weights).result()

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Failure]:
        """See `Engine.score`."""
        less = f"set transformers.batch_tokens: {max(1, self._tokens // 2)} in --engine-config, or name a smaller judge"
        with enough_memory(EngineError(f"a batch of {self._tokens:,} tokens does not fit into memory", less)):
            return self._score(prompts)

    def _score(self, prompts: Sequence[Prompt]) -> list[Scores | Failure]:
        results: list[Scores | Failure] = [Failure("the engine gave no answer")] * len(prompts)
        for shared, group in groupby(range(len(prompts)), key=lambda i: prompts[i].shared):
            members = list(group)
            chosen = [prompts[i] for i in members]
            labels = list(chosen[0].labels)
            done: Iterable[list[tuple[int, Scores]]]
            if self._packed:
                prefix = self._guideline(shared)
                work = [(pack, prefix, labels) for pack in packs(chosen, self._tokens)]
                done = self._taken_apart(work) if self._lean else self._pool.map(self._pack, work)
            else:
                batches = _whole(chosen, self._tokens)
                done = self._pool.map(self._padded, [(batch, chosen, labels) for batch in batches])
            for answers in done:
                watching.done(0 if self._lean else len(answers))
                for index, answer in answers:
                    results[members[index]] = answer
        return results

    def _guideline(self, shared: tuple[int, ...]) -> Any:
        if self._prefix[0] != shared:
            self._prefix = (shared, self._pool.submit(self._compute, shared).result())
        return self._prefix[1]

    def _compute(self, shared: tuple[int, ...]) -> Any:
        import torch

        with torch.inference_mode():
            ids = torch.tensor([shared], device=self.device)
            if self._lean:
                return self._lean.guideline(ids)
            from transformers import DynamicCache

            cache = DynamicCache(config=self._model.config)
            self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            return [(layer.keys, layer.values) for layer in cache.layers]

    def _pack(self, work: Work) -> list[tuple[int, Scores]]:
        import torch

        pack, prefix, labels = work
        with torch.inference_mode():
            place = layout(pack, prefix, self._share, self.device, self._model.dtype)
            found = self._model(
                input_ids=place.ids,
                position_ids=place.positions,
                use_cache=False,
                logits_to_keep=place.last,
                layout=place,
            )
            scores = _scores(found.logits[0], labels)
        return list(zip([place for stretch in pack for place in stretch.places], scores, strict=True))

    def _taken_apart(self, work: list[Work]) -> Iterable[list[tuple[int, Scores]]]:
        """The same by `PackedModel`: each pack up to the head, which then reads the rows of all of them."""
        import torch

        lean = self._lean
        assert lean
        labels = work[0][2]

        def upto_head(job: Work) -> Any:
            with torch.inference_mode():
                return lean.last(layout(job[0], job[1], self._share, self.device, torch.float32))

        def head(rows: Any) -> list[Scores]:
            with torch.inference_mode():
                return _scores(lean.logits(rows), labels)

        places = [place for pack, _, _ in work for stretch in pack for place in stretch.places]
        parts = []
        for (pack, _, _), part in zip(work, self._pool.map(upto_head, work), strict=True):
            parts.append(part)
            watching.done(sum(len(stretch.places) for stretch in pack))  # the head is read in a moment, for all of them
        rows = torch.cat(parts)
        answers = [answer for part in self._pool.map(head, rows.split(HEAD_ROWS)) for answer in part]
        return [list(zip(places, answers, strict=True))]

    def _padded(self, work: tuple[list[int], list[Prompt], list[int]]) -> list[tuple[int, Scores]]:
        """Whole prompts side by side, for models whose attention is not the plain one."""
        import torch

        batch, prompts, labels = work
        rows = [prompts[i].ids for i in batch]
        width = max(map(len, rows))
        with torch.inference_mode():
            # Padding goes in front, masked, so that the label position is the last of every row.
            ids = torch.tensor([[0] * (width - len(row)) + row for row in rows], device=self.device)
            mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self.device)
            positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
            outputs = self._model(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=1
            )
            return list(zip(batch, _scores(outputs.logits[:, -1], labels), strict=True))


def _plain_attention(model: Any) -> bool:
    """Whether every layer of a model sees every earlier token, without further terms in the softmax."""
    config = model.config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    softcap = getattr(config, "attn_logit_softcapping", None)
    known = config.model_type in ("llama", "qwen2", "qwen3", "smollm3", "mistral", "olmo2", "granite")
    return bool(known and kinds == {"full_attention"} and not windowed and not softcap)


def _whole(prompts: Sequence[Prompt], size: int) -> list[list[int]]:
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i].ids))
    batch = max(1, size // len(prompts[order[0]].ids)) if order else 1
    return [order[start : start + batch] for start in range(0, len(order), batch)]


def _scores(logits: Any, labels: list[int]) -> list[Scores]:
    logprobs = logits.float().log_softmax(dim=-1)[:, labels]
    outside = (-logprobs.logsumexp(dim=-1).expm1()).clamp(0.0, 1.0)
    return [Scores(tuple(row), mass) for row, mass in zip(logprobs.tolist(), outside.tolist(), strict=True)]
