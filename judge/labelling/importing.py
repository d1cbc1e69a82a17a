"""Grades that people already gave, as a run: they audit and export like a judge's."""

from dataclasses import replace

from judge.labelling.begin import begin_run, input_digest
from judge.labelling.label import read_pairs
from judge.labelling.table import skipped
from judge.pairs.stage import Source
from judge.records import Label, Status
from judge.run.labels import label_table
from judge.run.manifest import Tally
from judge.run.store import Run
from judge.words.guideline import Guideline


def import_run(run: Run, source: Source, guideline: Guideline) -> None:
    """Make a run directory from rows that bring a grade, with or without texts. The caller holds `run.writing()`.

    The labels have no probabilities: people gave none, and none are invented.

    Raises:
        InputError: Rows are wrong, and are not to be skipped.
        RunError: The directory holds another run.
    """
    source = replace(source, ids_alone=True)
    maker = begin_run(run, source, guideline, lambda: {"judge": "imported", "weights": input_digest(source.pairs)})
    start = run.position()
    for batch in read_pairs(run.pairs_path, start, size=50_000):
        labels = [
            skipped(row, maker.value)
            if pair is None
            else Label(
                row=pair.row,
                query_id=pair.query_id,
                candidate_id=pair.candidate_id,
                status=Status.GRADED,
                grade=row["grade"],
                fingerprint=maker.value,
            )
            for pair, row in batch
        ]
        run.append(start, label_table(labels), Tally())
        start += len(labels)
