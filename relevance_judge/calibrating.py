"""Calibrations: fitted on rated pairs, and applied to runs that are there."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from judge.calibration.calibrate import Calibration
from judge.calibration.cuts import OBJECTIVES, Objective
from judge.errors import InputError
from judge.run import store
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, Rows, as_file, as_run
from relevance_judge.reading import RatingOptions, Reading


@dataclass(frozen=True)
class Calibrated:
    """A calibration in a file."""

    path: Path
    record: Calibration
    """What is in the file: form, numbers, and figures before and after, cross-fitted over queries."""

    @property
    def form(self) -> str:
        """What was kept: `nothing`, `temperature`, `temperature and biases`, `cut points` or `blend`."""
        return self.record.form

    def _repr_html_(self) -> str:
        before, after = self.record.before, self.record.after
        names = ("accuracy", "log_loss", "brier", "calibration_error")
        rows = [(name, *(shown.number(getattr(each, name)) for each in (before, after))) for name in names]
        return shown.table(f"{self.form} in {self.path}", ("", "before", "after"), rows)


def calibrate(
    run: AnyRun,
    ratings: Rows,
    *,
    out: str | os.PathLike[str],
    features: Sequence[str] = (),
    objective: Objective = "log_loss",
    overwrite: bool = False,
    **reading: Unpack[RatingOptions],
) -> Calibrated:
    """Fit a calibration to ratings of a run's pairs, in the simplest form that is not beaten by more than chance.

    Args:
        run: A run with probabilities for the rated pairs, or its directory.
        ratings: Ratings that the judge was not fine-tuned on.
        out: The file to write.
        features: What cut points or a blend may be of: `judge`, `overlap`, `cosine` (with the embedded encoder).
            Without any, a temperature and biases are tried alone.
        objective: What has to get better: `log_loss`, `quadratic_kappa` or `accuracy`.
        overwrite: Replace a file that is already there.
        reading: See `RatingOptions`; `gold` is not used.

    Raises:
        InputError: The ratings or an option cannot be used.
        ModelError: The encoder that a feature needs is not installed.
        RunError: The run's own probabilities cannot be had.
    """
    from judge.files import new_file

    how, stored = Reading(**reading), store.Run.open(as_run(run).path)
    how.refuse("gold", fix="name the raters with raters")
    if objective not in OBJECTIVES:
        raise InputError(f"objective={objective!r}: is unknown", f"name one of {', '.join(OBJECTIVES)}")
    from finetune.held_out import calibrate_run

    with as_file(ratings, "ratings", stored.path) as (path, name):
        found = calibrate_run(stored, path, name, how.layout, (features, objective)).found
    with new_file(Path(out), overwrite=overwrite) as partial:
        partial.write_text(found.as_text(), encoding="utf-8")
    return Calibrated(Path(out), found)


def recalibrated(
    run: store.Run, calibration: Calibrated | str | os.PathLike[str], out: Path, max_noise: float | None
) -> Path:
    """The directory of the new run; see `Run.recalibrated`."""
    from judge.calibration.calibrate import read_calibration
    from judge.labelling.recalibrate import Recalibration

    path = calibration.path if isinstance(calibration, Calibrated) else Path(calibration)
    work, new = Recalibration(run, read_calibration(path), max_noise), store.Run(out)
    with new.writing():
        work.write(new)
    return new.path
