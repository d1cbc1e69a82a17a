"""How well a run agrees with people, and people with each other."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from audit.agreement import agree as agreement
from audit.agreement.page import render
from judge.errors import InputError
from judge.files import new_file
from judge.ratings.candidates import read_texts
from judge.ratings.layout import TEXTS, RatingsLayout
from judge.ratings.remembered import fitting_columns
from judge.run import store
from judge.statistics.agreement import shown_in
from judge.statistics.intervals import Estimate
from judge.words.guideline import DEFAULT, load_guideline
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, Rows, as_file, as_optional_file, as_run
from relevance_judge.reading import RatingOptions, Reading


@dataclass(frozen=True, repr=False)
class Agreement(shown.Result, Mapping[str, Estimate]):
    """Measures by name, each with its interval: `found["weighted_kappa"].interval`."""

    report: agreement.Report
    """Everything that `judge agree` knows: raters, clauses, segments, disagreements."""

    def __getitem__(self, measure: str) -> Estimate:
        return self.report.primary[measure]

    def __iter__(self) -> Iterator[str]:
        return iter(self.report.primary.figures)

    def __len__(self) -> int:
        return len(self.report.primary.figures)

    @property
    def judged(self) -> str:
        """Who is compared: the run's folder, or a rater."""
        return self.report.primary.judged

    @property
    def reference(self) -> str:
        """With whom: `majority`, the gold column or a rater."""
        return self.report.primary.reference

    @property
    def n(self) -> int:
        """Pairs that both graded."""
        return self.report.primary.n

    @property
    def queries(self) -> int:
        """Queries of those pairs."""
        return self.report.primary.queries

    @property
    def coverage(self) -> float | None:
        """The share of rated pairs that were compared."""
        return self.report.coverage

    @property
    def confusion(self) -> Sequence[Sequence[int]]:
        """Rows: the reference's grade; columns: the judged one's; both ascending."""
        return self.report.primary.confusion

    def as_json(self) -> dict[str, Any]:
        """The whole report as JSON values, as `judge agree --json` prints it."""
        return self.report.as_json()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with a row a measure: `measure, value, low, high, reason`."""
        import pyarrow as pa

        number, text = pa.float64(), pa.string()
        schema = pa.schema([("measure", text), ("value", number), ("low", number), ("high", number), ("reason", text)])
        return pa.Table.from_pylist([{"measure": name, **self[name].as_json()} for name in self], schema=schema)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        return shown.as_pandas(self.to_arrow())

    def write_report(self, out: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the report as one page of HTML.

        Raises:
            InputError: The file is already there, or cannot be written.
        """
        with new_file(Path(out), overwrite=overwrite) as partial:
            partial.write_text(render(self.as_json()), encoding="utf-8")
        return Path(out)

    def chart(self) -> shown.Chart:
        """The measures with their intervals."""
        return shown.intervals(f"{self.judged} vs {self.reference}", {name: self[name] for name in self._first})

    def reliability(self) -> shown.Chart:
        """How often the judge is right, by how sure it says it is; empty where its labels have no probabilities."""
        charts = self.report.charts
        return shown.reliability(f"Reliability of {self.judged}", charts.reliability if charts else ())

    @property
    def _first(self) -> list[str]:
        return [name for name in shown_in("card") if name in self]

    def _sheet(self) -> shown.Sheet:
        rows = []
        for name in self._first:
            found = self[name]
            between = f"{found.low:.3f} to {found.high:.3f}" if found.interval else found.reason or ""
            rows.append((name, shown.number(found.value), between))
        rows.insert(0, ("pairs", f"{self.n:,}", f"of {self.queries:,} queries; {self.report.rated:,} rated"))
        return shown.Sheet(f"{self.judged} vs {self.reference}", ("", "value", "95% interval"), rows)


def agree(
    runs: AnyRun | Sequence[AnyRun] | None,
    ratings: Rows,
    *,
    catalogue: Rows | None = None,
    reference: str | None = None,
    epsilon: float = 0.2,
    guideline: str | os.PathLike[str] = DEFAULT,
    **reading: Unpack[RatingOptions],
) -> Agreement:
    """Compare a run with people's grades, or people with each other. Intervals are 95%, by resampling queries.

    Args:
        runs: A run or its directory; of several, the first is the one that is measured, and null compares people.
        ratings: A row a grade (with `rater`), or a row a pair.
        catalogue: Candidates with their texts, for pairs that no run knows.
        reference: What runs are compared with: `gold`, `majority` or a rater; gold where there is one.
        epsilon: Tolerated disadvantage against a human rater: 0.2 for experts, 0.1 for crowds.
        guideline: What the grades mean where there is no run to say it.
        reading: See `RatingOptions`.

    Raises:
        InputError: The ratings cannot be used, or there is nothing to compare them with.
        RunError: There is no such run.
    """
    if not 0 <= epsilon <= 1:
        raise InputError(f"epsilon={epsilon}: is not between 0 and 1", "0.2 unless given")
    layout = Reading(**reading).layout
    several = () if runs is None else runs if isinstance(runs, list | tuple) else (runs,)
    opened = [as_run(run) for run in several]
    with as_file(ratings, "ratings") as (path, name), as_optional_file(catalogue, "catalogue") as (texts, texts_name):
        question = agreement.Question(
            path,
            layout,
            runs=opened,
            guideline=load_guideline(str(guideline)),
            reference=reference,
            name=name,
            texts=texts_of(texts, layout, opened, texts_name),
            epsilon=epsilon,
        )
        return Agreement(agreement.agree(question))


def texts_of(
    catalogue: Path | None, layout: RatingsLayout, runs: Sequence[store.Run], name: str | None = None
) -> dict[str, dict[str, str]]:
    """What a report shows of candidates that no run knows, by `candidate_id`; nothing without a catalogue.

    Raises:
        InputError: The catalogue cannot be used.
    """
    if catalogue is None:
        return {}
    columns = fitting_columns(runs, [catalogue], ("candidate_id", *TEXTS), layout.mapping, layout.encoding)
    return read_texts(catalogue, {**layout.mapping, **columns}, name, layout.encoding)
