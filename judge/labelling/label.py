"""Labelling: staged pairs through prompts and an engine into the parts of a run directory.

Pairs go to the engine in blocks whose bounds depend on the input alone, and parts end where blocks end. So a run that
was killed resumes with exactly the batches that it would have had, and its labels are those of a run that was not.
Reading and tokenising run a few blocks ahead of the engine, and writing behind it, each in a thread of its own.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.engines import Builder, Engine
from judge.labelling.config import JudgeConfig
from judge.labelling.prefetch import background, prefetch
from judge.records import Choice, Failure, Label, Outcome, Pair, Scores, Status
from judge.run.labels import label_schema
from judge.run.manifest import Tally
from judge.run.store import Run
from judge.statistics.reliability import likeliest

PART_SECONDS = 5.0
"""A part is written after so long: what a kill can cost."""
PART_LABELS = 50_000
"""A part is written after so many labels: what memory has to hold."""

NOT_FINITE = "the judge gave no finite score"
UNKNOWN = "not sure enough: the judge told no confidence"
PLAIN = JudgeConfig()
"""Answers are taken as they arrive."""

Item = tuple[Pair | None, dict[str, Any]]
"""A pair to judge (null where its row is skipped), and the row's other columns."""


def label_run(
    run: Run,
    builder: Builder,
    engine: Engine,
    progress: Callable[[int], None] = lambda rows: None,
    judge_config: JudgeConfig = PLAIN,
) -> Tally:
    """Label everything in a run that has no label yet, and tell what this sitting took.

    Args:
        run: A run whose manifest and pairs are on disk; the caller holds `run.writing()`.
        builder: Makes the prompts.
        engine: Answers them.
        progress: Called with the number of rows that have been labelled since the last call.
        judge_config: How answers are calibrated, and the confidence below which the judge abstains.
    """
    writer = _Writer(run, judge_config)

    def prepared() -> Iterator[Block]:
        for items in blocks(run.pairs_path, writer.start, engine.block):
            yield Block(items, builder.build([pair for pair, _ in items if pair is not None]))

    with background(writer.add) as write:
        for block in prefetch(prepared()):
            write(ScoredBlock(block, engine.score(block.prompts) if block.prompts else []))
            progress(len(block.items))
    writer.flush()
    return writer.total


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring rows, and the prompts of those that are judged."""

    items: list[Item]
    prompts: Sequence[Any]


@dataclass(frozen=True, slots=True)
class ScoredBlock:
    """A block with an answer for each prompt."""

    block: Block
    answers: Sequence[Outcome]


class _Writer:
    """Gathers labels of whole blocks, and writes a part when time or memory asks for it."""

    def __init__(self, run: Run, judge_config: JudgeConfig) -> None:
        self.run = run
        self._judge_config = judge_config
        manifest = run.manifest
        self._values, self._fingerprint = manifest.values, manifest.fingerprint
        self.start = run.labelled()
        self.total = Tally()
        self._tables: list[Any] = []
        self._rows = 0
        self._judged = 0
        self._cut: Counter[str] = Counter()
        self._since = time.monotonic()

    def add(self, judged: ScoredBlock) -> None:
        self._tables.append(table(judged, self._values, self._fingerprint, self._judge_config))
        self._rows += len(judged.block.items)
        self._judged += len(judged.answers)
        self._cut.update(name for prompt in judged.block.prompts for name in prompt.cut)
        if time.monotonic() - self._since > PART_SECONDS or self._rows >= PART_LABELS:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        tally = Tally(judged=self._judged, seconds=time.monotonic() - self._since, cut=self._cut)
        if self._tables:
            self.run.append(self.start, pa.concat_tables(self._tables), tally)
        self.start += self._rows
        self.total += tally
        self._tables, self._rows, self._judged, self._cut = [], 0, 0, Counter()
        self._since = time.monotonic()


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


def read_pairs(path: Path, start: int = 0, size: int = 4096) -> Iterator[list[Item]]:
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
    # Group by group: a group has as many rows as memory holds of their texts, and a batch would go across them.
    for group in groups:
        for batch in file.iter_batches(batch_size=size, row_groups=[group]):
            rest = batch.slice(offset)
            offset = max(0, offset - batch.num_rows)
            if rest.num_rows:
                yield _items(rest)


def _items(batch: Any) -> list[Item]:
    """Rows of an Arrow batch, read column by column: a tenth of the time of making a dictionary of dictionaries."""
    candidates = batch.column("candidate")
    texts = [candidates.field(field.name).to_pylist() for field in candidates.type]
    names = [field.name for field in candidates.type]
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names if name != "candidate"}
    fixed = zip(*(columns[name] for name in ("row", "query_id", "query", "candidate_id", "locale")), strict=True)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    fields = zip(*texts, strict=True) if texts else iter([()] * len(rows))
    items: list[Item] = []
    for row, (number, query_id, query, candidate_id, locale), cells in zip(rows, fixed, fields, strict=True):
        pair = None
        if row["skip"] is None:
            candidate = {name: text for name, text in zip(names, cells, strict=True) if text is not None}
            pair = Pair(number, query_id, query, candidate_id, candidate, locale)
        items.append((pair, row))
    return items


def table(judged: ScoredBlock, values: Sequence[int], fingerprint: str, judge_config: JudgeConfig = PLAIN) -> Any:
    """The labels of a block as an Arrow table with the columns of `Label`: the most probable grade; none where several
    are equally probable, or the judge is not sure enough. A grade that came alone stays, without probabilities; where a
    threshold asks for confidence, there is none to hold against it, and the pair is left to people.

    Computed column by column: as records, a million labels would take longer than everything else around the judge.
    """
    import numpy as np
    import pyarrow as pa

    items, answers = judged.block.items, judged.answers
    asked = np.array([pair is not None for pair, _ in items], dtype=bool)
    nothing = Scores((float("nan"),) * len(values), None)
    given = [answer if isinstance(answer, Scores) else nothing for answer in answers]
    logprobs = np.full((len(items), len(values)), np.nan)
    logprobs[asked] = np.array([score.logprobs for score in given], dtype=float).reshape(-1, len(values))
    scored = ~np.isnan(logprobs).any(axis=1) & np.isfinite(logprobs.max(axis=1))
    probabilities = np.full(logprobs.shape, np.nan)
    probabilities[scored] = judge_config.probabilities(logprobs[scored])
    best = np.zeros(len(items), dtype=int)
    best[scored] = probabilities[scored].argmax(axis=1)
    top = likeliest(probabilities)
    tied = scored & (top.sum(axis=1) > 1)
    graded = scored & ~tied
    graded[scored] &= probabilities[scored].max(axis=1) >= judge_config.least
    alone = asked.copy()
    alone[asked] = [isinstance(answer, Choice) for answer in answers]
    best[alone] = [answer.place for answer in answers if isinstance(answer, Choice)]
    graded |= alone & (judge_config.least == 0)
    unsure = f"not sure enough: confidence below {judge_config.least:.3f}"
    grades = np.array(values)
    outside = iter(score.outside_mass for score in given)
    masses = [next(outside) if is_asked else None for is_asked in asked]
    without = iter(_reason(answer) for answer in answers)
    reasons = [next(without) if pair is not None else row["skip"] for pair, row in items]
    reasons = [unsure if known else reason for reason, known in zip(reasons, scored, strict=True)]
    for row in np.flatnonzero(tied):
        reasons[row] = f"a tie: {' and '.join(map(str, grades[top[row]]))} are equally probable"
    ends = [Status.GRADED.value, Status.ABSTAINED.value, Status.FAILED.value]
    status = np.select([graded, scored | alone, asked], ends, Status.SKIPPED.value)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), len(values)).cast(pa.list_(pa.float64()))
    columns: dict[str, Any] = {
        "row": [row["row"] for _, row in items],
        "query_id": [row["query_id"] for _, row in items],
        "candidate_id": [row["candidate_id"] for _, row in items],
        "status": pa.array(status.tolist()),
        "grade": pa.array(grades[best], mask=~graded, type=pa.int32()),
        "probabilities": pa.compute.if_else(pa.array(scored), lists, pa.nulls(len(items), lists.type)),
        "expected_grade": pa.array((probabilities * grades).sum(axis=1), mask=~scored),
        "outside_mass": [mass if known else None for mass, known in zip(masses, scored, strict=True)],
        "reason": [None if known else reason for reason, known in zip(reasons, graded, strict=True)],
        "fingerprint": [fingerprint] * len(items),
    }
    return pa.table(columns, schema=label_schema())


def _reason(answer: Outcome) -> str:
    """Why there is no grade, if there is none."""
    if isinstance(answer, Failure):
        return answer.reason
    return UNKNOWN if isinstance(answer, Choice) else NOT_FINITE


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
