"""What a training leaves: the adapter's files, and everything that `judge.json` says of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finetune.checkpoint import Progress
from finetune.comparison import Compared, compare
from finetune.config import LoraConfig
from finetune.held_out import gather
from finetune.loop import examine
from finetune.network import Network
from finetune.start import Start
from finetune.training_set import TrainingSet
from judge import __version__
from judge.calibration.calibrate import DECIDING, Calibration, Floats, cross_fitted
from judge.calibration.held_out import trust
from judge.errors import InputError
from judge.files import now, sync
from judge.fingerprint import Fingerprint, adapter_digest
from judge.labelling.begin import fingerprint
from judge.labelling.config import AdapterManifest, Base, LabelToken
from judge.models.embedded import EMBEDDED
from judge.models.model import JudgeModel
from judge.statistics.reliability import softmax
from judge.words.guideline import Guideline
from judge.words.templates import template_digest

PARTS = ("train", "validation", "calibration")


@dataclass(frozen=True)
class Prepared:
    """A lesson that has been read and checked, before any weights are loaded."""

    given: Guideline
    """As the user named it."""
    guideline: Guideline
    """With the fields and budgets of the training."""
    config: LoraConfig
    base: JudgeModel
    training_set: TrainingSet
    key: Fingerprint
    """Data, base and configuration of a training: a directory that was begun resumes only with the same."""
    left_out: Mapping[str, int]
    """Rows of the ratings that were skipped, by what is wrong with them."""
    start: Start | None = None

    @property
    def steps(self) -> int:
        """Steps of the training, at most."""
        size, training_set = self.config.batch_pairs, self.training_set
        return (
            math.ceil(len(training_set.synthetic) / size)
            + math.ceil(len(training_set.train) / size) * self.config.epochs
        )


def store(network: Network, out: Path) -> None:
    """Write the peft files in fp16, and round the network to it: what is measured from here on is what will judge.

    They are on disk when this returns: `judge.json` speaks of them next, and the checkpoint goes.
    """
    import torch

    rounded = {name: weight.detach().to(torch.float16) for name, weight in network.trainable.items()}
    full = {name: weight.dtype for name, weight in network.trainable.items()}
    for name, weight in network.trainable.items():
        weight.data = rounded[name]
    # False, since peft would otherwise ask the Hub for the base, to see whether its vocabulary was extended.
    network.model.save_pretrained(str(out), safe_serialization=True, save_embedding_layers=False)
    for name, weight in network.trainable.items():
        weight.data = rounded[name].to(full[name])
    (out / "README.md").unlink(missing_ok=True)  # peft's form for a card, not filled in
    for path in (*out.glob("adapter_*"), out):
        sync(path)


def describe(
    prepared: Prepared, network: Network, progress: Progress, out: Path
) -> tuple[AdapterManifest, Calibration | None]:
    """What `judge.json` says, and what `blend.json` does if one is kept: measures the network on the queries that
    training did not see, and calibrates it."""
    config, training_set, base = prepared.config, prepared.training_set, prepared.base
    fitted = _calibrated(prepared, network)
    calibration = fitted.own
    parts: dict[str, Any] = {name: getattr(training_set, name) for name in PARTS}
    validation = _validation(prepared, network, calibration)
    compared = _compared(prepared, network, fitted.chances)  # last: the network is the other judge then
    tuned = AdapterManifest(
        base=base_of(base),
        adapter=adapter_digest(out),
        labels=tuple(
            LabelToken(grade=grade.value, text=grade.token, id=label)
            for grade, label in zip(prepared.guideline.grades, training_set.labels, strict=True)
        ),
        guideline=prepared.guideline.model_dump(mode="json"),
        guideline_digest=prepared.given.digest,
        template=config.template,
        template_digest=template_digest(config.template),
        calibration=calibration,
        training={
            "data": prepared.key.parts["ratings"],
            **({"from": prepared.start.lineage} if prepared.start else {}),
            "pairs": {name: len(part) for name, part in parts.items()},
            "left_out": dict(prepared.left_out),
            "synthetic_pairs": len(training_set.synthetic),
            "queries": {name: len({example.query for example in part}) for name, part in parts.items()},
            "held_out": {
                "pairs": len(training_set.validation) + len(training_set.calibration),
                "product_taught": training_set.seen_products,
                "queries_kept": training_set.kept,
            },
            "config": config.model_dump(mode="json"),
            "steps": progress.step,
            "best_step": progress.best,
            "seconds": round(progress.seconds, 1),
            "looks": [look.model_dump() for look in progress.looks],
            "without_calibration": fitted.reason,
            **({"compared": compared and compared.model_dump(mode="json")} if prepared.start else {}),
            "device": network.device,
            "versions": _versions(),
        },
        validation=validation,
        created=now(),
    )
    return tuned, fitted.blend and belonging(fitted.blend, tuned, base.weights)


def belonging(blend: Calibration, tuned: AdapterManifest, weights: str) -> Calibration:
    """A blend that says whose it is, as `judge calibrate` writes it: of a fine-tuned judge with these weights below."""
    own = {"weights": weights, "adapter": tuned.adapter, "template_digest": tuned.template_digest}
    made = fingerprint(tuned.policy, own).parts
    return blend.model_copy(update={"judge": None, "parts": {name: made.get(name) for name in DECIDING}})


def base_of(model: JudgeModel) -> Base:
    """The base as the adapter names it: a path from the root on, since the adapter is used from other places, too."""
    local = model.name != EMBEDDED and Path(model.name).expanduser().exists()
    name = str(Path(model.name).expanduser().resolve()) if local else model.name
    return Base(name=name, revision=model.revision, weights=model.weights)


@dataclass(frozen=True)
class _Fitted:
    """Calibrations fitted on the queries that were held out for them."""

    own: Calibration | None = None
    """A temperature and biases, for the log loss."""
    blend: Calibration | None = None
    """Cut points or a blend, where the configuration asks for them and they are kept; the start's, if it is of what is
    asked for, where none that is fitted is better, or there are too few pairs to fit one to."""
    chances: Floats | None = None
    """Of the held-out pairs, shape (N, K), each under what was fitted to the other queries."""
    reason: str | None = None
    """Why there is none."""


def _calibrated(prepared: Prepared, network: Network) -> _Fitted:
    config, held = prepared.config, prepared.training_set.calibration
    wanted = bool(config.features) or config.objective != "log_loss"
    start = prepared.start
    if not held:
        return _Fitted(blend=start.blend_for(config) if start else None, reason="no queries were held out for it")
    found, truth = examine(network, held, config.batch_tokens)
    queries, data = [example.query for example in held], str(prepared.key.parts["ratings"])
    try:
        own, chances = cross_fitted(found, truth, queries, data)
    except InputError as error:
        return _Fitted(blend=start.blend_for(config) if start else None, reason=error.message)
    wider, values = None, prepared.guideline.values
    if wanted:
        evidence = gather(prepared.training_set.texts, softmax(found), values, (config.features, config.objective))
        present = start.present(config, evidence) if start else None
        wider, blended = cross_fitted(found, truth, queries, data, evidence, present)
        wider, chances = (wider, blended) if wider.blend else (None, chances)
    return _Fitted(own, wider, chances)


def _compared(prepared: Prepared, network: Network, chances: Floats | None) -> Compared | None:
    """With the judge that the training went on from; null where there is none, or too little to compare on. The network
    has that one's weights when this returns."""
    start, training_set, values = prepared.start, prepared.training_set, prepared.guideline.values
    if start is None or chances is None:
        return None
    network.load(start.directory)
    found, truth = examine(network, training_set.calibration, prepared.config.batch_tokens)
    before = start.chances(found, training_set.texts, prepared.guideline)
    queries = [example.query for example in training_set.calibration]
    return compare(start.name, prepared.config.objective, (chances, before), truth, queries, values)


def _validation(prepared: Prepared, network: Network, calibration: Calibration | None) -> Mapping[str, Any]:
    """Figures on the queries that stopped the training: close to honest, since they chose its length alone."""
    held = prepared.training_set.validation
    found, truth = examine(network, held, prepared.config.batch_tokens)
    likely = calibration.apply(found) if calibration else softmax(found)
    size = len(prepared.guideline.values)
    cells = truth.argmax(axis=1) * size + likely.argmax(axis=1)
    return {
        **trust(likely, truth, [e.query for e in held]).model_dump(),
        "calibrated": calibration is not None,
        "confusion": np.bincount(cells, minlength=size * size).reshape(size, size).tolist(),
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"relevance-judge": __version__} | {name: version(name) for name in ("torch", "transformers", "peft")}
