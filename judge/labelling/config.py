"""A fine-tuned judge: a directory of peft files, or of merged weights, and `judge.json` next to them.

`judge.json` holds everything that judging needs besides weights: which base, how it was asked in training (guideline,
fields, budgets, template, label tokens), and how its probabilities are calibrated. Nothing else has to be remembered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from judge.calibration.abstain import Threshold
from judge.calibration.calibrate import Calibration, Floats
from judge.calibration.features import COSINE, OVERLAP
from judge.documents import Kind, check, load
from judge.errors import ModelError
from judge.fingerprint import adapter_digest
from judge.labelling.blending import Calibrating
from judge.models.embedded import EMBEDDED
from judge.models.encoder import Encoder
from judge.models.model import JudgeModel
from judge.records import Record
from judge.run.seen import Seen
from judge.statistics.reliability import softmax
from judge.words.guideline import Guideline
from judge.words.split import VERSION
from judge.words.templates import TEMPLATE, reads_overlap, template_digest

FILE = "judge.json"
JUDGE = Kind("use the directory as `judge finetune` wrote it", ModelError)


class Base(Record):
    """The model that was fine-tuned."""

    name: str
    """As the user named it: what `--judge` takes."""
    revision: str | None
    """The Hub's commit, where it came from there."""
    weights: str
    """SHA-256 (hex) over its weight files."""

    @property
    def wanted(self) -> str:
        """The name that finds it again, at the same revision."""
        return f"{self.name}@{self.revision}" if self.revision else self.name


class LabelToken(Record):
    """How one grade is answered."""

    grade: int
    text: str
    id: int


class AdapterManifest(Record):
    """What `judge.json` holds."""

    format: int = 1
    base: Base
    adapter: str | None
    """SHA-256 (hex) over the adapter's files; null where its weights are merged into the base's."""
    merged: str | None = None
    """SHA-256 (hex) over the files of the adapter that was merged into the base's weights, where it was noted."""
    labels: tuple[LabelToken, ...]
    """In ascending grade order."""
    guideline: Mapping[str, Any]
    """The whole guideline of the training, with the fields and token budgets of training."""
    guideline_digest: str
    """Of the guideline as the user gave it, before fields and budgets were narrowed."""
    template: str
    template_digest: str
    calibration: Calibration | None
    """Null where too few ratings were held out; `training` then says so."""
    training: Mapping[str, Any]
    """Data (digest and counts), configuration, steps, time and versions."""
    validation: Mapping[str, Any]
    """Figures on the queries that stopped the training, and their confusion matrix: people's grades in rows."""
    created: str

    def as_text(self) -> str:
        """As `judge.json` has it, without fields that earlier versions do not know where these say nothing."""
        unsaid: dict[str, Any] = {"merged": True} if self.merged is None else {}
        if self.calibration and self.calibration.unsaid:
            unsaid["calibration"] = self.calibration.unsaid
        return self.model_dump_json(indent=1, exclude=unsaid)

    @property
    def adapters(self) -> tuple[str, ...]:
        """The digest of its adapter, or of the one that was merged, where it was noted."""
        return tuple(filter(None, (self.adapter, self.merged)))

    @property
    def policy(self) -> Guideline:
        """The guideline it was fine-tuned on."""
        return Guideline.model_validate(self.guideline)

    @property
    def same_template(self) -> bool:
        """Whether the template here is the text of its training."""
        return template_digest(self.template) == self.template_digest


@dataclass(frozen=True)
class JudgeConfig:
    """How a judge is asked, and what becomes of its answers."""

    model: str = EMBEDDED
    """What is loaded: for an adapter, its base."""
    adapter: Path | None = None
    tuned: AdapterManifest | None = None
    template: str = TEMPLATE
    calibration: Calibration | None = None
    threshold: Threshold | None = None
    encoder: Encoder | None = field(default=None, compare=False, repr=False)
    """Where the calibration is a blend that reads its cosine; loaded when it first encodes."""
    seen: Seen | None = field(default=None, compare=False, repr=False)
    """What a fine-tuned judge has seen: its runs keep it."""

    @property
    def calibrating(self) -> Calibrating:
        """What answers go through."""
        return self.calibration, self.encoder

    @property
    def parts(self) -> dict[str, str | None]:
        """What this adds to a fingerprint."""
        blend = self.calibration.blend if self.calibration else None
        # A cosine is of texts without copies of the query, and these are words, too.
        reads_words = reads_overlap(self.template) or not {COSINE, OVERLAP}.isdisjoint(blend.names if blend else ())
        return {
            **({"words": str(VERSION)} if reads_words else {}),
            "template_digest": template_digest(self.template),
            "calibration": self.calibration.digest if self.calibration else None,
            "max_noise": f"{self.threshold.budget:g}" if self.threshold else None,
            "threshold": f"{self.threshold.least:.6f}" if self.threshold else None,
        }

    def probabilities(self, logprobs: Floats, features: Floats | None = None) -> Floats:
        """Probabilities (N, K) from log-probabilities (N, K) or, where a blend makes them, from its features (N, F)."""
        if self.calibration is None:
            return softmax(logprobs)
        return self.calibration.apply(logprobs, features)

    @property
    def least(self) -> float:
        """The confidence from which on a grade is given."""
        return self.threshold.least if self.threshold else 0.0

    def check(self, model: JudgeModel, labels: tuple[int, ...]) -> None:
        """Refuse a base or label tokens other than those of the training.

        Raises:
            ModelError: One of them differs.
        """
        if self.tuned is None or not model.directory.name:  # the fake has no files
            return
        # The embedded base is held by the digest of its package's file; how that is unpacked may change.
        if model.name != EMBEDDED and self.adapter and model.weights != self.tuned.base.weights:
            raise ModelError(
                f"{self.adapter}: was fine-tuned on other weights of {self.tuned.base.name} than those found",
                f"get the base it was fine-tuned on: {self.tuned.base.wanted}",
            )
        if labels != tuple(label.id for label in self.tuned.labels):
            raise ModelError(
                f"{self.adapter or model.name}: its labels have other tokens than in its training",
                "use the guideline and the base of its training",
            )


def read_tuned(directory: Path) -> AdapterManifest:
    """`judge.json` of a directory, checked against the adapter next to it.

    Raises:
        ModelError: It cannot be read, or the adapter is another than the one it speaks of.
    """
    path = directory / FILE
    tuned = load(path, AdapterManifest, JUDGE)
    policy = check(tuned.guideline, Guideline, JUDGE, f"{path}, guideline")
    if tuple(label.grade for label in tuned.labels) != policy.values:
        raise JUDGE.damaged(path, "field 'labels' has other grades than its guideline")
    if tuned.calibration and len(tuned.calibration.bias) != len(policy.values):
        raise JUDGE.damaged(path, "field 'calibration' has another number of grades than its guideline")
    if tuned.adapter and adapter_digest(directory) != tuned.adapter:
        raise ModelError(
            f"{directory}: the adapter's files are not those that {FILE} describes", "copy the whole directory again"
        )
    return tuned
