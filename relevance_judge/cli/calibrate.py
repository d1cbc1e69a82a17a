"""`judge calibrate`: probabilities that mean what they say."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option

from judge.calibration.cuts import OBJECTIVES, Objective
from judge.errors import InputError
from judge.records import counted
from judge.tables.levels import ends_note
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.options import RaterParams, skip_option
from relevance_judge.cli.output import show, show_json, show_left_out, show_note, show_summary, show_table
from relevance_judge.cli.params import FILE, choice, file, flag, read_names, refuse_others, takes, text
from relevance_judge.cli.stdin import input_file

if TYPE_CHECKING:
    from finetune.held_out import CalibratedRun
    from judge.calibration.calibrate import Calibration
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


@dataclass(frozen=True)
class ApplyParams:
    """What is fitted besides a temperature and biases, and what a calibration is applied to."""

    features: Annotated[
        str | None,
        text(
            "--features",
            "A,B",
            "Try cut points, and a blend of these as well: judge, overlap (query words in the candidate), cosine "
            "(the embedded encoder).",
        ),
    ]
    objective: Annotated[
        Objective, choice("--objective", OBJECTIVES, "What has to get better on queries not fitted on.")
    ]
    apply: Annotated[
        Path | None,
        file("--apply", "FILE", "Fit nothing: write RUN's labels under this calibration as the new run --out."),
    ]
    max_noise: Annotated[
        float | None,
        Option(
            ["--max-noise"],
            metavar="SHARE",
            type=float,
            help="With --apply: abstain on uncertain pairs so that at most this share of grades is wrong.",
        ),
    ]


@click.command()
@click.argument("run", metavar="RUN", type=FILE, help="A run with probabilities for the rated pairs.")
@click.argument(
    "ratings",
    metavar="[RATINGS]",
    type=FILE,
    required=False,
    help="Ratings of its pairs; those of queries that the judge learned from are left out. `-` is standard input.",
)
@takes(RaterParams)
@skip_option
@takes(ApplyParams)
@takes(CalibrationOutput)
def calibrate(
    output: CalibrationOutput,
    applying: ApplyParams,
    how: RaterParams,
    run: Path,
    ratings: Path | None,
    skip_bad_rows: bool,
) -> None:
    """Calibrate a judge's probabilities on held-out ratings.

    It fits a temperature and a bias for each grade, and shows what they do. With --features, also cut points and a
    blend with the texts; for another --objective than log loss, these alone. More is kept only where it is better on
    queries that it was not fitted on.

    \b
    Example:
      judge calibrate runs/monday held-out.csv --rating label --report reliability.svg
      judge calibrate runs/monday rated.csv --features cosine,overlap --out shop.json
      judge calibrate runs/monday --apply shop.json --out runs/recalibrated
    """
    if applying.apply:
        if ratings:
            raise InputError("--apply fits nothing, and RATINGS were given", "leave one of them out")
        refuse_others("--apply", "run", "apply", "out", "max_noise", "json")
        _apply(applying, output, run)
        return
    if ratings is None:
        raise InputError("RATINGS are missing", "name the file of ratings, or a calibration with --apply FILE")
    if applying.max_noise is not None:
        raise InputError("--max-noise: is used with --apply only", "leave it out here")
    from judge.places import check_writable
    from judge.run.store import Run
    from relevance_judge.calibrating import chart_of, maker_of, store

    opened, target = Run.open(run), output.out or run / "calibration.json"
    adapter, report, overwrite = output.adapter, output.report, output.overwrite
    for path in (target, report):
        if path and path.exists() and not overwrite:
            raise InputError(f"{path}: is already there", "choose another file, or replace it with --overwrite")
        if path:
            check_writable(path.parent)
    tuned = maker_of(opened, adapter) if adapter else None
    layout = how.layout(skip_bad_rows=skip_bad_rows)
    fitted = _fit(opened, ratings, layout, applying)
    found = fitted.found
    occurring = [v for v, n in zip(opened.manifest.values, fitted.joined.shares.sum(axis=0), strict=True) if n]
    scale_note = None if how.grades else ends_note(occurring, opened.manifest.values)
    kept = target.resolve() == (run / "calibration.json").resolve()
    if tuned and adapter:  # before the file is there: killed in between, the same command is not refused
        store(found, tuned, adapter, applying.objective)
    _write(found.as_text(), target, overwrite, kept=kept)
    if report:
        _write(chart_of(found, fitted.joined), report, overwrite)
    _show_fitted(fitted, scale_note, json=output.json)
    if not output.json:
        show("", f"calibration in {target}" + (f", chart in {report}" if report else ""))


def _show_fitted(fitted: "CalibratedRun", scale_note: str | None, *, json: bool) -> None:
    from judge.calibration.abstain import within_reach
    from judge.calibration.held_out import majority_baseline

    found, joined = fitted.found, fitted.joined
    baseline, doubted = majority_baseline(joined.shares), fitted.doubts
    reach = within_reach(found.held_out)
    named = len({pair.query_id for pair in joined.pairs})
    if json:
        more = {"majority_baseline": baseline, "doubts": doubted, "not_in_run": joined.missing}
        more |= {"learned": joined.learned, "left_out": fitted.left_out, "form": found.form, "stays": found.stays}
        more |= {"scale_note": scale_note, "max_noise": reach.as_json(), "query_ids": named}
        columns = {"before": found.before, "present": found.present, "after": found.after}
        more["intervals"] = {name: dict(each.intervals) if each else None for name, each in columns.items()}
        show_json(found.model_dump(mode="json", exclude={"held_out"}) | more)
        return
    show_calibration(found, baseline)
    if named > found.after.queries:
        said = f"{named:,} query ids, as `judge agree` counts them, are {counted(found.after.queries, 'query')}"
        show(f"  {said} here: spellings of one are not held out from each other")
    show_left_out(fitted.left_out)
    show_note(scale_note)
    if joined.missing:
        show(f"  left out: {counted(joined.missing, 'rated pair')} that the run has no probabilities for")
    if joined.learned:
        show(f"  left out: {counted(joined.learned, 'rated pair')} of queries that the judge learned from")
    for doubt in doubted:
        show(f"note: {doubt}")
    show(f"--max-noise {reach.words}" + (f"; {reach.needs}" if reach.needs else ""))


def _apply(applying: ApplyParams, output: CalibrationOutput, run: Path) -> None:
    from judge.calibration.calibrate import read_calibration
    from judge.labelling.recalibrate import Recalibration
    from judge.run.store import Run
    from judge.run.summary import summarise

    if output.out is None or applying.apply is None:
        raise InputError("--out is missing", "say where the new run directory shall be: --out NEW")
    work = Recalibration(Run.open(run), read_calibration(applying.apply), applying.max_noise)
    new = Run(output.out)
    with stoppable("the same command goes on where it stopped"), new.writing():
        work.write(new)
    summary = summarise(new)
    if output.json:
        show_json(summary.model_dump())
        return
    show_summary(summary)
    show("", f"{work.calibration.form} applied; labels in {new.path} (fingerprint {summary.fingerprint})")


def _fit(run: "Run", ratings: Path, layout: "RatingsLayout", applying: ApplyParams) -> "CalibratedRun":
    from finetune.held_out import calibrate_run

    features = read_names(applying.features)
    with input_file(ratings) as (path, name):
        return calibrate_run(run, path, name, layout, (features, applying.objective))


def show_calibration(found: "Calibration", baseline: float | None = None, start: str | None = None) -> None:
    """Figures before and after, by cross-fitting over queries; the majority baseline where it is known.

    `start` is the judge that a training went on from, where what was there before is that one's blend, not a run's.
    """
    names = {
        "accuracy": "accuracy",
        "log_loss": "log loss",
        "brier": "Brier score",
        "calibration_error": "calibration error",
    }
    if found.after.quadratic_kappa is not None:
        names["quadratic_kappa"] = "quadratic kappa"
    # A run that went through a blend has figures of its own: those are what there is to beat.
    there, own = (f"blend of {start}", f"the blend of {start}") if start else ("this run", "the run's own blend")
    columns = {"uncalibrated": found.before, **({there: found.present} if found.present else {})}
    columns["calibrated"] = found.after
    rows = [(name, *(each.figure(key) for each in columns.values())) for key, name in names.items()]
    if baseline is not None:
        # Accuracy that one grade for all would reach as well is none of the judge's.
        rows.insert(1, ("majority baseline", *[f"{baseline:.3f}"] * len(columns)))
    show_table(rows, head=("", *columns), right=tuple(range(1, len(columns) + 1)))
    show("", numbers_of(found))
    if found.stays:
        show(f"{own} stays: none that was fitted to these ratings is better on queries not fitted on")
    held_out = f"{counted(found.after.n, 'held-out pair')} of {counted(found.after.queries, 'query')}"
    between = "; in brackets 95% intervals, queries resampled" if found.after.intervals else ""
    show(f"{held_out}; calibrated figures by cross-fitting{between}")


def numbers_of(found: "Calibration") -> str:
    """The numbers of a calibration, on a line."""
    if found.blend is None:
        biases = ", ".join(f"{value:+.2f}" for value in found.bias)
        return f"temperature {found.temperature:.3f}, biases {biases}"
    weights = ", ".join(f"{feature.name} {feature.weight:.2f}" for feature in found.blend.features)
    cuts = ", ".join(f"{cut:+.2f}" for cut in found.blend.cuts)
    return f"{found.form} ({found.blend.objective.replace('_', ' ')}): weights {weights}; cuts {cuts}"


def _write(text: str, target: Path, overwrite: bool, *, kept: bool = False) -> None:
    from judge.files import new_file

    with new_file(target, overwrite=overwrite, kept=kept) as partial:
        partial.write_text(text, encoding="utf-8")
