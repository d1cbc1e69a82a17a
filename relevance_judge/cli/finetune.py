"""`judge finetune`: fine-tune a small judge on people's ratings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from relevance_judge.cli.calibrate import numbers_of, show_calibration
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.options import RaterParams, TextParams, json_option, skip_option
from relevance_judge.cli.output import say, show, show_json, show_left_out, show_table
from relevance_judge.cli.params import FILE, file, read_raters, takes, text
from relevance_judge.cli.stdin import input_file
from relevance_judge.progress import progress

if TYPE_CHECKING:
    from finetune.checkpoint import Look
    from finetune.config import LoraConfig
    from judge.calibration.calibrate import Calibration
    from judge.labelling.config import AdapterManifest


@dataclass(frozen=True)
class TrainingParams:
    """What is trained, and how."""

    base: Annotated[
        str | None, text("--base", "MODEL", "The model to fine-tune, as --judge of `judge label`; smollm2-135m.")
    ]
    start: Annotated[
        str | None,
        text(
            "--from",
            "ADAPTER",
            "The fine-tuned judge to go on from; shop-135m where neither it nor a base is named and grades, template "
            "and rank agree. `none`: from the base.",
        ),
    ]
    config: Annotated[Path | None, file("--config", "FILE", "Keys of finetune/lora.yaml to change.")]
    template: Annotated[
        str | None, text("--template", "NAME", "A template of prompts/; judge-match.v2 unless configured.")
    ]
    merge: Annotated[Path | None, file("--merge", "DIR", "Write the fine-tuned judge as one model, too.")]


@click.command()
@click.argument(
    "ratings",
    metavar="RATINGS",
    type=FILE,
    help="Rated pairs: a row a pair, or a row a grade; `-` is standard input.",
)
@click.option("--out", metavar="ADAPTER", type=FILE, required=True, help="The directory to write or resume.")
@takes(RaterParams)
@takes(TextParams)
@skip_option
@takes(TrainingParams)
@json_option
def finetune(
    training: TrainingParams,
    texts: TextParams,
    how: RaterParams,
    ratings: Path,
    out: Path,
    skip_bad_rows: bool,
    json: bool,
) -> None:
    """Fine-tune a small judge on people's ratings. It is calibrated, and written as an adapter.

    Killed at any moment, the same command resumes from its last checkpoint, with the same result: to the byte on a
    processor, on a GPU as far as torch has deterministic algorithms.

    \b
    Example:
      judge finetune ratings.csv --catalogue products.jsonl --raters ann,ben,cleo --out adapters/ours
    """
    from finetune.config import load_config
    from finetune.job import TrainingJob, check, prepare
    from finetune.job import finetune as train
    from finetune.loop import Watch
    from finetune.merge import check_free
    from finetune.merge import merge as write_merged
    from finetune.start import choose_start
    from judge.labelling.blending import own_blend
    from judge.models.embedded import EMBEDDED
    from judge.ratings.rated import RatingsFile

    check(out)
    merge = training.merge
    if merge:
        check_free(merge, out)
    policy = texts.policy()
    known, names = how.known(policy), read_raters(how.raters)

    def configured(below: Mapping[str, Any]) -> "LoraConfig":
        found = load_config(training.config, below)
        return found.changed(template=training.template) if training.template else found

    start, chosen = choose_start(training.start, training.base, policy, configured)
    base = start.tuned.base.wanted if start else training.base or EMBEDDED
    with stoppable("the same command resumes from the last checkpoint"):
        with input_file(ratings) as (path, name):
            source = replace(how.source(path, name, texts.catalogue, known), skip_bad_rows=skip_bad_rows)
            prepared = prepare(TrainingJob(RatingsFile(source, names), policy, base, chosen, start))
        whence = f", from {start.name}" if start else ""
        say(f"fine-tuning {prepared.base.name}{whence}, on {len(prepared.training_set.train):,} pairs")
        with progress("training", prepared.steps) as advance:
            tuned = train(prepared, out, Watch(advance, _show_look))
        if merge:
            write_merged(tuned, out, merge)
    blend = own_blend(out)
    if json:
        told = tuned.model_dump(mode="json", exclude={"guideline": True, "calibration": {"held_out"}})
        show_json(told | {"blend": _blend_json(blend) if blend else None})
        return
    _show(tuned)
    if compared := tuned.training.get("compared"):
        _show_compared(compared)
    if blend and blend.held_out.confidence:
        show("", f"its {blend.form}, used in its place:", "")
        show_calibration(blend, start=start.name if start else None)
    elif blend:
        show("", f"used in its place, as the judge before has it, and not measured here: {numbers_of(blend)}")
    show("", f"adapter in {out}" + (f", merged model in {merge}" if merge else "") + f"; judge label --judge {out}")


def _blend_json(blend: "Calibration") -> dict[str, Any]:
    """Without the figures of one that was kept of the judge before: they are of other weights."""
    told = blend.model_dump(mode="json", exclude={"held_out"})
    return told if blend.held_out.confidence else told | {"before": None, "after": None}


def _show_look(look: "Look") -> None:
    learned = "" if look.training_loss is None else f"training loss {look.training_loss:.3f}, "
    figures = f"{learned}validation loss {look.log_loss:.3f}"
    show(f"step {look.step:,}: {figures}, accuracy {look.accuracy:.3f}", err=True)


def _show_compared(told: Mapping[str, Any]) -> None:
    from finetune.comparison import Compared

    found = Compared.model_validate(told)
    figures = {name: (getattr(found.own, name), getattr(found.before, name)) for name in found.said}
    rows = [
        (name.replace("_", " "), *(f"{each:.3f}" for each in figures[name]), less) for name, less in found.said.items()
    ]
    show("", f"compared with {found.start} on {found.pairs}:")
    show_table(rows, head=("", "fine-tuned", found.start, "difference"), right=(1, 2))


def _show(tuned: "AdapterManifest") -> None:
    from judge.statistics import measures

    training, found = tuned.training, tuned.validation
    values = [label.grade for label in tuned.labels]
    kappa = float(measures.weighted_kappa(found["confusion"], values))
    rows = [
        ("base", tuned.base.wanted),
        *([("from", training["from"]["name"])] if "from" in training else []),
        ("pairs to learn, to stop by, to calibrate with", " + ".join(f"{n:,}" for n in training["pairs"].values())),
        ("queries of each", " + ".join(f"{n:,}" for n in training["queries"].values())),
        ("steps, and whose weights are kept", f"{training['steps']:,}, {training['best_step']:,}"),
        ("on the validation queries: accuracy", f"{found['accuracy']:.3f}"),
        ("  quadratic kappa", "–" if kappa != kappa else f"{kappa:.3f}"),
        ("  log loss", f"{found['log_loss']:.3f}"),
    ]
    if held := training.get("held_out"):  # judges from before they were counted have none
        rows.insert(
            3, ("held-out pairs with a product seen in training", f"{held['product_taught']:,} of {held['pairs']:,}")
        )
    show_table(rows)
    show_left_out(training["left_out"])
    if tuned.calibration is None:
        show("", f"not calibrated: {training['without_calibration']}")
        return
    show()
    show_calibration(tuned.calibration)
