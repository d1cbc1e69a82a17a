"""Labels of whole blocks into parts of a run, whoever else writes the same run."""

import time
from collections import Counter
from collections.abc import Collection
from typing import Any

from judge.labelling.config import JudgeConfig
from judge.labelling.inherit import overlaid
from judge.labelling.table import ScoredBlock, table
from judge.run.manifest import Tally
from judge.run.parts import part_name, rows_of
from judge.run.store import Run

PART_SECONDS = 5.0
"""A part is written after so long: what a kill can cost."""
PART_LABELS = 50_000
"""A part is written after so many labels: what memory has to hold."""


class PartWriter:
    """Gathers labels of whole blocks, and writes a part when time or memory asks for it.

    Parts of one stretch follow on one another, whoever writes them: a part is written only where the one before it
    ends, and only if none begins there. So of two workers on one stretch each finds what the other wrote, and goes on
    behind it; no row is ever in two parts.
    """

    def __init__(self, run: Run, judge_config: JudgeConfig, starts: Collection[int] = ()) -> None:
        self.run = run
        self._starts = starts
        """Positions at which a part has to begin: another worker may begin one there."""
        self._judge_config = judge_config
        manifest = run.manifest
        self._values, self._fingerprint = manifest.values, manifest.fingerprint
        self.total = Tally()
        self.taken = 0
        """Where the part ends that another worker was found to have written."""
        self._start = 0
        self._tables: list[Any] = []
        self._rows = 0
        self._judged = 0
        self._cut: Counter[str] = Counter()
        self._since = time.monotonic()

    def add(self, judged: ScoredBlock) -> None:
        """Take a block behind the one before it, or where another stretch begins."""
        block = judged.block
        if block.start in self._starts or block.start != self._start + self._rows:
            if self._tables:  # else the time since then is this block's
                self.flush()
            self._start = block.start
        labels = table(judged, self._values, self._fingerprint, self._judge_config)
        self._tables.append(labels if block.inherited is None else overlaid(labels, block.inherited, block.start))
        self._rows += len(block.items)
        self._judged += len(judged.answers)
        self._cut.update(name for prompt in block.prompts for name in prompt.cut)
        if time.monotonic() - self._since > PART_SECONDS or self._rows >= PART_LABELS:
            self.flush()

    def flush(self) -> None:
        """Write what has been gathered."""
        import pyarrow as pa

        tally = Tally(judged=self._judged, seconds=time.monotonic() - self._since, cut=self._cut)
        if self._tables:
            self._write(pa.concat_tables(self._tables), tally)
        self._start += self._rows
        self.total += tally
        self._tables, self._rows, self._judged, self._cut = [], 0, 0, Counter()
        self._since = time.monotonic()

    def _write(self, labels: Any, tally: Tally) -> None:
        """Write what no other worker has; behind each part of theirs, the next."""
        end = self._start + len(labels)
        while (start := max(self._start, self.taken)) < end:
            if self.run.append(start, labels.slice(start - self._start), tally):
                return
            self.taken = start + rows_of(self.run.labels_path / part_name(start))
