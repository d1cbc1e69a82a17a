"""Labelling: staged pairs through prompts and an engine into the parts of a run directory.

Pairs go to the engine in blocks whose bounds depend on the input alone, and parts end where blocks end. So a run that
was killed resumes with exactly the batches that it would have had, and its labels are those of a run that was not.
Reading and tokenising run a few blocks ahead of the engine, and writing behind it, each in a thread of its own.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from judge.engines import Builder, Engine
from judge.labelling.config import JudgeConfig
from judge.labelling.inherit import FILE, MOST, Inherited
from judge.labelling.prefetch import background, prefetch
from judge.labelling.table import PLAIN, Block, Item, ScoredBlock
from judge.labelling.writer import PartWriter
from judge.records import Pair
from judge.run.coverage import Interval
from judge.run.manifest import Tally
from judge.run.store import Run
from judge.watching import listening


def label_run(
    run: Run,
    builder: Builder,
    engine: Engine,
    progress: Callable[[int], None] = lambda rows: None,
    judge_config: JudgeConfig = PLAIN,
    stretch: Interval | None = None,
) -> Tally:
    """Label everything in a run that has no label yet, and tell what this sitting took.

    Args:
        run: A run whose manifest and pairs are on disk; the caller holds `run.writing()`, but for a worker of a plan.
        builder: Makes the prompts.
        engine: Answers them.
        progress: Called with the number of rows that have been answered since the last call: after every batch of an
            engine that tells of them, else after every block.
        judge_config: How answers are calibrated, and the confidence below which the judge abstains.
        stretch: Positions in judging order to keep to; all unless given.
    """
    open_, inherited = run.uncovered(stretch), Inherited(run.path / FILE)
    writer = PartWriter(run, judge_config, {start for start, _ in open_})

    def prepared() -> Iterator[Block]:
        for start, end in open_:
            for items in blocks(run.pairs_path, start, engine.block, end, inherited):
                if start + len(items) > writer.taken:
                    known = inherited.labels(start, start + len(items))
                    if known is not None:
                        for position in known["position"].to_pylist():
                            items[position - start] = (None, items[position - start][1])
                    yield Block(items, builder.build([pair for pair, _ in items if pair is not None]), start, known)
                start += len(items)

    with background(writer.add) as write:
        for block in prefetch(prepared()):
            with listening(progress, len(block.prompts)) as heard:
                write(ScoredBlock(block, engine.score(block.prompts) if block.prompts else []))
            progress(len(block.items) - heard())
    writer.flush()
    return writer.total


def blocks(
    path: Path, start: int, size: int, end: int | None = None, inherited: Inherited | None = None
) -> Iterator[list[Item]]:
    """Staged rows from a block's start on, up to the position `end`, in blocks of about `size` that end where a query
    ends if they can. Rows whose label is inherited do not count."""
    block: list[Item] = []
    passed = inherited if inherited and inherited.positions else None
    counted, position = 0, start
    for batch in read_pairs(path, start):
        batch = batch if end is None else batch[: end - start]
        start += len(batch)
        for item in batch:
            full = counted >= 2 * size or (counted >= size and item[1]["query_id"] != block[-1][1]["query_id"])
            if full or len(block) >= max(MOST, 2 * size):
                yield block
                block, counted = [], 0
            block.append(item)
            counted += passed is None or not passed.has(position)
            position += 1
        if start == end:
            break
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
