"""How good search is by people's grades, and whether it gets better."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from judge.files import new_file
from judge.words.guideline import DEFAULT, load_guideline
from relevance_judge import shown
from relevance_judge.inputs import AnyRun, Rows, as_file, as_optional_file, as_run
from relevance_judge.reading import RatingOptions, Reading
from relevance_judge.searching import System, as_systems

if TYPE_CHECKING:
    from retriever.evaluation import Comparison, Evaluation, SystemReport


@dataclass(frozen=True, repr=False)
class Evaluated(shown.Result, Mapping[str, "SystemReport"]):
    """Systems by name, each with its figures: `found["bm25"].figures["full"]["ndcg@10"].value`."""

    report: "Evaluation"
    """Everything that `judge evaluate` tells."""

    def __getitem__(self, system: str) -> "SystemReport":
        for each in self.report.systems:
            if each.name == system:
                return each
        raise KeyError(system)

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self.report.systems)

    def __len__(self) -> int:
        return len(self.report.systems)

    @property
    def comparisons(self) -> Sequence["Comparison"]:
        """Systems less baselines, query by query."""
        return self.report.comparisons

    def as_json(self) -> dict[str, Any]:
        """The whole report as JSON values, as `judge evaluate --json` prints it."""
        return self.report.as_json()

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with a row a figure: `system, column, measure, value, low, high, queries, reason`."""
        import pyarrow as pa

        number, text = pa.float64(), pa.string()
        names = ("system", "column", "measure", "value", "low", "high", "queries", "reason")
        kinds = (text, text, text, number, number, number, pa.int64(), text)
        rows = [
            (each.name, column, name, mean.value, mean.low, mean.high, mean.n, mean.reason)
            for each in self.report.systems
            for column, some in each.figures.items()
            for name, mean in some.items()
        ]
        schema = pa.schema(list(zip(names, kinds, strict=True)))
        return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=schema)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        return shown.as_pandas(self.to_arrow())

    def write_report(self, out: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the report as one page of HTML.

        Raises:
            InputError: The file is already there, or cannot be written.
        """
        from retriever.page import render

        with new_file(Path(out), overwrite=overwrite) as partial:
            partial.write_text(render(self.as_json()), encoding="utf-8")
        return Path(out)

    def _sheet(self) -> shown.Sheet:
        primary = self.report.primary
        rows = [
            (each.name, column, shown.number(mean.value), _between(mean), f"{mean.n:,}")
            for each in self.report.systems
            for column, some in each.figures.items()
            for mean in [some[primary]]
        ]
        for each in self.report.comparisons:
            for column, gaps in each.differences.items():
                gap = gaps[primary]
                name = f"{each.system} less {each.baseline}: {gap.verdict}"
                rows.append((name, column, shown.number(gap.value), _between(gap), f"{gap.n:,}"))
        head = ("system", "results", "value", "95% interval", "queries")
        return shown.Sheet(self.report.measures[primary], head, rows)


def evaluate(
    systems: System | Sequence[System],
    ratings: Rows,
    catalogue: Rows,
    *,
    against: System | Sequence[System] = (),
    at: int = 10,
    recall_at: int = 50,
    relevant: int | None = None,
    gain: Literal["exponential", "linear"] = "exponential",
    text: Literal["auto", "title", "all"] = "auto",
    misspell: bool = True,
    fill: AnyRun | None = None,
    fill_sample: Rows | None = None,
    holes: str | os.PathLike[str] | None = None,
    seed: int = 0,
    guideline: str | os.PathLike[str] = DEFAULT,
    **reading: Unpack[RatingOptions],
) -> Evaluated:
    """Measure search by people's grades, and compare systems with baselines query by query.

    Args:
        systems: What to evaluate.
        ratings: People's grades (`--gold`): a row a grade, or a row a pair.
        catalogue: Products with `candidate_id` and their texts.
        against: Baselines.
        at: Results that are looked at.
        recall_at: Results that recall looks at.
        relevant: The lowest grade of a relevant product; the highest grade unless given.
        gain: What a grade g above the lowest is worth in NDCG: 2^g - 1, or g.
        text: What an encoder reads of a product; see `search`.
        misspell: Ask models the queries with a typing error, too.
        fill: A labelled run whose grades stand, in a column of their own, where people gave none.
        fill_sample: People's grades of a random sample of those, by which the column is corrected.
        holes: A CSV file to write: the unjudged pairs of the first results, in a random order, to label and to rate.
        seed: Draws typing errors, and orders `holes`.
        guideline: What grades mean, and which fields a product has.
        reading: See `RatingOptions`.

    Raises:
        InputError: A table or an option cannot be used.
        ModelError: An encoder cannot be found or loaded.
        RunError: The run that fills cannot be read.
    """
    from retriever.evaluate import EvaluationConfig, EvaluationJob

    how, policy = Reading(**reading), load_guideline(str(guideline))
    config = EvaluationConfig(at, recall_at, relevant, gain, text, misspell, seed, how.encoding)
    with ExitStack() as stack:
        rated, name = stack.enter_context(as_file(ratings, "ratings"))
        products, products_name = stack.enter_context(as_file(catalogue, "catalogue"))
        sample, sample_name = stack.enter_context(as_optional_file(fill_sample, "fill_sample"))
        job = EvaluationJob(
            as_systems(systems),
            as_systems(against),
            rated,
            products,
            policy,
            how.layout,
            config,
            fill=as_run(fill) if fill is not None else None,
            fill_sample=sample,
            holes=Path(holes) if holes is not None else None,
            names={"gold": name, "catalogue": products_name, **({"sample": sample_name} if sample_name else {})},
        )
        return Evaluated(job.run())


def _between(mean: Any) -> str:
    return mean.reason or "" if mean.low is None else f"{mean.low:.3f} to {mean.high:.3f}"
