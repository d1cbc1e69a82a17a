"""A labelling job from what the user asked to a run directory, in an order that fails early.

Input first, then the judge's files, then its weights: a wrong row never costs the loading of a model.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from judge.calibration.features import cosines
from judge.engines import Builder, Engine, Judge, Serving
from judge.engines.chat.bill import estimated
from judge.engines.chat.journal import Journal
from judge.errors import EngineError, InputError
from judge.labelling.begin import begin_run, read_input
from judge.labelling.config import JudgeConfig
from judge.labelling.label import blocks, label_run, read_pairs
from judge.labelling.table import PLAIN
from judge.labelling.worked_examples import Examples
from judge.pairs.stage import Source, Staged
from judge.records import Failure, Pair, Record, WorkedExample
from judge.run.manifest import Tally
from judge.run.seen import write_seen
from judge.run.store import Run
from judge.run.usage import FILE, Usage
from judge.words.guideline import Guideline


class JobEstimate(Record):
    """What a dry run found."""

    rows: int
    """Input rows."""
    pairs: int
    """Pairs that would be judged."""
    sample: int
    """Pairs that were."""
    mean_tokens: float | None
    """Tokens a pair that are not shared with the whole run; null where the judge is asked in words."""
    read_seconds: float
    load_seconds: float
    pairs_per_second: float
    judge_seconds: float
    """How long judging all pairs would take."""
    usage: Usage | None = None
    """What a paid endpoint's answers to all pairs would take; null where there is none."""
    missing_fields: tuple[str, ...] = ()
    """Fields of the guideline that no file has a column for."""
    passed_over: Mapping[str, str] = {}
    """Names that a file has several mapped columns for, and which of them is read."""


@dataclass(frozen=True)
class Labelling:
    """A job: what to label, by which guideline, and who judges."""

    source: Source
    guideline: Guideline
    model: str
    serving: Serving
    judge_config: JudgeConfig = PLAIN
    find: Callable[[], Judge] | None = None
    """Gives the judge where other jobs share it."""
    examples: Examples | None = None
    """What the judge is shown before each question."""
    dtype: str | None = None
    """The number type of the machines that will judge, where it is not this one's."""

    @cached_property
    def judge(self) -> Judge:
        """The judge, found but not loaded."""
        return self.find() if self.find else Judge(self.model, self.serving)

    @property
    def parts(self) -> dict[str, str | None]:
        """What says who judges, in a fingerprint.

        Raises:
            InputError, ModelError: The judge cannot be found, or gives no probabilities where they are needed.
        """
        if self.judge.chat and (self.judge_config.calibration or self.judge_config.threshold):
            self.judge.chat.check_tells()
        parts = {**self.judge.parts, **self.judge_config.parts}
        return {**parts, "dtype": self.dtype} if self.dtype else parts

    def begin(self, run: Run) -> None:
        """Bring a run directory to where labelling can start or go on; the caller holds `run.writing()`.

        Raises:
            InputError, ModelError: Something the user gave cannot be used.
            RunError: The directory holds a run of another fingerprint or input.
        """

        def judge() -> Mapping[str, str | None]:
            if not run.manifest_path.is_file():
                # A guideline that this judge cannot be asked by must not take the directory.
                assert self.builder(self._chosen(run.pairs_path))
            return self.parts

        begin_run(run, self.source, self.guideline, judge, self.judge_config.calibration, self._chosen)
        if self.judge_config.seen:
            write_seen(run.path, self.judge_config.seen.model_copy(update={"products": ()}))

    def go_on(self, run: Run, progress: Callable[[int], None]) -> Tally:
        """Label what has no label yet; see `judge.labelling.label.label_run`."""
        with self._noting(run):
            builder = self.builder(run.manifest.examples)
            return label_run(run, builder, self.open(), progress, self.judge_config)

    def open(self) -> Engine:
        """The judge's engine, with all that is loaded once: where a blend reads a cosine, the encoder, too.

        Raises:
            EngineError, ModelError: One of them cannot be loaded.
        """
        engine = self.judge.open()
        if self.judge_config.encoder:
            self.judge_config.encoder.encode(["a text"])
        return engine

    def _chosen(self, pairs: Path) -> tuple[WorkedExample, ...]:
        return self.examples.chosen(pairs, self.guideline) if self.examples else ()

    def _noting(self, run: Run) -> AbstractContextManager[None]:
        """Have an endpoint that is paid for its answers keep them in the run."""
        if not self.judge.chat:
            return nullcontext()
        done = {row for (row,) in run.query("SELECT row FROM labels")}
        return self.judge.chat.noting(Journal(run.path / FILE, run.manifest.fingerprint, done))

    def estimate(self, directory: Path, size: int) -> JobEstimate:
        """Score and time a few stretches of neighbouring pairs, spread over the input; writes into `directory`."""
        begun = time.monotonic()
        staged = read_input(self.source, self.guideline, directory)
        read = time.monotonic()
        builder, engine = self.builder(self._chosen(staged.path)), self.open()
        loaded = time.monotonic()
        sample = _stretches(staged, size)
        if not sample:
            raise InputError(f"{self.source.pairs}: holds no pair to judge", "`judge validate` says why")
        chat = self.judge.chat
        if chat is None:
            engine.score(builder.build(sample[:4]))  # the guideline's pass is paid once a run, not by the sample
        before = chat.usage if chat else Usage()
        every = ([pair for pair, _ in items if pair] for items in blocks(staged.path, 0, engine.block))
        timed = time.monotonic()
        prompts = builder.build(sample)
        answers = engine.score(prompts)
        if self.judge_config.encoder:
            cosines(sample, self.judge_config.encoder)
        seconds = (time.monotonic() - timed) / len(sample)
        if all(isinstance(answer, Failure) for answer in answers):
            first = next(answer.reason for answer in answers if isinstance(answer, Failure))
            raise EngineError(f"none of {len(answers)} pairs got an answer: {first}", "fix the engine first")
        pairs = staged.rows - staged.skipped
        return JobEstimate(
            rows=staged.rows,
            pairs=pairs,
            sample=len(sample),
            mean_tokens=None if chat else sum(len(p.query) + len(p.candidate) for p in prompts) / len(prompts),
            read_seconds=read - begun,
            load_seconds=loaded - read,
            pairs_per_second=1 / seconds,
            judge_seconds=pairs * seconds,
            usage=estimated(chat, before, prompts, map(builder.build, every)) if chat else None,
            missing_fields=tuple(staged.missing),
            passed_over=staged.passed_over,
        )

    def builder(self, examples: Sequence[WorkedExample] = ()) -> Builder:
        """Makes the prompts, with these examples before each question.

        Raises:
            InputError: The judge is shown no examples.
            ModelError: The guideline does not suit the judge.
        """
        builder = self.judge.builder(self.guideline, self.judge_config.template, examples)
        self.judge_config.check(self.judge.model, builder.labels)
        return builder


def _stretches(staged: Staged, size: int, count: int = 4) -> list[Pair]:
    found: dict[int, Pair] = {}
    for index in range(count):
        wanted = len(found) + size // count
        # The first batch may end soon after the place where the stretch begins; the second is whole.
        for batch in islice(read_pairs(staged.path, staged.rows * index // count, size), 2):
            for pair, _ in batch:
                if pair is not None and len(found) < wanted:
                    found[pair.row] = pair
    return list(found.values())
