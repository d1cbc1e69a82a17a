"""`judge calibrate`: probabilities that mean what they say."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.records import counted
from judge.tables.scale import ends_note
from relevance_judge.cli.agree import read_layout
from relevance_judge.cli.options import Grades, Json, Map, Rating, SkipRatings, input_file
from relevance_judge.cli.output import show, show_ends, show_json, show_left_out, show_table

if TYPE_CHECKING:
    from finetune.held_out import Joined
    from judge.calibration.calibrate import Calibration
    from judge.labelling.config import AdapterManifest
    from judge.ratings.layout import RatingsLayout
    from judge.run.store import Run


def calibrate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run with probabilities for the rated pairs.")],
    ratings: Annotated[
        Path, typer.Argument(metavar="RATINGS", help="Ratings that the judge was not taught; `-` is standard input.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The calibration; RUN/calibration.json unless given.")
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", metavar="ADAPTER", help="Give it to this taught judge as its own.")
    ] = None,
    rating: Rating = None,
    raters: Annotated[
        str | None, typer.Option("--raters", metavar="A,B,C", help="The raters' columns, or the raters to take.")
    ] = None,
    grades: Grades = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.svg", help="Write the reliability chart.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are already there.")] = False,
    skip_bad_rows: SkipRatings = False,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Fit a temperature and a bias for each grade on held-out ratings, and show what they do.

    \b
    Example:
      judge calibrate runs/monday held-out.csv --rating label --report reliability.svg
    """
    from judge.calibration.calibrate import doubts, majority_baseline
    from judge.errors import InputError
    from judge.files import write_whole
    from judge.labelling.config import FILE, read_tuned
    from judge.run.store import Run

    opened, target = Run.open(run), out or run / "calibration.json"
    for file in (target, report):
        if file and file.exists() and not overwrite:
            raise InputError(f"{file}: is already there", "choose another file, or replace it with --overwrite")
    tuned = read_tuned(adapter) if adapter else None
    if tuned and adapter and not _made(opened, tuned, adapter):
        raise InputError(f"{adapter}: did not make the labels in {run}", "name the judge that made them")
    layout = replace(read_layout(map_, rating, grades, raters, None), skip_bad_rows=skip_bad_rows)
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
    if json:
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
    """Whether a taught judge made a run's labels. One whose weights are merged is known by them: it has no adapter."""
    from judge.models.model import find_model

    parts = run.manifest.parts
    merged = tuned.adapter is None
    return (parts.get("adapter") or parts.get("declared_adapter")) == tuned.adapter and (
        not merged or parts.get("weights") == find_model(str(adapter)).weights
    )


def _fit(run: "Run", ratings: Path, layout: "RatingsLayout") -> tuple["Calibration", "Joined", Mapping[str, int]]:
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
