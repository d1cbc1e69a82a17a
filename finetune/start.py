"""The adapter that a training goes on from, and what it has seen: queries that it held out stay held out, those that it
learned from are never held out, and its products count as seen, through any number of trainings.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.config import LoraConfig, load_config
from judge.calibration.calibrate import Calibration, Floats
from judge.calibration.crossing import Present
from judge.calibration.features import check_features
from judge.calibration.held_out import HeldOut
from judge.calibration.ordinal import Evidence
from judge.documents import check
from judge.errors import InputError, ModelError
from judge.labelling.blending import blend_values, choose_calibration, encoder_of, own_blend
from judge.labelling.config import FILE, JUDGE, AdapterManifest, read_tuned
from judge.models.shipped import SHIPPED, shipped_directory
from judge.notes import note
from judge.records import Pair
from judge.run.seen import NOTHING, Seen, read_seen
from judge.statistics.reliability import softmax
from judge.words.guideline import Guideline

NONE = "none"
OWN = ("template", "fields", "query_tokens", "candidate_tokens", "rank", "alpha", "modules")
"""Keys of the configuration that a training takes from its start unless it is told otherwise."""
SHAPE = ("template", "rank", "alpha", "modules")
"""Those that cannot be told otherwise."""


@dataclass(frozen=True)
class Start:
    """A fine-tuned judge to go on from."""

    directory: Path
    name: str
    """As the user names it."""
    tuned: AdapterManifest
    seen: Seen | None
    """Null for judges from before it was noted."""

    @property
    def keys(self) -> Mapping[str, Any]:
        """What the configuration takes from it, besides what its answers are blended with."""
        return {name: self.tuned.training["config"][name] for name in OWN}

    @property
    def lineage(self) -> Mapping[str, Any]:
        """What `judge.json` says of it, with what it went on from itself."""
        before = self.tuned.training.get("from")
        told = {"name": self.name, "adapter": self.tuned.adapter, "data": self.tuned.training["data"]}
        return (
            told
            | {"held_out_known": self.seen is not None and not self.seen.unknown}
            | ({"from": before} if before else {})
        )

    def chances(self, logprobs: Floats, pairs: Sequence[Pair], guideline: Guideline) -> Floats:
        """Probabilities, shape (N, K), as it gives them unless told otherwise: log-probabilities through its blend, or
        its calibration."""
        calibration, encoder = choose_calibration(
            None, self.tuned.calibration, self.directory, guideline, self.tuned.adapters
        )
        own = softmax(logprobs)
        values = blend_values((calibration, encoder), pairs, own, guideline.values)
        return calibration.apply(logprobs, values) if calibration else own

    def blend_for(self, config: LoraConfig) -> Calibration | None:
        """Its blend, to keep where no better one can be fitted; null, and noted, where it is of more or for something
        else than the configuration asks for."""
        wanted = bool(config.features) or config.objective != "log_loss"
        found = own_blend(self.directory, self.tuned.adapters) if wanted else None
        if found is None or found.blend is None:
            return None
        asked = {*check_features(config.features)}
        if not asked.issuperset(found.blend.names) or found.blend.objective != config.objective:
            what = f"{', '.join(found.blend.names)} for {found.blend.objective}"
            note(f"the blend of {self.name}, of {what}, is not kept: the configuration asks for another")
            return None
        # What was held out says how often its own weights are wrong, and nothing of those that come of them.
        return found.model_copy(update={"held_out": HeldOut(confidence=(), wrong=(), query=())})

    def present(self, config: LoraConfig, evidence: Evidence) -> Present | None:
        """Its blend on the answers of a judge that came of it; null where the configuration asks for another, or
        features are read by other rules now."""
        found = self.blend_for(config)
        blend = found.blend if found else None
        if blend is None or (blend.reading, blend.encoder) != (evidence.reading, evidence.encoder):
            return None
        return Present(blend, blend.apply(evidence.values), evidence.grades)

    def check_shape(self, config: LoraConfig) -> None:
        """Refuse a configuration that its weights cannot go on with.

        Raises:
            InputError: One of `SHAPE` differs.
        """
        own = LoraConfig.model_validate({**config.model_dump(), **self.keys})
        for name in SHAPE:
            if getattr(config, name) != getattr(own, name):
                raise InputError(
                    f"{name}: {getattr(config, name)} is asked for, and {self.name} has {getattr(own, name)}",
                    f"leave {name} out to go on from {self.name}, or start from the base: --from {NONE}",
                )


def choose_start(
    wanted: str | None, base: str | None, guideline: Guideline, configured: Callable[[Mapping[str, Any]], LoraConfig]
) -> tuple[Start | None, LoraConfig]:
    """Where a training starts, and its configuration.

    Args:
        wanted: A fine-tuned judge, or `none`; the shipped one where neither it nor a base is named and grades, template
            and shape agree.
        base: The model to fine-tune, as the user named it.
        guideline: What the ratings follow.
        configured: The configuration with the user's keys over some defaults.

    Raises:
        InputError: They do not go together.
        ModelError: There is no such fine-tuned judge, or it is damaged.
    """
    if base and (directory := _fine_tuned(base)) and read_tuned(directory).adapter:
        raise InputError(
            f"{base}: is a fine-tuned judge, and --base names what is below one", f"go on with --from {base}"
        )
    if wanted == NONE or (wanted is None and base):
        return None, configured({})
    try:
        start = _read(wanted or SHIPPED, base, guideline)
        plain = configured(start.keys)
        start.check_shape(plain)
        config = _blended(start, plain, configured)
    except InputError:
        if wanted:
            raise
        return None, configured({})
    return start, config


def _read(name: str, base: str | None, guideline: Guideline) -> Start:
    directory = _fine_tuned(name)
    if directory is None:
        raise ModelError(
            f"{name}: is no fine-tuned judge ({FILE} is not there)", "name an adapter's directory, or drop --from"
        )
    tuned = read_tuned(directory)
    if tuned.adapter is None:
        raise InputError(f"{name}: is merged into its base", f"fine-tune it as a base: --base {name}")
    if base and base != tuned.base.wanted:
        raise InputError(f"{name}: is an adapter of {tuned.base.wanted}, not of {base}", "drop --base")
    labels = tuple((label.grade, label.text) for label in tuned.labels)
    if labels != tuple((grade.value, grade.token) for grade in guideline.grades):
        raise InputError(
            f"{name}: gives the grades {', '.join(str(grade) for grade, _ in labels)}, and {guideline.name} has others",
            f"start from the base: --from {NONE}",
        )
    own = tuned.training.get("config")
    if "data" not in tuned.training or not isinstance(own, dict) or not {*OWN} <= own.keys():
        raise ModelError(f"{name}: {FILE} does not say how it was fine-tuned", f"start from the base: --from {NONE}")
    usual = load_config().model_dump()
    check(usual | {key: own[key] for key in OWN}, LoraConfig, JUDGE, f"{directory / FILE}, training.config")
    if not tuned.same_template:
        raise InputError(
            f"{name}: prompts/{tuned.template}.j2 is not the text of its training",
            f"start from the base: --from {NONE}",
        )
    return Start(directory, name, tuned, read_seen(directory))


def _blended(start: Start, plain: LoraConfig, configured: Callable[[Mapping[str, Any]], LoraConfig]) -> LoraConfig:
    """A configuration with what the start's answers are blended with, and for what, where that can be done here."""
    found = own_blend(start.directory, start.tuned.adapters)
    if found is None or found.blend is None:
        return plain
    like = {"features": found.blend.names[1:] or found.blend.names, "objective": found.blend.objective}
    config = configured({**start.keys, **like})
    if config.features == plain.features:  # the user said so
        return config
    try:
        encoder_of(found)
    except ModelError as error:
        note(f"{start.name}: blends the texts in, and what is fine-tuned from it here will not; {error.message}")
        return plain
    return config


def seen_before(start: Start | None, base: str) -> Seen:
    """What the judge that a training goes on from has seen, or the one that was merged into its base."""
    if start:
        return start.seen or Seen(unknown=True)
    merged = _fine_tuned(base)
    return (read_seen(merged) or Seen(unknown=True)) if merged else NOTHING


def _fine_tuned(name: str) -> Path | None:
    directory = shipped_directory(name) or Path(name).expanduser()
    return directory if (directory / FILE).is_file() else None
