"""Calibrations: fitted on rated pairs, and applied to runs that are there."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from judge.calibration.abstain import Reach, within_reach
from judge.calibration.calibrate import Calibration
from judge.calibration.cuts import OBJECTIVES, Objective
from judge.errors import InputError
from judge.notes import note
from judge.places import check_writable
from judge.run.store import Run
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, Rows, as_file, as_run
from relevance_judge.reading import RatingOptions, Reading

if TYPE_CHECKING:
    from finetune.held_out import Joined
    from judge.labelling.config import AdapterManifest


@dataclass(frozen=True, repr=False)
class Calibrated(shown.Result):
    """A calibration in a file."""

    path: Path
    record: Calibration
    """What is in the file: form, numbers, and figures before and after, cross-fitted over queries."""
    not_in_run: int = 0
    """Rated pairs that the run has no probabilities for."""
    learned: int = 0
    """Rated pairs that were left out, since the judge learned from their queries."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """What is wrong with ratings that were skipped, by kind."""
    doubts: Sequence[str] = ()
    """What makes it nothing to rely on, in words, such as that the run's labels are better as they are; logged, too."""

    @property
    def form(self) -> str:
        """What was kept: `nothing`, `temperature`, `temperature and biases`, `cut points` or `blend`."""
        return self.record.form

    @property
    def within_reach(self) -> Reach:
        """Which `max_noise` can be promised by these ratings, and how many more rated queries a tighter one takes."""
        return within_reach(self.record.held_out)

    def _sheet(self) -> shown.Sheet:
        record = self.record
        columns = {
            "before": record.before,
            **({"run": record.present} if record.present else {}),
            "after": record.after,
        }
        names = ["accuracy", "log_loss", "brier", "calibration_error"]
        names += ["quadratic_kappa"] if record.after.quadratic_kappa is not None else []
        rows = [(name, *(each.figure(name) for each in columns.values())) for name in names]
        aside = {"not in the run": self.not_in_run, "learned from": self.learned}
        space = [""] * (len(columns) - 2)
        rows += [(f"pairs {what}", *space, f"{count:,}", "left out") for what, count in aside.items() if count]
        return shown.Sheet(f"{self.form} in {self.path}", ("", *columns), rows)


def calibrate(
    run: AnyRun,
    ratings: Rows,
    *,
    out: str | os.PathLike[str],
    features: Sequence[str] = (),
    objective: Objective = "log_loss",
    adapter: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    **reading: Unpack[RatingOptions],
) -> Calibrated:
    """Fit a calibration to ratings of a run's pairs, in a form that is better on queries that it was not fitted on.

    Args:
        run: A run with probabilities for the rated pairs, or its directory.
        ratings: Ratings of its pairs; those of queries that the judge learned from, as far as the run says so, are left
            out.
        out: The file to write.
        features: What cut points or a blend may be of: `judge`, `overlap`, `cosine` (with the embedded encoder).
            Without any, a temperature and biases are tried alone; for quadratic kappa and accuracy, cut points.
        objective: What has to get better: `log_loss`, `quadratic_kappa` or `accuracy`.
        adapter: The fine-tuned judge's directory that made the labels: the calibration is stored there, too, cut points
            or a blend as its blend, and a temperature and biases in place of any. It keeps what it has where an
            objective of grades is named and nothing makes them better.
        report: A file for the reliability chart, SVG.
        overwrite: Replace files that are already there.
        reading: See `RatingOptions`; `gold` is not used.

    Raises:
        InputError: The ratings or an option cannot be used.
        ModelError: The encoder that a feature needs is not installed.
        RunError: The run's own probabilities cannot be had.
    """
    from judge.files import new_file

    how, stored = Reading(**reading), Run.open(as_run(run).path)
    how.refuse("gold", fix="name the raters with raters")
    if objective not in OBJECTIVES:
        raise InputError(f"objective={objective!r}: is unknown", f"name one of {', '.join(OBJECTIVES)}")
    from finetune.held_out import calibrate_run

    owner = None if adapter is None else Path(adapter)
    tuned = maker_of(stored, owner) if owner else None
    with ExitStack() as files:
        path, name = files.enter_context(as_file(ratings, "ratings"))
        target = files.enter_context(new_file(Path(out), overwrite=overwrite))
        chart = files.enter_context(new_file(Path(report), overwrite=overwrite)) if report else None
        fitted = calibrate_run(stored, path, name, how.layout, (features, objective))
        target.write_text(fitted.found.as_text(), encoding="utf-8")
        if chart:
            chart.write_text(chart_of(fitted.found, fitted.joined), encoding="utf-8")
        if tuned and owner:  # before the files get their names: killed here, the same call is not refused
            store(fitted.found, tuned, owner, objective)
    joined = fitted.joined
    for doubt in fitted.doubts:
        note(doubt)
    return Calibrated(Path(out), fitted.found, joined.missing, joined.learned, fitted.left_out, fitted.doubts)


def maker_of(run: Run, adapter: Path) -> "AdapterManifest":
    """The fine-tuned judge in a directory, which is to get a calibration of its own.

    Raises:
        InputError: It cannot be written, or did not make the run's labels.
        ModelError: There is no such judge.
    """
    from judge.labelling.config import read_tuned
    from judge.models.model import find_model

    check_writable(adapter)
    tuned, parts = read_tuned(adapter), run.manifest.parts
    made = (parts.get("adapter") or parts.get("declared_adapter")) == tuned.adapter
    # One without an adapter is known by its merged weights.
    if not made or (tuned.adapter is None and parts.get("weights") != find_model(str(adapter)).weights):
        raise InputError(f"{adapter}: did not make the labels in {run.path}", "name the judge that made them")
    return tuned


def store(found: Calibration, tuned: "AdapterManifest", adapter: Path, objective: Objective) -> None:
    """Give a fine-tuned judge a calibration: cut points or a blend as its `blend.json`, and a temperature and biases in
    its `judge.json`, in place of a blend where it has one. Where grades were the objective and nothing makes them
    better, it keeps what it has: a temperature and biases were not tried.

    The blend goes last: killed in between, the judge is as it was, and the same call ends whole.
    """
    from judge.files import sync, write_whole
    from judge.labelling import blending
    from judge.labelling.config import FILE

    if found.blend:
        write_whole(adapter / blending.FILE, found.as_text().encode())
        return
    if objective != "log_loss":
        what = objective.replace("_", " ")
        note(f"{adapter}: keeps the calibration that it has; nothing that was fitted makes its {what} better")
        return
    own = tuned.model_copy(update={"calibration": found.model_copy(update={"parts": {}})})
    write_whole(adapter / FILE, own.as_text().encode())
    blend = adapter / blending.FILE
    if blend.is_file():
        blend.unlink()
        sync(adapter)
        note(f"{blend}: removed; the judge's answers go through the calibration that was just fitted")


def chart_of(found: Calibration, joined: "Joined") -> str:
    """The reliability chart of probabilities before and after, as SVG."""
    import numpy as np

    from judge.calibration.chart import reliability_svg
    from judge.statistics.reliability import softmax, top_label

    held = found.held_out
    series = {
        "uncalibrated": top_label(softmax(joined.logprobs), joined.shares),
        "calibrated": (np.array(held.confidence), ~np.array(held.wrong)),
    }
    return reliability_svg("Reliability on held-out ratings", series)


def recalibrated(
    run: Run, calibration: Calibrated | str | os.PathLike[str], out: Path, max_noise: float | None
) -> Path:
    """The directory of the new run; see `Run.recalibrated`."""
    from judge.calibration.calibrate import read_calibration
    from judge.labelling.recalibrate import Recalibration

    path = calibration.path if isinstance(calibration, Calibrated) else Path(calibration)
    work, new = Recalibration(run, read_calibration(path), max_noise), Run(out)
    with new.writing():
        work.write(new)
    return new.path
