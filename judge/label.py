"""Labelling: staged pairs through prompts and an engine into the parts of a run directory.

Pairs go to the engine in blocks whose bounds depend on the input alone, and parts end where blocks end. So a run that
was killed goes on with exactly the batches that it would have had, and its labels are those of a run that was not.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from judge.adapter import Manner
from judge.engines import Engine
from judge.prompt import PromptBuilder
from judge.records import Failure, Label, Pair, Scores, Status
from judge.store import Run, Tally

PART_SECONDS = 5.0
"""A part is written after so long: what a kill can cost."""
PART_LABELS = 50_000
"""A part is written after so many labels: what memory has to hold."""

PLAIN = Manner()
"""Answers are taken as they come."""

Item = tuple[Pair | None, dict[str, Any]]


def label_run(
    run: Run,
    builder: PromptBuilder,
    engine: Engine,
    progress: Callable[[int], None] = lambda rows: None,
    manner: Manner = PLAIN,
) -> Tally:
    """Label everything in a run that has no label yet, and tell what this sitting took.

    Args:
        run: A run whose manifest and pairs are on disk; the caller holds `run.writing()`.
        builder: Makes the prompts.
        engine: Scores them.
        progress: Called with the number of rows that have been labelled since the last call.
        manner: How answers are calibrated, and from which confidence on they are taken.
    """
    manifest = run.manifest
    writer = _Writer(run)
    for block in blocks(run.pairs_path, writer.start, engine.block):
        prompts = builder.build([pair for pair, _ in block if pair is not None])
        answers = iter(engine.score(prompts) if prompts else [])
        labels = [
            skipped(row, manifest.fingerprint)
            if pair is None
            else labelled_pair(pair, next(answers), manifest.values, manifest.fingerprint, manner)
            for pair, row in block
        ]
        writer.add(labels, Tally(judged=len(prompts), cut=Counter(name for prompt in prompts for name in prompt.cut)))
        progress(len(block))
    writer.flush()
    return writer.total


class _Writer:
    """Gathers labels of whole blocks, and writes a part when time or memory asks for it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.start = run.labelled()
        self.total = Tally()
        self._labels: list[Label] = []
        self._tally = Tally()
        self._since = time.monotonic()

    def add(self, labels: Sequence[Label], tally: Tally) -> None:
        self._labels += labels
        self._tally += tally
        if time.monotonic() - self._since > PART_SECONDS or len(self._labels) >= PART_LABELS:
            self.flush()

    def flush(self) -> None:
        tally = self._tally + Tally(seconds=time.monotonic() - self._since)
        if self._labels:
            self.run.append(self.start, self._labels, tally)
        self.start += len(self._labels)
        self.total += tally
        self._labels, self._tally, self._since = [], Tally(), time.monotonic()


def blocks(path: Path, start: int, size: int) -> Iterator[list[Item]]:
    """Staged rows from a block's start on, in blocks of about `size` that end where a query ends if they can."""
    block: list[Item] = []
    for batch in read_pairs(path, start):
        for item in batch:
            if len(block) >= 2 * size or (len(block) >= size and item[1]["query_id"] != block[-1][1]["query_id"]):
                yield block
                block = []
            block.append(item)
    if block:
        yield block


def read_pairs(path: Path, start: int = 0, size: int = 4096) -> Iterator[list[tuple[Pair | None, dict[str, Any]]]]:
    """Staged rows from position `start` on, in batches: the pair to judge (null where skipped) and the raw row."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    groups: list[int] = []
    begin = offset = 0
    for index in range(file.num_row_groups):
        count = file.metadata.row_group(index).num_rows
        if begin + count > start:
            offset = start - begin if not groups else offset
            groups.append(index)
        begin += count
    for batch in file.iter_batches(batch_size=size, row_groups=groups):
        rows = batch.to_pylist()[offset:]
        offset = max(0, offset - batch.num_rows)
        if rows:
            yield [(None if row["skip"] is not None else _pair(row), row) for row in rows]


def _pair(row: dict[str, Any]) -> Pair:
    candidate = {name: text for name, text in (row["candidate"] or {}).items() if text is not None}
    names = ("row", "query_id", "query", "candidate_id", "locale")
    return Pair.model_construct(candidate=candidate, **{name: row[name] for name in names})


def labelled_pair(
    pair: Pair, answer: Scores | Failure, values: Sequence[int], fingerprint: str, manner: Manner = PLAIN
) -> Label:
    """The label that an engine's answer makes: the likeliest grade, the lower one on a tie; none where it is unsure."""
    identity: dict[str, Any] = {name: getattr(pair, name) for name in ("row", "query_id", "candidate_id")}
    identity["fingerprint"] = fingerprint
    if isinstance(answer, Failure):
        return Label(**identity, status=Status.FAILED, reason=answer.reason)
    highest = max(answer.logprobs)
    if not math.isfinite(highest) or any(math.isnan(value) for value in answer.logprobs):
        return Label(**identity, status=Status.FAILED, reason="the judge gave no finite score")
    if manner.calibration is not None:
        probabilities = tuple(manner.calibration.apply(answer.logprobs).tolist())
    else:
        weights = [math.exp(value - highest) for value in answer.logprobs]
        probabilities = tuple(weight / sum(weights) for weight in weights)
    sure, least = max(probabilities), manner.threshold.least if manner.threshold else 0.0
    return Label(
        **identity,
        status=Status.GRADED if sure >= least else Status.ABSTAINED,
        grade=values[probabilities.index(sure)] if sure >= least else None,
        probabilities=probabilities,
        expected_grade=sum(p * value for p, value in zip(probabilities, values, strict=True)),
        outside_mass=answer.outside_mass,
        reason=None if sure >= least else f"not sure enough: confidence below {least:.3f}",
    )


def skipped(row: Mapping[str, Any], fingerprint: str) -> Label:
    """The label of a row that is not judged."""
    return Label(
        row=row["row"],
        query_id=row["query_id"],
        candidate_id=row["candidate_id"],
        status=Status.SKIPPED,
        reason=row["skip"],
        fingerprint=fingerprint,
    )
