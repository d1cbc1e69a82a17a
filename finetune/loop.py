"""The training: steps, looks at the validation queries, checkpoints, and an early end.

Every step's pairs, learning rate and dropout follow from the seed and the step's number, so that a training that was
killed and resumes from its checkpoint takes the very steps that it would have taken.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune.checkpoint import CHECKPOINT, Look, Progress, load, save
from finetune.config import LoraConfig
from finetune.network import Network
from finetune.training_set import TrainingExample, TrainingSet, batches
from judge.documents import reading
from judge.errors import EngineError

LOWEST = 0.1
"""The learning rate ends at this share of its highest."""
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.5, 8.0, 33))
"""Those at which the validation loss is tried."""


@dataclass(frozen=True)
class Watch:
    """Who is told of what."""

    steps: Callable[[int], None] = lambda count: None
    """Called after each step with 1, and once with the steps of earlier sittings."""
    look: Callable[[Look], None] = lambda look: None


class Training:
    """A training that can be stopped at any moment and resumes where it stopped.

    Args:
        network: What learns; its adapter is fresh.
        lessons: What it learns.
        config: How.
        checkpoint: The file to keep, and to go on from where it is there.
    """

    def __init__(self, network: Network, training_set: TrainingSet, config: LoraConfig, checkpoint: Path) -> None:
        import torch

        self.network, self.training_set, self.config, self.path = network, training_set, config, checkpoint
        self.epoch_steps = math.ceil(len(training_set.train) / config.batch_pairs)
        self.synthetic_steps = math.ceil(len(training_set.synthetic) / config.batch_pairs)
        self.steps = self.synthetic_steps + self.epoch_steps * config.epochs
        self._optimizer = torch.optim.AdamW(
            list(network.trainable.values()), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self._best: Mapping[str, Any] = _copy(network.trainable)
        self.progress = Progress()
        if checkpoint.is_file():
            self._restore()

    def run(self, watch: Watch) -> Progress:
        """Take all steps that are left, or fewer where validation stops getting better; keeps the best weights."""
        watch.steps(self.progress.step)
        if self.network.continued and not self.progress.step:
            watch.look(self._look())  # a training that only does harm ends with the judge that it went on from
        began, before = time.monotonic(), self.progress.seconds
        epoch, plan = -2, list[list[TrainingExample]]()
        while self.progress.step < self.steps and not self._stale():
            step = self.progress.step
            # Epoch -1 is of the synthetic pairs.
            now, place = (
                divmod(step - self.synthetic_steps, self.epoch_steps) if step >= self.synthetic_steps else (-1, step)
            )
            if now != epoch:
                epoch, examples = now, self.training_set.synthetic if now < 0 else self.training_set.train
                plan = batches(examples, self.config.batch_pairs, (self.config.seed, epoch + 1))
            loss = self._step(plan[place], step)
            self._move(step=step + 1, running=self.progress.running + loss, since=self.progress.since + 1)
            watch.steps(1)
            if self._due(step + 1):
                watch.look(self._look())
            if (step + 1) % self.config.checkpoint_every == 0 or not self.progress.since:
                self._move(seconds=before + time.monotonic() - began)
                self._save()
        self.network.put(self._best)
        return self.progress

    def _due(self, step: int) -> bool:
        """Whether it is time for a look at the validation queries."""
        past = step - self.synthetic_steps
        return past >= 0 and (past % (self.config.evaluate_every or self.epoch_steps) == 0 or step == self.steps)

    def _step(self, batch: list[TrainingExample], step: int) -> float:
        import torch

        torch.manual_seed(self.config.seed * 1_000_003 + step)  # the dropout of this step, whatever came before
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(step, self.steps, self.config)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self.network.learn(batch, self.config.batch_tokens)
        torch.nn.utils.clip_grad_norm_(self.network.trainable.values(), self.config.clip)
        self._optimizer.step()
        return _finite(loss, step + 1)

    def _look(self) -> Look:
        found, truth = examine(self.network, self.training_set.validation, self.config.batch_tokens)
        look = Look(
            step=self.progress.step,
            training_loss=self.progress.running / self.progress.since if self.progress.since else None,
            log_loss=_finite(cooled_loss(found, truth), self.progress.step),
            accuracy=float((found.argmax(axis=1) == truth.argmax(axis=1)).mean()),
        )
        if all(look.log_loss < earlier.log_loss for earlier in self.progress.looks):
            self._best = _copy(self.network.trainable)
            self._move(best=look.step)
        self._move(looks=(*self.progress.looks, look), running=0.0, since=0)
        return look

    def _stale(self) -> bool:
        """Whether validation has not got better for as many looks as patience lasts."""
        return sum(look.step > self.progress.best for look in self.progress.looks) >= self.config.patience

    def _move(self, **changes: Any) -> None:
        self.progress = self.progress.model_copy(update=changes)

    def _save(self) -> None:
        moments = {name: self._optimizer.state[weight] for name, weight in self.network.trainable.items()}
        groups = {
            key: {name: state[key] for name, state in moments.items()} for key in ("step", "exp_avg", "exp_avg_sq")
        }
        save(self.path, self.progress, {"now": self.network.trainable, "best": self._best, **groups})

    def _restore(self) -> None:
        self.progress, groups = load(self.path)
        with reading(self.path, CHECKPOINT, "it is of another training"):
            self.network.put(groups["now"])
            self._best = groups["best"]
            for name, weight in self.network.trainable.items():
                state = {key: groups[key][name] for key in ("step", "exp_avg", "exp_avg_sq")}
                self._optimizer.state[weight] = {
                    key: value if key == "step" else value.to(weight.device) for key, value in state.items()
                }


def learning_rate(step: int, steps: int, config: LoraConfig) -> float:
    """The rate of a step: up in a line over the warm-up, then down along half a cosine to `LOWEST`."""
    rise = round(config.warmup * steps)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    return config.learning_rate * (LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * share)) / 2)


def examine(network: Network, examples: Any, tokens: int) -> tuple[Any, Any]:
    """Log-probabilities and target shares of some examples, two arrays of shape (N, K)."""
    return np.array(network.predict(examples, tokens)), np.array([example.shares for example in examples])


def cooled_loss(found: Any, truth: Any) -> float:
    """Mean log loss in nats at the temperature that suits best, of log-probabilities and shares of shape (N, K).

    Calibration comes after the training and corrects overconfidence: a judge that ranks better is not to be thrown away
    for being too sure of itself.
    """
    if not np.isfinite(found).all():  # the weights ran away
        return math.nan
    losses = []
    for temperature in TEMPERATURES:
        scores = found / temperature
        losses.append(-(truth * (scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))).sum(axis=1).mean())
    return float(min(losses))


def _finite(loss: float, step: int) -> float:
    """The loss; weights that have run away are no judge."""
    if not math.isfinite(loss):
        raise EngineError(
            f"the training diverged: at step {step:,} its loss is not a number",
            "lower learning_rate or clip in --config, and choose another --out",
        )
    return loss


def _copy(weights: Mapping[str, Any]) -> dict[str, Any]:
    return {name: weight.detach().clone() for name, weight in weights.items()}
