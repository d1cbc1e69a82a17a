"""What a card tells of a run: figures that are there, each with what it was measured on, and nothing made up."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from judge.calibration.calibrate import Calibration
from judge.documents import Kind, load
from judge.errors import RunError
from judge.export.written import Written
from judge.records import Record
from judge.run.decided import Decided
from judge.run.decisions import Verdict
from judge.run.flags import Flags
from judge.run.manifest import Manifest
from judge.run.store import Run
from judge.run.summary import Summary, summarise
from judge.sql import quoted
from judge.text import candidate_name

PLAIN = re.compile("cs|da|de|el|en|es|fi|fr|hi|hu|it|ja|ko|nl|pl|pt|ro|ru|th|tr|zh")
"""Languages that a locale of one part names, whether it means the language or its country. `us` and `jp` are countries
alone, and of `br`, `ca` or `uk` nobody knows which is meant."""
EXAMPLES = 2
"""Rows of each grade that a card shows."""


class Figure(Record):
    """One figure; null with the reason where it is not defined."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


class Agreement(Record):
    """How far a run agrees with people. Computed elsewhere: this floor does not compare."""

    ratings: str
    """What the ratings are called."""
    reference: str
    """Whose grades they are: gold, a majority, a rater."""
    pairs: int
    queries: int
    rated: int
    figures: tuple[Figure, ...]
    learned: int = 0
    """Of the pairs, those of queries that the judge learned from: their figures flatter it."""
    learned_known: bool = True
    """Whether all such pairs are known."""
    people: tuple[Figure, ...] = ()
    """People among themselves, where several rated."""


class AuditFacts(Record):
    """What an audit flagged, and what came of it."""

    flags: Mapping[str, int]
    """Flags by type; a pair can have several."""
    flagged: int
    """Pairs."""
    decided: Mapping[str, int]
    """Pairs by verdict, whoever decided and whether flagged or not."""
    undecided: int
    """Flagged pairs without a decision that settles them."""


class CardExample(Record):
    """A row to look at."""

    query: str
    candidate: str
    grade: int


class Facts(Record):
    """Everything a card is made of."""

    manifest: Manifest
    summary: Summary
    written: Written
    mix: Mapping[int, int]
    """Exported judgments by grade, decisions applied."""
    examples: tuple[CardExample, ...]
    languages: tuple[str, ...]
    audit: AuditFacts | None
    calibration: Calibration | None
    agreement: Agreement | None
    people: bool
    """Whether the labels are people's, and no judge's."""


def gather(decisions: Decided, written: Written, folder: Path, agreement: Agreement | None) -> Facts:
    """Read a run's facts.

    Args:
        decisions: Those that were applied, of a finished run.
        written: The views that were written of it.
        folder: Where they are, `judgments` among them.
        agreement: From a comparison with people, where there is one.

    Raises:
        RunError: A file of the run is damaged.
    """
    run = decisions.run
    manifest = run.manifest
    judgments = f"read_parquet({quoted(folder / 'judgments' / '*.parquet')})"
    mix = dict(run.query(f"SELECT grade, count(*) FROM {judgments} GROUP BY 1"))
    locales = run.query(f"SELECT DISTINCT locale FROM {judgments} WHERE locale IS NOT NULL LIMIT 1000")
    return Facts(
        manifest=manifest,
        summary=summarise(run),
        written=written,
        mix={value: mix.get(value, 0) for value in manifest.values},
        examples=_examples(run, judgments),
        languages=languages_of(manifest.guideline.get("language"), [locale for (locale,) in locales]),
        audit=_audit(decisions),
        calibration=_calibration(run),
        agreement=agreement,
        people=manifest.by_people,
    )


def languages_of(guideline: str | None, locales: Sequence[str]) -> tuple[str, ...]:
    """The languages that the guideline and the pairs' locales name, in order; what can be a country is none."""
    parted = [re.split("[-_]", locale.strip().lower()) for locale in locales]
    found = {parts[0] for parts in parted if len(parts) > 1 or PLAIN.fullmatch(parts[0])} | {guideline or ""}
    return tuple(sorted(name for name in found if re.fullmatch("[a-z]{2,3}", name)))


def _examples(run: Run, judgments: str) -> tuple[CardExample, ...]:
    """The same rows whatever the order of the input: those of the smallest hash, best grades first."""
    found = run.query(
        f"""SELECT query, candidate, grade FROM {judgments}
        QUALIFY row_number() OVER (PARTITION BY grade ORDER BY md5(query_id || chr(31) || candidate_id)) <= {EXAMPLES}
        ORDER BY grade DESC, md5(query_id || chr(31) || candidate_id)"""
    )
    return tuple(
        CardExample(query=query, candidate=candidate_name(candidate or {}), grade=grade)
        for query, candidate, grade in found
    )


def _audit(decisions: Decided) -> AuditFacts | None:
    flags, latest, settled = Flags(decisions.run.path), decisions.latest, decisions.settled
    if not flags.exist and not latest:
        return None
    verdicts = Counter(decision.verdict for decision in latest.values())
    pairs = [(flag["query_id"], flag["candidate_id"]) for flag in flags.pairs().to_pylist()]
    return AuditFacts(
        flags=flags.types(),
        flagged=len(pairs),
        decided={str(kind): verdicts.get(kind, 0) for kind in Verdict if kind is not Verdict.OPINION},
        undecided=len([pair for pair in pairs if pair not in settled]),
    )


def _calibration(run: Run) -> Calibration | None:
    """What `judge calibrate` measured on this very run; one of other labels says nothing of these."""
    path = run.path / "calibration.json"
    if not path.is_file():
        return None
    found = load(path, Calibration, Kind("run `judge calibrate` again, with --overwrite", RunError))
    return found if found.judge == run.manifest.fingerprint else None
