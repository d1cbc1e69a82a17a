"""A run's labels written in one of the export's formats."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from judge.errors import InputError, install
from judge.export.formats import formats
from judge.export.joined import Join
from judge.export.ledger import Exported as Line
from judge.export.selection import TRAIN, Negatives, Selection, make_selection
from judge.export.writing import check_used
from judge.export.writing import export as write
from judge.fingerprint import digest
from judge.run.store import Run
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, as_run


class SelectionOptions(TypedDict, total=False):
    """Which labels are exported, and how; unless given, all that have a grade."""

    splits: Mapping[str, float]
    """Shares of the queries, which sum to 1, such as `{"train": 0.9, "test": 0.1}`."""
    products: Literal["apart", "shared"]
    """Whether a product may be on two sides of a split: `apart` or `shared`."""
    min_confidence: float
    """Leave out grades less probable than this; people's grades are certain."""
    per_query: int
    """At most so many rows of a query, its grades taken in turn."""
    balance: bool
    """As many rows of each grade as of the rarest."""
    without_flagged: bool
    """Leave out labels that are flagged and undecided."""
    fields: Sequence[str]
    """The candidate's fields that make its text; all of the guideline's, in order."""
    score: Literal["grade", "expected"]
    """What a scored pair's score is: `grade` or `expected`, in [0, 1]."""
    labelled: bool
    """Pairs with the grade as a class, not a score."""
    hard: Literal["any", "first", "only"]
    """Hard products of mined pairs: as any other, before the others of their grade, or in every record."""
    negatives: Mapping[str, Any]
    """Which lower grades are set against a positive: `count`, `mix` (`even`, `near`, `far`), `min_confidence`,
    `positives`."""
    overwrite: bool
    """Replace what is already there."""


@dataclass(frozen=True, repr=False)
class Exported(shown.Result):
    """A finished export."""

    path: Path
    """The file; with splits, and for `beir`, the folder."""
    line: Line
    """What the run's ledger says of it."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of it."""
        return (self.path,) if self.path.is_file() else tuple(self.path / name for name in self.line.files)

    @property
    def records(self) -> Mapping[str, int]:
        """Records by split."""
        return self.line.records

    @property
    def left_out(self) -> Mapping[str, int]:
        """Input rows by the reason why they are in no record."""
        return self.line.left_out

    def to_dataset(self) -> Any:
        """A `datasets.DatasetDict` of the splits, held in memory; for formats that are Parquet.

        Larger ones are mapped from `files` by `datasets.load_dataset("parquet", data_files=…)`.

        Raises:
            InputError: The format is no Parquet, or `datasets` is not installed.
        """
        if any(path.suffix != ".parquet" for path in self.files):
            raise InputError(
                f"{self.path}: {self.line.format} is not written as Parquet", "export to judgments or pairs"
            )
        if find_spec("datasets") is None:
            raise InputError("datasets is not installed", install("hub"))
        import pyarrow.parquet as pq
        from datasets import Dataset, DatasetDict

        named = {self._split(path): path for path in self.files}
        return DatasetDict({split: Dataset(pq.read_table(named[split])) for split in self.records})

    def _split(self, path: Path) -> str:
        return path.name.partition("-")[0] if self.line.selection.splits else TRAIN

    def _sheet(self) -> shown.Sheet:
        rows = [("input rows", f"{self.line.input_rows:,}"), ("exported", f"{self.line.used:,}")]
        rows += [(f"left out: {reason}", f"{count:,}") for reason, count in self.left_out.items()]
        rows += [(f"records of {split}", f"{count:,}") for split, count in self.records.items()]
        if self.line.undecided:
            rows.append(("in it flagged and undecided", f"{self.line.undecided:,}"))
        return shown.Sheet(f"{self.line.format} in {self.path}", ("", ""), rows)


def export(
    run: AnyRun,
    format: str,
    out: str | os.PathLike[str] | None = None,
    *,
    others: Sequence[AnyRun] = (),
    prefer: AnyRun | None = None,
    **options: Unpack[SelectionOptions],
) -> Exported:
    """Write a finished run's labels in one format: training sets, qrels, or sheets for other tools.

    Args:
        run: The run, or its directory.
        format: One of those of `judge export --to`, which docs/export.md lists; some hold every input row.
        out: The file to write; with splits, and for `beir`, the folder. Unless given, a place in `RUN/exports/`, whose
            name says format, selection and runs: the same export again takes its place.
        others: Runs whose labels are exported too; every pair has one label of one run.
        prefer: The run whose grade counts where runs differ on a pair; unless given, that is refused.
        options: See `SelectionOptions`.

    Raises:
        InputError: There is no such format, an option is none that can be, or nothing is left to write.
        RunError: The run is unfinished.
    """
    overwrite = options.get("overwrite", False)
    selection, opened = as_selection({k: v for k, v in options.items() if k != "overwrite"}), as_run(run)
    check_used(format, selection)
    join = join_of([as_run(other) for other in others], None if prefer is None else as_run(prefer).path)
    if out is None:
        asked = selection.model_dump(mode="json", exclude_defaults=True)  # an option added later renames none
        asked |= {"runs": [*map(str, join.paths)]} if join else {}
        place = _place(opened, format, asked, folder=bool(selection.splits))
        return Exported(place, write(opened, format, place, selection, overwrite=True, join=join))
    return Exported(Path(out), write(opened, format, Path(out), selection, overwrite=overwrite, join=join))


def join_of(others: Sequence[Run], prefer: Path | None) -> Join | None:
    """The further runs that an export takes in; null for one run.

    Raises:
        InputError: One is preferred, and there are no others.
    """
    if prefer and not others:
        raise InputError("--prefer: there is one run", "name others with --with RUN, or leave it out")
    return Join(others, prefer) if others else None


def as_selection(options: Mapping[str, Any]) -> Selection:
    """The selection that a caller's `SelectionOptions` come to.

    Raises:
        InputError: An option is none that can be.
    """
    given = dict(options)
    given["negatives"] = {**Negatives().model_dump(), **given.pop("negatives", {})}
    given["flagged"] = "leave_out" if given.pop("without_flagged", False) else "keep"
    given["pairs"] = "labelled" if given.pop("labelled", False) else "scored"
    return make_selection(**given)


def _place(run: Run, form: str, selection: Mapping[str, Any], *, folder: bool) -> Path:
    """Where an export goes that was given no place."""
    name = f"{form}-{digest(dict(selection))[:8]}"
    known = formats().get(form)  # of a format that does not exist the export says so
    suffix = known.file_suffix if known and not folder else ""
    return run.path / "exports" / f"{name}{suffix}"
