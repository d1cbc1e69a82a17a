"""A labelling job done to its end: a whole run on disk, or the labels of a few pairs in memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from judge.labelling.begin import fingerprint, read_input
from judge.labelling.job import Labelling
from judge.labelling.label import blocks
from judge.labelling.table import Block, ScoredBlock, table
from judge.run.labels import label_schema, label_table
from judge.run.manifest import Manifest
from judge.run.store import Run
from judge.run.summary import usage_of
from judge.run.usage import Price

Watch = Callable[[Manifest, int], AbstractContextManager[Callable[[int], None]]]
"""Told of a run and of how many of its rows have a label, before the others get theirs; what it gives is entered while
they do, and called with the number of new labels."""


def complete(job: Labelling, run: Run, watch: Watch, price: Price | None = None) -> int:
    """Label all of a run that has no label yet, and finish it; the caller holds `run.writing()`.

    `price` is what a chat endpoint's tokens cost.

    Returns:
        How many rows had their label before.

    Raises:
        InputError, ModelError: Something the user gave cannot be used.
        RunError: The directory holds a run of another fingerprint or input.
        EngineError: The engine cannot go on.
    """
    job.begin(run)
    done = run.labelled()
    if done < run.manifest.rows:
        with watch(run.manifest, done) as advance:
            job.go_on(run, advance)
    run.finish(usage_of(run, price))
    return done


def score(job: Labelling, directory: Path) -> Any:
    """The labels of all rows as an Arrow table of `label_schema()`, in input order: for few rows, nothing is kept.

    Args:
        job: What to score, and who judges.
        directory: Where the pairs are staged; scratch.

    Raises:
        InputError, ModelError: Something the user gave cannot be used.
        EngineError: The engine cannot go on.
    """
    import pyarrow as pa

    staged = read_input(job.source, job.guideline, directory)
    builder, engine = job.builder(), job.judge.open()
    made = fingerprint(job.guideline, job.parts).value
    tables = [label_table([])]
    for items in blocks(staged.path, 0, engine.block):
        prompts = builder.build([pair for pair, _ in items if pair is not None])
        judged = ScoredBlock(Block(items, prompts), engine.score(prompts) if prompts else [])
        labels = table(judged, job.guideline.values, made, job.judge_config)
        tables.append(labels.select(label_schema().names))
    return pa.concat_tables(tables).sort_by("row")
