"""Fine-tuning a judge, from what the user asked to an adapter directory, in an order that fails early.

Ratings first, then the base's files, then its weights: a wrong row never costs the loading of a model. While it lasts
the directory holds `training.json` (what it learns: the resume key), `checkpoint.safetensors` and `lora.yaml`; at the
end the peft files, and last of all `judge.json`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

from finetune.comparison import Compared
from finetune.config import LoraConfig, current, load_config
from finetune.loop import Training, Watch
from finetune.network import Network
from finetune.outcome import Prepared, describe, store
from finetune.start import Start, seen_before
from finetune.targets import targets
from finetune.training_set import build_lessons, deal
from judge import __version__
from judge.calibration.features import FEATURES, blend_encoder
from judge.documents import Kind, load
from judge.engines.memory import enough_memory
from judge.engines.repeatable import repeatable
from judge.errors import EngineError, ModelError, RunError, install
from judge.files import dump_json, write_whole
from judge.fingerprint import Fingerprint, digest
from judge.held_folder import hold_folder
from judge.labelling import blending
from judge.labelling.config import FILE, AdapterManifest, read_tuned
from judge.models.embedded import EMBEDDED
from judge.models.model import JudgeModel, find_model
from judge.notes import note
from judge.places import check_writable
from judge.ratings.rated import Rated, RatingsFile, read_rated
from judge.records import counted
from judge.run.seen import SEEN, write_seen
from judge.scratch import scratch_folder
from judge.settings import as_yaml
from judge.words.guideline import Guideline
from judge.words.prompt import PromptBuilder
from judge.words.templates import template_digest
from judge.words.tokenizer import ModelTokenizer

KEY, CONFIG, CHECKPOINT = "training.json", "lora.yaml", "checkpoint.safetensors"
FREE = ("batch_tokens", "checkpoint_every")
"""Keys of the configuration that a training may go on with changed: the same steps, but for rounding."""
LATER = ("features", "objective")
"""Keys that came when there were trainings already."""


@dataclass(frozen=True)
class TrainingJob:
    """Which model to fine-tune, on what."""

    ratings: RatingsFile
    guideline: Guideline
    base: str
    config: LoraConfig
    start: Start | None = None
    """The fine-tuned judge to go on from; the base as it is where there is none."""


def check(out: Path) -> None:
    """Refuse to begin without what training needs, or where its result cannot be written.

    Raises:
        ModelError: It is not installed.
        InputError: The folder cannot be written.
    """
    check_writable(out)
    missing = [name for name in ("torch", "transformers", "peft", "safetensors") if find_spec(name) is None]
    if missing:
        raise ModelError(f"fine-tuning needs {', '.join(missing)}", install("train"))


def prepare(lesson: TrainingJob) -> Prepared:
    """Read and check everything but the weights.

    Raises:
        InputError: Ratings, guideline or configuration cannot be used.
        ModelError: There is no such base, its tokenizer splits a label, or the start belongs to another one.
    """
    guideline, words = lesson.config.narrowed(lesson.guideline), template_digest(lesson.config.template)
    with scratch_folder("ratings") as scratch:
        read = read_rated(lesson.ratings, guideline, Path(scratch))
    rated = read.rated
    votes, means = [item.votes for item in rated], [item.means for item in rated]
    shares = targets(votes, guideline.values, lesson.config.targets, means)
    # Before the base: one of the Hub is fetched whole, and not for ratings that it cannot learn from.
    seen = seen_before(lesson.start, lesson.base)
    _, part = deal(rated, shares, guideline, lesson.config, seen)
    base = find_model(lesson.base)
    builder = PromptBuilder(guideline, ModelTokenizer(base.directory), lesson.config.template, base.context)
    training_set = build_lessons(rated, shares, builder, lesson.config, seen)
    blend_encoder(lesson.config.features)  # refused now, where it is not installed, and not after the training
    if lesson.start:
        _check_start(lesson.start, base, training_set.labels)
    # What is held out is not said by the seed alone: a training never continues with another split than its own.
    key = Fingerprint(parts={**_key(lesson, words, base, rated).parts, "held_out_digest": digest(part.tolist())})
    return Prepared(lesson.guideline, guideline, lesson.config, base, training_set, key, read.left_out, lesson.start)


def _check_start(start: Start, base: JudgeModel, labels: tuple[int, ...]) -> None:
    if base.name != EMBEDDED and base.weights != start.tuned.base.weights:
        raise ModelError(
            f"{start.name}: was fine-tuned on other weights of {start.tuned.base.name} than those found",
            f"get the base it was fine-tuned on: {start.tuned.base.wanted}",
        )
    if labels != tuple(label.id for label in start.tuned.labels):
        raise ModelError(f"{start.name}: its labels have other tokens", "start from the base: --from none")


def finetune(prepared: Prepared, out: Path, watch: Watch | None = None) -> AdapterManifest:
    """Train, calibrate and write the adapter directory; resumes where an earlier process stopped.

    Raises:
        RunError: The directory holds something else, or another process is writing it.
        ModelError: The base cannot be fine-tuned.
        EngineError: Memory does not hold a batch, or the weights run away.
    """
    with _writing(prepared, out) as done:
        if done:
            _tell(prepared.start, done, out)
            return done
        config, training_set = prepared.config, prepared.training_set
        less = f"set batch_tokens: {max(1, config.batch_tokens // 2)} in --config: it resumes where it stopped"
        too_large = EngineError(f"memory ran out at a batch of {config.batch_tokens:,} tokens", less)
        with enough_memory(too_large), repeatable(config.device):
            network = Network(prepared.base, config, training_set, prepared.start.directory if prepared.start else None)
            network.fit_memory([*training_set.train, *training_set.validation], config.batch_pairs, config.batch_tokens)
            training = Training(network, training_set, config, out / CHECKPOINT)
            progress = training.run(watch or Watch())
            store(network, out)
            tuned, blend = describe(prepared, network, progress, out)
        write_seen(out, training_set.seen)
        if blend:
            write_whole(out / blending.FILE, blend.as_text().encode())
        write_whole(out / FILE, tuned.as_text().encode())
        (out / CHECKPOINT).unlink(missing_ok=True)
        _tell(prepared.start, tuned, out)
        return tuned


def _tell(start: Start | None, tuned: AdapterManifest, out: Path) -> None:
    """What is known of a fine-tuned judge against its start, whether it was trained now or before."""
    if start and not tuned.training["best_step"]:
        by = counted(tuned.training["pairs"]["validation"], "pair")
        lacks = not (out / blending.FILE).is_file() and (start.directory / blending.FILE).is_file()
        note(
            f"no step of the training was better than {start.name} on the {by} that choose the weights:"
            f" the judge in {out} has that one's weights{', without its blend,' if lacks else ''} and a calibration"
            " of its own; where ratings are few, judge calibrate helps more"
        )
    if start and (doubt := _doubt(start, tuned)):
        note(f"the judge in {out}: {doubt}; rate more queries, or judge with --judge {quote(start.name)}")


def _doubt(start: Start, tuned: AdapterManifest) -> str | None:
    """Why it may be no better than its start, in words; null where it is better, or is the start."""
    training = tuned.training
    if "compared" not in training:  # trained by a version that did not compare
        return None
    if training["compared"]:
        return Compared.model_validate(training["compared"]).doubt
    if not training["best_step"]:
        return None
    why = training["without_calibration"]
    return f"too few queries are held out to tell whether it is better than {start.name} ({why})"


@contextmanager
def _writing(prepared: Prepared, out: Path) -> Iterator[AdapterManifest | None]:
    """Hold the directory, new or of the same training; the fine-tuned judge where it is finished."""
    key = out / KEY
    with hold_folder(out, key, prepared.key, lambda: _begun(key, prepared), _partial(out)):
        done = _done(out)
        if not done:
            # The key first: a directory without it is taken for somebody else's.
            write_whole(key, dump_json(dict(prepared.key.parts)).encode())
            write_whole(out / CONFIG, as_yaml(prepared.config).encode())
        for left in [*_partial(out), *([out / CHECKPOINT] if done else ())]:
            left.unlink(missing_ok=True)
        yield done


def _done(out: Path) -> AdapterManifest | None:
    """The fine-tuned judge where it is finished. Where a machine stopped before the adapter's files were on disk, they
    are written again from the checkpoint."""
    if not (out / FILE).is_file():
        return None
    try:
        return read_tuned(out)
    except ModelError:
        if not (out / CHECKPOINT).is_file():
            raise
        (out / FILE).unlink()
        return None


def _begun(key: Path, prepared: Prepared) -> Fingerprint:
    parts = load(key, dict[str, str | None], Kind("choose a new directory with --out", RunError))
    # The free keys were part of it once, and the split was not: judges of that time stay what they are.
    parts = {name: part for name, part in current(parts).items() if name not in FREE}
    if (key.parent / FILE).is_file():
        parts.setdefault("held_out_digest", prepared.key.parts["held_out_digest"])
    if not prepared.config.features and "features" in parts:
        # As where the start's blend cannot be read: then that is what is to be said.
        blend_encoder([name for name in FEATURES if name in str(parts["features"])])
    return Fingerprint(parts=parts)


def _partial(out: Path) -> list[Path]:
    """What a sitting that was killed was writing."""
    names = (KEY, CONFIG, CHECKPOINT, SEEN, blending.FILE, FILE)
    return [path for name in names for dot in ("", ".") for path in out.glob(f"{dot}{name}.*.partial")]


def _key(lesson: TrainingJob, words: str, base: JudgeModel, rated: list[Rated]) -> Fingerprint:
    # Means stand in the key where there are any, and so do later keys of the configuration: those of other trainings
    # stay what they were.
    usual = load_config()
    unsaid = {*FREE, *(name for name in LATER if getattr(lesson.config, name) == getattr(usual, name))}
    data = digest(
        [
            [i.pair.query, dict(i.pair.candidate), i.pair.locale, dict(i.votes), *([dict(i.means)] if i.means else [])]
            for i in rated
        ]
    )
    return Fingerprint(
        parts={
            "base": base.name,
            "weights": base.weights,
            "guideline_digest": lesson.guideline.digest,
            "template_digest": words,
            "ratings": data,
            **({"from": lesson.start.tuned.adapter} if lesson.start else {}),
            **{name: str(value) for name, value in lesson.config.model_dump().items() if name not in unsaid},
            "toolkit": __version__,
        }
    )
