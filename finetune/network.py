"""A base model with a LoRA adapter, as a function from examples to log-probabilities of the label tokens.

LoRA (Hu et al. 2021, arXiv:2106.09685) on the linear layers of attention and MLP; the vocabulary's head stays as it is.
What all pairs share is computed once a batch and its keys and values stand behind every row: gradients flow through
them, so that the result is that of whole prompts, as in judging.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.config import LoraConfig
from finetune.frozen import reorder
from finetune.training_set import TrainingExample, TrainingSet, pieces
from judge.engines.applying import check_lora
from judge.engines.loading import load_model
from judge.engines.memory import ran_out, room_for
from judge.engines.repeatable import chosen_device
from judge.errors import EngineError, ModelError
from judge.models.model import JudgeModel

BASE = "name a causal language model as --base"
"""What to do where it cannot be loaded."""


class Network:
    """The base with an adapter: fresh, drawn by the seed, or one to go on from.

    Args:
        base: The model to fine-tune.
        config: The adapter's shape, the device and the seed.
        training_set: Whose shared segment and label tokens are meant.
        start: The directory of the adapter to go on from, in the place of the fresh one.

    Raises:
        ModelError: The base cannot be loaded, has none of the layers that are to be trained, or is not the start's.
    """

    def __init__(
        self, base: JudgeModel, config: LoraConfig, training_set: TrainingSet, start: Path | None = None
    ) -> None:
        import torch
        from peft import LoraConfig as Peft
        from peft import get_peft_model

        self.device, dtype = chosen_device(config.device)
        self.shared, self.labels = training_set.shared, list(training_set.labels)
        torch.manual_seed(config.seed)
        model = load_model(base.directory, dtype, BASE)
        ends = {name.rpartition(".")[2] for name, _ in model.named_modules()}
        if missing := sorted(set(config.modules) - ends):
            raise ModelError(
                f"{base.name}: has no layers named {', '.join(missing)}",
                "name its linear layers of attention and MLP as `modules` in --config",
            )
        peft = Peft(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=list(config.modules),
            task_type="CAUSAL_LM",
        )
        with room_for(base.name):
            self.model: Any = get_peft_model(model, peft).to(self.device)
            reorder(self.model)
        # The directory is this machine's: what users need is in judge.json.
        self.model.peft_config["default"].base_model_name_or_path = base.name
        # peft keeps the names as a set, whose order is another in every process.
        self.model.peft_config["default"].target_modules = sorted(config.modules)
        self.continued = start is not None
        if start is not None:
            check_lora(start, base.directory)
            self.load(start)

    @property
    def trainable(self) -> dict[str, Any]:
        """The adapter's parameters by name."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def logprobs(self, examples: Sequence[TrainingExample], prefix: Any = None) -> Any:
        """Log-probabilities of the label tokens over the whole vocabulary, a tensor of shape (N, K).

        `prefix` is what `ready` returned; without it gradients flow through the shared segment as well.
        """
        import torch

        cache = self._compute() if prefix is None else copy.deepcopy(prefix)
        cache.batch_repeat_interleave(len(examples))
        rows = [example.tokens for example in examples]
        width = max(map(len, rows))
        # Padding stands between prefix and row, masked, so that the label's place is the last of every row.
        ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=self.device)
        own = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=self.device)
        before = own.new_ones(len(rows), len(self.shared))
        logits = self.model(
            input_ids=ids,
            attention_mask=torch.cat([before, own], dim=1),
            position_ids=len(self.shared) + (own.cumsum(dim=1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return logits.float().log_softmax(dim=-1)[:, self.labels]

    def ready(self) -> Any:
        """The shared segment for `predict`, as the weights are now."""
        import torch

        self.model.eval()
        with torch.inference_mode():
            return self._compute()

    def predict(self, examples: Sequence[TrainingExample], tokens: int) -> list[list[float]]:
        """Log-probabilities of the label tokens, in the examples' order."""
        import torch

        prefix = self.ready()
        order = sorted(range(len(examples)), key=lambda i: len(examples[i].tokens))
        found: list[list[float]] = []
        with torch.inference_mode():
            for piece in pieces([examples[i] for i in order], tokens):
                found += self.logprobs(piece, prefix).tolist()
        placed = dict(zip(order, found, strict=True))
        return [placed[i] for i in range(len(examples))]

    def learn(self, examples: Sequence[TrainingExample], tokens: int) -> float:
        """Add the gradient of the examples' mean weighted loss, in pieces of at most `tokens`; returns that loss.

        Over their number, not their weights' sum: these have mean 1 over all pairs, and a rare grade alone in a step
        would else count no more than a common one.

        The loss is the cross-entropy of the label tokens with the target shares. It is over the whole vocabulary, so
        that probability outside the labels is unlearnt too.
        """
        import torch

        total, scale = 0.0, len(examples)
        self.model.train()
        for piece in pieces(examples, tokens):
            shares = torch.tensor([e.shares for e in piece], device=self.device)
            weight = torch.tensor([e.weight / scale for e in piece], device=self.device)
            loss = -((shares * self.logprobs(piece)).sum(dim=1) * weight).sum()
            loss.backward()
            total += float(loss.detach())
        return total

    def put(self, weights: Mapping[str, Any]) -> None:
        """Replace the adapter's parameters."""
        import torch

        with torch.no_grad():
            for name, weight in self.trainable.items():
                weight.copy_(weights[name])

    def load(self, directory: Path) -> None:
        """Replace the adapter's parameters by those of a directory."""
        self.put(_adapter_weights(directory, self.trainable))

    def fit_memory(self, examples: Sequence[TrainingExample], pairs: int, tokens: int) -> None:
        """Try the heaviest piece that steps of so many pairs can have, and refuse where it does not fit.

        Raises:
            EngineError: It does not; names the `batch_tokens` that fits.
        """
        longest = max(examples, key=lambda e: len(e.tokens))
        # Where a single pair has more than `tokens`, it is a piece of its own.
        tried = tokens = max(tokens, len(longest.tokens))
        while tried >= len(longest.tokens):
            try:
                self.learn([longest] * min(pairs, len(examples), tried // len(longest.tokens)), tried)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                tried //= 2
                continue
            finally:
                self.model.zero_grad(set_to_none=True)
            if tried == tokens:
                return
            raise EngineError(
                f"a batch of {tokens:,} tokens does not fit into memory, one of {tried:,} does",
                f"set batch_tokens: {tried} in --config: the steps stay the same",
            )
        raise EngineError(
            f"one pair of {len(longest.tokens)} tokens does not fit into memory",
            "fine-tune a smaller base, or use a larger machine",
        )

    def _compute(self) -> Any:
        import torch
        from transformers import DynamicCache

        ids = torch.tensor([self.shared], device=self.device)
        cache = DynamicCache(config=self.model.config)
        return self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1).past_key_values


def _adapter_weights(directory: Path, trainable: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a peft adapter, under the names that they have in the network."""
    from safetensors.torch import load_file

    path = directory / "adapter_model.safetensors"
    found = load_file(path)
    named = {name: found.pop(name.replace(".default.", "."), None) for name in trainable}
    if found or any(weight is None or weight.shape != trainable[name].shape for name, weight in named.items()):
        raise ModelError(f"{path}: has other weights than the training would", "start from the base: --from none")
    return named
