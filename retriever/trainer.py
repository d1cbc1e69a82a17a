"""sentence-transformers' Trainer over our steps: checkpoints that are whole or absent, and silence.

The Trainer sees a table with one row a step; what a step holds is made when its row is reached. So it resumes by
skipping rows, and the same seed gives the same steps whatever was killed in between.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.documents import Kind, load
from judge.errors import RunError
from judge.files import sync, write_whole
from judge.models.gguf import quiet_transformers
from retriever.config import RetrieverConfig
from retriever.steps import Steps

WHOLE = "whole.json"
"""Written into a checkpoint last: the losses so far. One without it was being written when the process was killed."""
CHUNK = 32
"""Documents of one pass: sorted by length, so that little of it is padding."""
DAMAGED = Kind("delete the checkpoints in the folder: the same command then begins the training anew", RunError)


@dataclass(frozen=True)
class Watch:
    """Who is told of what."""

    steps: Callable[[int], None] = lambda count: None
    """Called after each step with 1, and once with the steps of earlier sittings."""
    epoch: Callable[[int, float], None] = lambda epoch, loss: None
    """Called after each epoch with its number, from 1, and its mean loss."""


def last_checkpoint(folder: Path) -> Path | None:
    """The latest whole checkpoint; those that are not whole are removed."""
    found = []
    for path in folder.glob("checkpoint-*"):
        if (path / WHOLE).is_file():
            found.append(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def collate(model: Any, steps: Steps, tokens: int) -> Callable[[list[Mapping[str, int]]], dict[str, Any]]:
    """What turns a row of the Trainer's table into the tensors of its step."""
    import torch

    # No more than searching reads, which is no more than the model has places for.
    longest = {"max_length": min(tokens, model[0].max_seq_length or tokens)} if tokens else {}

    def made(rows: list[Mapping[str, int]]) -> dict[str, Any]:
        step = steps[rows[0]["step"]]
        texts = [document.text for document in step.documents]
        pieces = {"query": ("query", list(step.queries))}
        for start in range(0, len(texts), CHUNK):
            pieces[f"document{start}"] = ("document", texts[start : start + CHUNK])
        batch: dict[str, Any] = {"label": torch.from_numpy(step.grades)}
        for name, (kind, some) in pieces.items():
            prompt = model.prompts.get(kind) or None
            for key, value in model.preprocess(some, prompt=prompt, task=kind, **longest).items():
                batch[f"{name}_{key}"] = value
        return batch

    made.valid_label_columns = []  # type: ignore[attr-defined]  # which the Trainer asks of what collates
    return made


def run(
    model: Any, loss: Any, steps: Steps, folder: Path, device: tuple[str, str], losses: list[float], watch: Watch
) -> None:
    """Take all steps that are left, with checkpoints in `folder`; `losses` gets the loss of each step.

    Args:
        model: Of sentence-transformers; its weights are those to start from.
        loss: See `objective`.
        steps: What is learned.
        folder: Where checkpoints lie, and are resumed from.
        device: Device and number type.
        losses: Those of `loss`; replaced by a checkpoint's where there is one.
        watch: Who is told.

    Raises:
        RunError: A checkpoint is damaged.
    """
    from datasets import Dataset
    from torch.utils.data import BatchSampler, SequentialSampler
    from transformers import PrinterCallback, TrainerCallback
    from transformers.utils import logging

    found = last_checkpoint(folder)
    if found:
        losses[:] = load(found / WHOLE, list[float], DAMAGED)
    watch.steps(len(losses))

    class Told(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.steps(1)
            epoch, rest = divmod(state.global_step, steps.epoch_steps)
            if not rest:
                watch.epoch(epoch, epoch_loss(losses, epoch, steps.epoch_steps))

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            path = folder / f"checkpoint-{state.global_step}"
            for file in path.rglob("*"):
                sync(file)
            write_whole(path / WHOLE, json.dumps(losses).encode())

    level = logging.get_verbosity()
    logging.set_verbosity_error()  # not by `quiet_transformers`: there is a bar to be seen
    trainer = _trainer_class(model)(
        model=model,
        args=_arguments(model, steps.config, folder, device, len(steps)),
        train_dataset=Dataset.from_dict({"step": range(len(steps))}),
        loss=loss,
        data_collator=collate(model, steps, steps.config.tokens),
        callbacks=[Told()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.args.batch_sampler = lambda dataset, **_: BatchSampler(SequentialSampler(dataset), 1, drop_last=False)
    try:
        trainer.train(resume_from_checkpoint=str(found) if found else None)
    finally:
        logging.set_verbosity(level)


def epoch_loss(losses: list[float], epoch: int, size: int) -> float:
    """The mean loss of an epoch, counted from 1."""
    return sum(losses[(epoch - 1) * size : epoch * size]) / size


def _trainer_class(model: Any) -> Any:
    """The library's Trainer for a model, without its card: that shows examples of the training texts as they are."""
    from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, SentenceTransformerTrainer

    base: Any = MultiVectorEncoderTrainer if isinstance(model, MultiVectorEncoder) else SentenceTransformerTrainer

    class Trainer(base):  # type: ignore[misc]
        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """None."""

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            with quiet_transformers():
                self.model.save_pretrained(output_dir, create_model_card=False)

    return Trainer


def _arguments(model: Any, config: RetrieverConfig, folder: Path, device: tuple[str, str], steps: int) -> Any:
    from sentence_transformers import MultiVectorEncoder, SentenceTransformerTrainingArguments
    from sentence_transformers.multi_vector_encoder.training_args import MultiVectorEncoderTrainingArguments

    late = isinstance(model, MultiVectorEncoder)
    made: Any = MultiVectorEncoderTrainingArguments if late else SentenceTransformerTrainingArguments
    args = made(
        output_dir=str(folder),
        per_device_train_batch_size=1,  # a row of the table is a whole step
        num_train_epochs=1,
        learning_rate=config.learning_rate,
        warmup_steps=round(config.warmup * steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        lr_scheduler_type="linear",
        save_strategy="steps",
        save_steps=config.checkpoint_every,
        save_total_limit=2,  # the one before stays until the next is whole
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=device[0] == "cpu",
        bf16=device == ("cuda", "bfloat16"),
        dataloader_pin_memory=device[0] != "cpu",
        seed=config.seed,
        data_seed=config.seed,
    )
    args._n_gpu = min(1, args.n_gpu)  # a step is one matrix, and is not to be cut apart
    return args
