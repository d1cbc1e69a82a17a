"""Training a retriever, from what the user asked to a folder that loads in one line, in an order that fails early.

While it lasts the folder holds `training.json` (what it learns: the resume key), `train.yaml` and checkpoints; at the
end the model's files and its card, and last of all `retriever.json`.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from judge import __version__
from judge.documents import Kind, load
from judge.engines.memory import enough_memory
from judge.engines.repeatable import chosen_device, repeatable
from judge.errors import EngineError, InputError, ModelError, RunError, install
from judge.files import dump_json, now, sync, write_whole
from judge.fingerprint import Fingerprint
from judge.held_folder import hold_folder
from judge.models.gguf import quiet_transformers
from judge.places import check_writable
from judge.run.seen import Seen, query_keys, write_seen
from judge.settings import as_yaml
from retriever.card import write_card
from retriever.circle import spread_targets
from retriever.config import RetrieverConfig
from retriever.groups import Groups, read_groups
from retriever.held_out import Apart, compared, measure, read_held_out
from retriever.objective import loss_of, mean_scores, objective
from retriever.start import Start, find_start
from retriever.steps import Steps
from retriever.towers import freeze, too_few
from retriever.trained import FILE, Data, Trained, is_trained, read_trained, seen_by
from retriever.trainer import Watch, collate, epoch_loss, run

KEY, CONFIG, CARD, CHECKPOINTS, PARTIAL = "training.json", "train.yaml", "README.md", "checkpoints", "model.partial"
FREE = ("checkpoint_every",)
"""Keys of the configuration that a training may go on with changed: the same steps."""


@dataclass(frozen=True)
class Prepared:
    """A training that has been read and checked, before any weights are loaded."""

    groups: Groups
    held_out: Apart | None
    steps: Steps
    start: Start
    config: RetrieverConfig
    key: Fingerprint
    seen: Seen
    """What this training and those before learn from."""


def check(out: Path) -> None:
    """Refuse to begin without what training needs, or where its result cannot be written.

    Raises:
        ModelError: It is not installed.
        InputError: The folder cannot be written.
    """
    check_writable(out)
    needed = ("torch", "sentence_transformers", "datasets", "accelerate", "safetensors")
    if missing := [name for name in needed if find_spec(name) is None]:
        raise ModelError(f"training a retriever needs {', '.join(missing)}", install("retriever"))


def prepare(path: Path, start: str, config: RetrieverConfig) -> Prepared:
    """Read and check everything but the weights.

    Args:
        path: The folder of a listwise set.
        start: An encoder, or a model that was trained before.
        config: How.

    Raises:
        InputError: The set or the configuration cannot be used.
        ModelError: There is nothing of this name to start from.
    """
    groups = read_groups(path, soft=config.soft)
    steps = Steps(groups.groups, config)
    if not steps.groups:
        why = "; ".join(f"{count:,} of {reason}" for reason, count in steps.unused.items())
        raise InputError(
            f"{path}: no query teaches anything under {config.loss} ({why})", "label more, or --loss cosent"
        )
    found = find_start(start, late=config.late)
    learned = {key for group in groups.groups for key in query_keys(group.query)}
    seen = seen_by(found.directory).joined((), learned, ())
    apart = read_held_out(path, seen)
    if config.layers > (found.layers or config.layers):
        raise too_few(config.layers, found.layers or 0)
    chosen = {"device": " ".join(chosen_device(config.device))}
    parts = {name: str(value) for name, value in config.model_dump().items() if name not in FREE} | chosen
    key = {
        "set": groups.digest,
        "held_out": apart.groups.digest if apart else None,
        "start": found.digest,
        **parts,
        "toolkit": __version__,
    }
    return Prepared(groups, apart, steps, found, config, Fingerprint(parts=key), seen)


def train(prepared: Prepared, out: Path, watch: Watch | None = None) -> Trained:
    """Train and write the model's folder; resumes where an earlier process stopped.

    Raises:
        RunError: The folder holds something else, or another process is writing it.
        ModelError: The start cannot be loaded.
        EngineError: Memory does not hold a step, or the weights run away.
    """
    with _writing(prepared, out) as done:
        if done:
            return done
        config, began = prepared.config, time.monotonic()
        fewer = f"set queries: {max(1, config.queries // 2)} in --config, and choose another --out"
        full = EngineError(f"memory ran out at a step of {config.queries} queries", fewer)
        with enough_memory(full), repeatable(config.device):
            trained, model = _train(prepared, out, watch or Watch())
            with quiet_transformers():
                _store(model, out)
        trained = trained.model_copy(update={"seconds": round(time.monotonic() - began, 1)})
        write_whole(out / CARD, write_card(trained).encode())
        write_seen(out, prepared.seen)
        write_whole(out / FILE, trained.model_dump_json(indent=1).encode())
        shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
        return trained


def _train(prepared: Prepared, out: Path, watch: Watch) -> tuple[Trained, Any]:
    import torch

    config, steps, start = prepared.config, prepared.steps, prepared.start
    device = chosen_device(config.device)
    torch.manual_seed(config.seed)
    model = start.build(device[0])
    weights = freeze(model, config.layers)
    targets = None
    if config.loss == "circle":
        made = collate(model, steps, config.tokens)
        means = mean_scores(model, start.score, made, steps.epoch_steps, prepared.groups.grades)
        targets = spread_targets(means, config.spread)
    apart, lowest = prepared.held_out, min(prepared.groups.grades)
    before = measure(model, start.score, apart.groups, config, lowest) if apart else None
    losses: list[float] = []
    loss = loss_of(config, lowest, targets)
    run(model, objective(model, loss, start.score, losses), steps, out / CHECKPOINTS, device, losses, watch)
    epochs = [epoch_loss(losses, epoch + 1, steps.epoch_steps) for epoch in range(config.epochs)]
    record = _record(prepared, targets, weights, epochs, device)
    if apart and before is not None:
        after = measure(model, start.score, apart.groups, config, lowest)
        record = record.model_copy(update={"held_out": compared(apart, before, after)})
    return record, model


def _record(
    prepared: Prepared, targets: dict[int, float] | None, weights: int, epochs: list[float], device: tuple[str, str]
) -> Trained:
    start, steps = prepared.start, prepared.steps
    return Trained(
        lineage=start.lineage,
        start=start.name,
        start_digest=start.digest,
        base=start.hub,
        late=start.late,
        loss=prepared.config.loss,
        targets=targets,
        data=Data(
            digest=prepared.groups.digest,
            queries=len(prepared.groups.groups),
            grades=prepared.groups.grades,
            unused=steps.unused,
            contradicted=steps.known.contradicted,
            hard=prepared.groups.hard,
        ),
        config=prepared.config.model_dump(mode="json"),
        steps=len(steps),
        weights=weights,
        losses=tuple(epochs),
        seconds=0.0,
        device=" ".join(device),
        versions={
            "relevance-judge": __version__,
            **{name: version(name) for name in ("torch", "transformers", "sentence-transformers")},
        },
        created=now(),
    )


def _store(model: Any, out: Path) -> None:
    """Write the model's files, all of them on disk when this returns."""
    partial = out / PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(str(partial), create_model_card=False, safe_serialization=True)
    for path in sorted(partial.rglob("*")):
        sync(path)
    for path in partial.iterdir():
        target = out / path.name
        if target.is_dir():
            shutil.rmtree(target)
        path.replace(target)
    partial.rmdir()
    sync(out)


@contextmanager
def _writing(prepared: Prepared, out: Path) -> Iterator[Trained | None]:
    """Hold the folder, new or of the same training; what it says of itself where it is finished."""
    key = out / KEY

    def begun() -> Fingerprint:
        return Fingerprint(parts=load(key, dict[str, str | None], Kind("choose a new folder with --out", RunError)))

    with hold_folder(out, key, prepared.key, begun, [*out.glob("*.partial*")]):
        done = read_trained(out) if is_trained(out) else None
        for left in out.glob("*.partial"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        if done:
            shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
        else:
            # The key first: a folder without it is taken for somebody else's.
            write_whole(key, dump_json(dict(prepared.key.parts)).encode())
            write_whole(out / CONFIG, as_yaml(prepared.config).encode())
        yield done
