"""`judge calibrate`: probabilities that mean what they say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from judge.records import counted
from judge.tables.scale import ends_note
from relevance_judge.cli.options import RaterParams, skip_option
from relevance_judge.cli.output import show, show_ends, show_json, show_left_out, show_table
from relevance_judge.cli.params import FILE, file, flag, takes
from relevance_judge.cli.stdin import input_file

if TYPE_CHECKING:
    from finetune.held_out import Joined
    from judge.calibration.calibrate import Calibration
    from judge.labelling.config import AdapterManifest
    from judge.ratings.layout import RatingsLayout
    from judge.run.store import Run


@dataclass(frozen=True)
class CalibrationOutput:
    """Where a calibration goes."""

    out: Annotated[Path | None, file("--out", "FILE", "The calibration; RUN/calibration.json unless given.")]
    adapter: Annotated[Path | None, file("--adapter", "ADAPTER", "Store it in this fine-tuned judge's directory.")]
    report: Annotated[Path | None, file("--report", "FILE.svg", "Write the reliability chart.")]
    overwrite: Annotated[bool, flag("--overwrite", "Replace files that are already there.")]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@click.argument("run", metavar="RUN", type=FILE, help="A run with probabilities for the rated pairs.")
@click.argument(
    "ratings",
    metavar="RATINGS",
    type=FILE,
    help="Ratings that the judge was not fine-tuned on; `-` is standard input.",
)
@takes(RaterParams)
@skip_option
@takes(CalibrationOutput)
def calibrate(output: CalibrationOutput, how: RaterParams, run: Path, ratings: Path, skip_bad_rows: bool) -> None:
    """Calibrate a judge's probabilities on held-out ratings.

    It fits a temperature and a bias for each grade, and shows what they do.

    \b
    Example:
      judge calibrate runs/monday held-out.csv --rating label --report reliability.svg
    """
    from judge.calibration.calibrate import doubts, majority_baseline
    from judge.errors import InputError
    from judge.files import write_whole
    from judge.labelling.config import FILE, read_tuned
    from judge.run.store import Run

    opened, target = Run.open(run), output.out or run / "calibration.json"
    adapter, report, overwrite = output.adapter, output.report, output.overwrite
    for path in (target, report):
        if path and path.exists() and not overwrite:
            raise InputError(f"{path}: is already there", "choose another file, or replace it with --overwrite")
    tuned = read_tuned(adapter) if adapter else None
    if tuned and adapter and not _made(opened, tuned, adapter):
        raise InputError(f"{adapter}: did not make the labels in {run}", "name the judge that made them")
    layout = how.layout(skip_bad_rows=skip_bad_rows)
    found, joined, left_out = _fit(opened, ratings, layout)
    baseline, doubted = majority_baseline(joined.shares), doubts(found, joined.logprobs)
    occurring = [v for v, n in zip(opened.manifest.values, joined.shares.sum(axis=0), strict=True) if n]
    kept = target.resolve() == (run / "calibration.json").resolve()
    _write(found.model_dump_json(indent=1), target, overwrite, kept=kept)
    if tuned and adapter:
        own = tuned.model_copy(update={"calibration": found.model_copy(update={"parts": {}})})
        write_whole(adapter / FILE, own.model_dump_json(indent=1).encode())
    if report:
        _write(_chart(found, joined), report, overwrite)
    if output.json:
        more = {"majority_baseline": baseline, "doubts": doubted, "not_in_run": joined.missing, "left_out": left_out}
        more |= {"scale_note": ends_note(occurring, opened.manifest.values)}
        show_json(found.model_dump(mode="json", exclude={"held_out"}) | more)
        return
    show_calibration(found, baseline)
    show_left_out(left_out)
    show_ends(occurring, opened.manifest.values)
    if joined.missing:
        show(f"  left out: {counted(joined.missing, 'rated pair')} that the run has no probabilities for")
    for doubt in doubted:
        show(f"note: {doubt}")
    show("", f"calibration in {target}" + (f", chart in {report}" if report else ""))


def _made(run: "Run", tuned: "AdapterManifest", adapter: Path) -> bool:
    """Whether a fine-tuned judge made a run's labels. One without an adapter is known by its merged weights."""
    from judge.models.model import find_model

    parts = run.manifest.parts
    merged = tuned.adapter is None
    return (parts.get("adapter") or parts.get("declared_adapter")) == tuned.adapter and (
        not merged or parts.get("weights") == find_model(str(adapter)).weights
    )


def _fit(run: "Run", ratings: Path, layout: "RatingsLayout") -> tuple["Calibration", "Joined", Mapping[str, int]]:
    from dataclasses import replace

    from finetune.held_out import join
    from judge.calibration.calibrate import DECIDING
    from judge.calibration.calibrate import calibrate as fit
    from judge.fingerprint import file_digest
    from judge.ratings.rated import rated_pairs
    from judge.ratings.reader import read_ratings
    from judge.words.guideline import Guideline, known_grades

    policy = Guideline.model_validate(run.manifest.guideline)
    layout.check(policy)
    known = replace(layout, grades=known_grades(layout.grades or None, policy))
    with input_file(ratings) as (path, name):
        read = read_ratings(path, known, policy.values, name)
        joined = join(run, rated_pairs(read))
        found = fit(joined.logprobs, joined.shares, joined.queries, file_digest(path))
    made = run.manifest.parts
    deciding = ("judge", *DECIDING) if made.get("weights") is None else DECIDING
    whose = {"judge": run.manifest.fingerprint, "parts": {name: made.get(name) for name in deciding}}
    return found.model_copy(update=whose), joined, read.left_out


def show_calibration(found: "Calibration", baseline: float | None = None) -> None:
    """Figures before and after, by cross-fitting over queries; the majority baseline where it is known."""
    names = {
        "accuracy": "accuracy",
        "log_loss": "log loss",
        "brier": "Brier score",
        "calibration_error": "calibration error",
    }
    before, after = found.before.model_dump(), found.after.model_dump()
    rows = [(name, f"{before[key]:.3f}", f"{after[key]:.3f}") for key, name in names.items()]
    if baseline is not None:
        # Accuracy that one grade for all would reach as well is none of the judge's.
        rows.insert(1, ("majority baseline", f"{baseline:.3f}", f"{baseline:.3f}"))
    show_table(
        rows,
        head=("", "uncalibrated", "calibrated"),
        right=(1, 2),
    )
    biases = ", ".join(f"{value:+.2f}" for value in found.bias)
    show("", f"temperature {found.temperature:.3f}, biases {biases}")
    show(f"{found.after.n:,} held-out pairs of {found.after.queries:,} queries; calibrated figures by cross-fitting")


def _write(text: str, target: Path, overwrite: bool, *, kept: bool = False) -> None:
    from judge.files import new_file

    with new_file(target, overwrite=overwrite, kept=kept) as partial:
        partial.write_text(text, encoding="utf-8")


def _chart(found: "Calibration", joined: "Joined") -> str:
    import numpy as np

    from judge.calibration.chart import reliability_svg
    from judge.statistics.reliability import softmax, top_label

    held = found.held_out
    series = {
        "uncalibrated": top_label(softmax(joined.logprobs), joined.shares),
        "calibrated": (np.array(held.confidence), ~np.array(held.wrong)),
    }
    return reliability_svg("Reliability on held-out ratings", series)
