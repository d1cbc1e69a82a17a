"""How pairs become grades: the options of `judge label` other than who judges."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click import Option

from relevance_judge.cli.options import PairParams
from relevance_judge.cli.params import count, file, flag, text

if TYPE_CHECKING:
    from judge.pairs.stage import Source


@dataclass(frozen=True)
class RowParams(PairParams):
    """How a file of pairs is read, and how much of it."""

    limit: Annotated[int | None, count("--limit", "Label the first N rows only; more later, in the same run.")]
    sample: Annotated[
        int | None, count("--sample", "Label N whole queries, drawn by --seed; more later, in the same run.")
    ]
    seed: Annotated[int, count("--seed", "Which queries --sample draws.", default=0, least=0)]
    skip_bad_rows: Annotated[
        bool, flag("--skip-bad-rows", "Record rows that cannot be used as skipped, with the reason, and continue.")
    ]

    def source(self, path: Path, name: str) -> "Source":
        """The pairs of a file, called so."""
        from judge.pairs.stage import Source
        from judge.ratings.remembered import read_as_mined

        found = Source(path, self.catalogue, self.mapping, self.limit, skip_bad_rows=self.skip_bad_rows, name=name)
        found = replace(found, queries=self.queries, encoding=self.encoding)
        return read_as_mined(replace(found, sample=self.sample, seed=self.seed))


@dataclass(frozen=True)
class GradingParams:
    """How a judge's probabilities become grades."""

    max_noise: Annotated[
        float | None,
        Option(
            ["--max-noise"],
            metavar="SHARE",
            type=float,
            help="Abstain on uncertain pairs so that at most this share of grades is wrong.",
        ),
    ]
    calibration: Annotated[
        Path | None,
        file(
            "--calibration",
            "FILE",
            "What `judge calibrate` wrote, or none; a fine-tuned judge brings its own, and plain is that without its "
            "blend with word overlap and cosine.",
        ),
    ]
    force_guideline: Annotated[
        bool, flag("--force-guideline", "Use a fine-tuned judge with a guideline other than its own.")
    ]


@dataclass(frozen=True)
class ExampleParams:
    """What a chat judge is shown before each question."""

    examples: Annotated[
        Path | None,
        file("--examples", "RATINGS", "chat: show rated pairs of other queries before each question."),
    ]
    shots: Annotated[int | None, count("--shots", "How many of --examples; 6 unless given.")]


@dataclass(frozen=True)
class RunOutput:
    """Where labels go."""

    out: Annotated[Path | None, file("--out", "RUN", "The run directory to write or resume.")]
    dry_run: Annotated[
        bool, flag("--dry-run", "Write nothing: judge a small sample and estimate time, tokens and cost.")
    ]
    price: Annotated[
        str | None, text("--price", "in=X,out=Y", "chat: what a million tokens cost, to estimate the run's cost.")
    ]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]
