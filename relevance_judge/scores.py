"""What `Judge.score` gives: a label for every pair, in their order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from judge.records import Label
from judge.words.guideline import Guideline
from relevance_judge import shown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, repr=False)
class Scores(shown.Result, Sequence[Label]):
    """Labels of pairs that were scored in memory: `scores[0].grade`, `scores.probabilities`."""

    labels: tuple[Label, ...]
    """One for each pair, in their order; `candidate_id` is the pair's number, from 1."""
    guideline: Guideline
    """What the grades mean."""

    @classmethod
    def of(cls, table: Any, guideline: Guideline) -> "Scores":
        """Of an Arrow table of labels."""
        return cls(tuple(Label(**row) for row in table.to_pylist()), guideline)

    @overload
    def __getitem__(self, index: int) -> Label: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Label, ...]: ...
    def __getitem__(self, index: int | slice) -> Label | tuple[Label, ...]:
        return self.labels[index]

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    @property
    def grades(self) -> tuple[int | None, ...]:
        """The grade of each pair; null where the judge abstained or could not be asked."""
        return tuple(label.grade for label in self.labels)

    @property
    def probabilities(self) -> "npt.NDArray[np.float64]":
        """Shape (pairs, grades), grades ascending; NaN where nothing was scored."""
        import numpy as np

        missing = (float("nan"),) * len(self.guideline.values)
        found = [missing if label.probabilities is None else label.probabilities for label in self.labels]
        return np.array(found, dtype=np.float64).reshape(len(self), len(missing))

    @property
    def expected_grades(self) -> "npt.NDArray[np.float64]":
        """The mean of the grades under the probabilities, shape (pairs,); NaN where nothing was scored."""
        import numpy as np

        found = [float("nan") if label.expected_grade is None else label.expected_grade for label in self.labels]
        return np.array(found, dtype=np.float64)

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with a row a pair and the columns of `Label`."""
        from judge.run.labels import label_table

        return label_table(self.labels)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        return shown.as_pandas(self.to_arrow())

    def _sheet(self) -> shown.Sheet:
        head = ("pair", "status", "grade", *(f"P({grade.value} {grade.name})" for grade in self.guideline.grades))
        rows = []
        for place, label in enumerate(self.labels[: shown.SHOWN], 1):
            chances = label.probabilities or (None,) * len(self.guideline.values)
            grade = "–" if label.grade is None else label.grade
            rows.append((place, label.status, grade, *map(shown.number, chances)))
        return shown.Sheet("scored pairs", head, rows, len(self))
