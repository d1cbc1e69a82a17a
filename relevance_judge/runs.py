"""A run directory in Python: labels, flags and exports of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from judge.run import store
from relevance_judge import shown
from relevance_judge.exports import Exported, SelectionOptions, export

if TYPE_CHECKING:
    from judge.export.hub import Published
    from judge.run.summary import Summary
    from judge.words.guideline import Guideline
    from relevance_judge.calibrating import Calibrated
    from relevance_judge.inputs import AnyRun
    from relevance_judge.publishing import PushOptions


@dataclass(frozen=True)
class Run:
    """A run: every input row with its label, in a directory. Take one up again with `Run.open`."""

    path: Path

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Run":
        """A run that `label`, `import_ratings` or their verbs wrote.

        Raises:
            RunError: There is none at this path.
        """
        return cls(store.Run.open(Path(path)).path)

    @property
    def stored(self) -> store.Run:
        """The directory as the verbs have it."""
        return store.Run.open(self.path)

    @property
    def summary(self) -> "Summary":
        """Counts by status and grade, confidence and time, as `judge status` shows them."""
        from judge.run.summary import summarise

        return summarise(self.stored)

    @property
    def fingerprint(self) -> str:
        """What made the labels, in 16 hex digits: two runs are comparable where it is equal."""
        return self.stored.manifest.fingerprint

    @cached_property
    def guideline(self) -> "Guideline":
        """What the grades mean."""
        return self.stored.manifest.policy

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with a row for every input row, in input order.

        Columns: `query_id, query, candidate_id, status, grade, probabilities, expected_grade, reason`. Decisions are
        applied: `label_grade` keeps the label's own grade, `decided_by` and `decision_reason` say who decided and why.

        Raises:
            RunError: The run is unfinished.
        """
        from judge.export.everything import every_row
        from judge.run.decided import Decided

        return every_row(Decided.of(self.stored))

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        return shown.as_pandas(self.to_arrow())

    def export(
        self,
        format: str,
        out: str | os.PathLike[str] | None = None,
        *,
        others: "Sequence[AnyRun]" = (),
        prefer: "AnyRun | None" = None,
        **options: Unpack[SelectionOptions],
    ) -> Exported:
        """Write the labels in one format; see `relevance_judge.export`."""
        return export(self.path, format, out, others=others, prefer=prefer, **options)

    def recalibrated(
        self,
        calibration: "Calibrated | str | os.PathLike[str]",
        out: str | os.PathLike[str],
        *,
        max_noise: float | None = None,
    ) -> "Run":
        """The labels under another calibration, as a new run: nothing is judged again. Killed, the same call goes on.

        Args:
            calibration: What `calibrate` gave, or its file.
            out: The new run's directory.
            max_noise: Abstain on uncertain pairs so that at most this share of grades is wrong.

        Raises:
            InputError: The calibration is for another judge or guideline, or cannot promise `max_noise`.
            ModelError: The encoder that a blend needs is not installed.
            RunError: The run is unfinished, or its judge's own probabilities cannot be had.
        """
        from relevance_judge.calibrating import recalibrated

        return Run(recalibrated(self.stored, calibration, Path(out), max_noise))

    def push(self, repo: str, **options: "Unpack[PushOptions]") -> "Published":
        """Publish the labels as a dataset of the Hugging Face Hub; see `relevance_judge.push`."""
        from relevance_judge.publishing import push

        return push(self.path, repo, **options)

    def _repr_html_(self) -> str:
        found = self.summary
        rows = [("input rows", f"{found.rows:,}")]
        rows += [(status, f"{count:,}") for status, count in found.status.items()]
        if not found.done:
            rows.append(("not labelled yet", f"{found.rows - found.labelled:,}"))
        by_grade = sorted(found.grades.items(), key=lambda item: -int(item[0]))
        rows += [(f"grade {grade} {found.grade_names[grade]}", f"{count:,}") for grade, count in by_grade]
        rows += [("mean confidence", shown.number(found.mean_confidence)), ("judge", found.judge)]
        rows += [("without a grade", f"{count:,} × {reason}") for reason, count in found.reasons.items()]
        if found.missing_fields:
            rows.append(("fields found nowhere", ", ".join(found.missing_fields)))
        rows += [(f"{name} is read from", columns) for name, columns in found.passed_over.items()]
        return shown.table(str(self.path), ("", ""), rows)
