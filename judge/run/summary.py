"""What a run holds, in one look: counts by status and grade, confidence, time."""

from collections.abc import Mapping

from judge.records import Record, Status
from judge.run.coverage import present_rate, within
from judge.run.plan import FailedStretch, failures, read_plan
from judge.run.store import Run
from judge.run.usage import FILE, Price, journal_usage


class Summary(Record):
    """A run's counts: the statuses add up to `labelled`, which equals `rows` once the run is done."""

    run: str
    fingerprint: str
    judge: str
    guideline: str | None
    rows: int
    labelled: int
    status: Mapping[str, int]
    grades: Mapping[str, int]
    """Graded rows by grade; every grade of the guideline is a key."""
    grade_names: Mapping[str, str]
    mean_confidence: float | None
    """Mean probability of the grade given. Null where labels carry no probabilities."""
    without_probabilities: int
    """Graded rows whose grade came alone."""
    mean_outside_mass: float | None
    reasons: Mapping[str, int]
    """Rows without a grade by reason, the most frequent ten."""
    cut: Mapping[str, int]
    """Judged pairs in which a text was cut to its token budget, by the text's name."""
    missing_fields: tuple[str, ...]
    """Fields of the guideline that no input file has a column for."""
    passed_over: Mapping[str, str]
    """Names that an input file has several mapped columns for, and which of them was read."""
    usage: Mapping[str, int | float | None] | None
    """What the answers of a chat endpoint took so far; the cost is null unless a price was given."""
    judge_seconds: float
    """Time spent judging, all sittings together."""
    pairs_per_second: float | None
    """Of one worker, while it judges."""
    uncovered: tuple[tuple[int, int], ...] = ()
    """Rows without a label, as positions [start, end) in judging order; cut where stretches of a plan begin."""
    stretches: int | None = None
    """Stretches of the run's plan; null where it has none."""
    failed: tuple[FailedStretch, ...] = ()
    """Stretches that were given up and have rows left: what went wrong, and how often it was tried."""
    rows_per_second: float | None = None
    """Of all workers together, by the clock, over the last ten minutes of work; null once the run is done."""
    finished: str | None = None
    """When it was found that the run adds up, which ends `judge label`; of a planned run, `judge finish` sees to it."""

    @property
    def done(self) -> bool:
        """Whether every input row has its label."""
        return self.labelled == self.rows == sum(self.status.values())


def usage_of(run: Run, price: Price | None = None) -> Mapping[str, int | float | None] | None:
    """What all answers of a run took, and their cost at a price; null where no chat endpoint labelled it."""
    usage = journal_usage(run.path / FILE, run.manifest.fingerprint)
    return None if usage is None else {**usage.model_dump(), "cost": price.cost(usage) if price else None}


def summarise(run: Run) -> Summary:
    """Count a run, finished or not, as it is at one moment."""
    run = run.at_once()
    manifest, tally, labelled, open_ = run.manifest, run.tally(), run.labelled(), run.uncovered()
    plan = read_plan(run.plan_path) if run.plan_path.is_file() else None
    with run.database() as db:
        status = dict(db.execute("SELECT status, count(*) FROM labels GROUP BY 1").fetchall())
        grades = dict(db.execute("SELECT grade, count(*) FROM labels WHERE grade IS NOT NULL GROUP BY 1").fetchall())
        confidence, alone, outside = db.execute(
            """SELECT avg(list_max(probabilities)) FILTER (grade IS NOT NULL),
                      count(*) FILTER (grade IS NOT NULL AND probabilities IS NULL), avg(outside_mass) FROM labels"""
        ).fetchone()
        # A repeat names its row, and a bad row its cell: the words before say what they have in common.
        reasons = db.execute(r"""
            SELECT regexp_replace(reason, '(: .*)|( row \d+$)', ''), count(*) FROM labels WHERE reason IS NOT NULL
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10""").fetchall()
    levels = manifest.guideline["grades"]
    return Summary(
        run=str(run.path),
        fingerprint=manifest.fingerprint,
        judge=manifest.judge,
        guideline=manifest.parts.get("guideline"),
        rows=manifest.rows,
        labelled=labelled,
        status={name: status.get(name, 0) for name in Status},
        grades={str(level["value"]): grades.get(level["value"], 0) for level in levels},
        grade_names={str(level["value"]): level["name"] for level in levels},
        mean_confidence=confidence,
        without_probabilities=alone,
        mean_outside_mass=outside,
        reasons=dict(reasons),
        cut=tally.cut,
        missing_fields=manifest.missing_fields,
        passed_over=manifest.passed_over,
        usage=manifest.usage or usage_of(run),
        judge_seconds=round(tally.seconds, 3),
        pairs_per_second=round(tally.judged / tally.seconds, 2) if tally.judged and tally.seconds > 0 else None,
        uncovered=tuple(open_),
        stretches=len(plan.stretches) if plan else None,
        failed=tuple(each for each in failures(run.path) if within(open_, (each.start, each.end))),
        rows_per_second=present_rate(run.parts()) if open_ else None,
        finished=manifest.finished,
    )
