"""The agreement report: runs and people against people, and where, by whom and by which rule they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.agreement.alternative import AlternativeAnnotator, alternative_annotator_test
from audit.agreement.ceiling import Ceiling, ceilings
from audit.agreement.charts import Charts, charts
from audit.agreement.clauses import ClauseReport, Confused, confused_clauses, report_clauses
from audit.agreement.comparison import Comparison, GradedSide, compare, compare_people
from audit.agreement.disagreements import Disagreement, instructive
from audit.agreement.judged import JudgedPairs, find_labels, shares_of_grades
from audit.agreement.people import People, people_agree, report_people
from audit.agreement.raters import RaterReport, report_raters
from audit.agreement.segments import Segment, report_segments
from audit.agreement.sides import check_reference, compared_sides, people_sides, reference_side
from judge.errors import InputError
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import Panel, described, read_panel
from judge.ratings.remembered import settle_layout
from judge.records import counted
from judge.run.store import Run
from judge.statistics.prediction_powered import Powered
from judge.words.guideline import Guideline

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """What to compare."""

    ratings: Path
    layout: RatingsLayout
    """Its `grades` need not be given: the guideline's values are meant then."""
    runs: Sequence[Run] = ()
    guideline: Guideline | None = None
    """Read only where there is no run to bring one."""
    reference: str | None = None
    """What runs are compared with: `gold`, `majority` or a rater; unless given, gold where there is one, else the
    majority, else the only rater."""
    name: str | None = None
    """What to call the file of ratings."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Candidates' title, description and category by `candidate_id`, for pairs that no run knows."""
    epsilon: float = 0.2
    """For the alternative annotator test."""


@dataclass(frozen=True)
class Report:
    """Everything that is known of agreement; `as_json` is what `--json` prints and what the page shows."""

    panel: Panel
    guideline: Guideline
    primary: Comparison
    """The first run against the reference; without a run, people against people."""
    judged: JudgedPairs | None
    rated: int
    """Pairs with a reference."""
    lacking: tuple[int, Mapping[str, int]]
    """Those of them that the run does not have; that it has without a grade, by status."""
    learned: Sequence[tuple[str, int, int, bool]]
    """Of each run its name, how many pairs are compared, how many of them are of queries that its judge learned from,
    as far as the run says so, and whether it says so of every query."""
    comparisons: Sequence[Comparison]
    people: People
    ceiling: Sequence[Ceiling]
    alternative: Sequence[tuple[str, AlternativeAnnotator]]
    raters: Sequence[RaterReport]
    clauses: Sequence[ClauseReport]
    confused: Sequence[Confused]
    segments: Sequence[Segment]
    grade_mix: Mapping[int, Powered]
    precision_at: Mapping[int, Powered]
    charts: Charts | None
    disagreements: Sequence[Disagreement]

    @property
    def coverage(self) -> float | None:
        """The share of rated pairs that were compared."""
        return self.primary.n / self.rated if self.rated else None

    @property
    def learned_note(self) -> str | None:
        """What that means for the figures."""
        told = []
        for name, compared, learned, known in self.learned:
            whose = "the judge" if len(self.learned) == 1 else f"the judge of {name}"
            of = f"{learned:,} of {counted(compared, 'compared pair')}"
            told += [f"{of} are of queries that {whose} learned from"] if learned else []
            told += [] if known else [f"it is not known which queries {whose} learned from"]
        if not told:
            return None
        return f"{'; '.join(told)}: figures on those flatter it; compare it on ratings of other queries"

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values. Undefined figures are null and say why."""
        run = self.judged.run if self.judged else None
        manifest = run.manifest if run else None
        head = {
            "run": str(run.path) if run else None,
            "fingerprint": manifest.fingerprint if manifest else None,
            "judge": manifest.judge if manifest else None,
            "ratings": self.panel.file,
            "left_out": dict(self.panel.left_out),
            "scale_note": self.panel.scale_note,
            "learned": self.learned[0][2] if self.learned else 0,
            "learned_known": all(known for *_, known in self.learned[:1]),
            "learned_note": self.learned_note,
            "guideline": f"{self.guideline.name} {self.guideline.version}",
            "grades": list(self.guideline.values),
            "grade_names": [grade.name for grade in self.guideline.grades],
            "rated": self.rated,
            "coverage": self.coverage,
            "not_in_run": self.lacking[0],
            "not_graded": dict(self.lacking[1]),
        }
        lists = ("ceiling", "raters", "clauses", "confused", "segments", "disagreements")
        return {
            **head,
            **self.primary.as_json(),
            "comparisons": [comparison.as_json() for comparison in self.comparisons],
            "people": asdict(self.people),
            "alternative": [
                {"run": name, "passed": test.passed, "passed_by_query": test.passed_by_query, **asdict(test)}
                for name, test in self.alternative
            ],
            "grade_mix": [{"grade": grade, **asdict(found)} for grade, found in self.grade_mix.items()],
            "precision_at": [{"k": k, **asdict(found)} for k, found in self.precision_at.items()],
            "charts": asdict(self.charts) if self.charts else None,
            **{name: [self._named(asdict(item)) for item in getattr(self, name)] for name in lists},
        }

    def _named(self, item: dict[str, Any]) -> dict[str, Any]:
        """Units by what identifies them, where a record holds their index."""
        for key, value in item.items():
            if key == "alone":
                item[key] = [self._unit(entry.pop("unit")) | entry for entry in value]
            elif key == "example":
                item[key] = self._unit(value)
            elif key == "examples":
                item[key] = [self._unit(index) for index in value]
        return item

    def _unit(self, index: int) -> dict[str, Any]:
        unit = self.panel.units[index]
        names = ("query_id", "query", "candidate_id")
        return {name: getattr(unit, name) for name in names} | {"title": unit.facets.get("title")}


def agree(question: Question) -> Report:
    """Read, find the runs' labels, and measure everything.

    Raises:
        InputError: The ratings cannot be used, there is nothing to compare them with, or runs have different grades.
    """
    check_reference(question.reference, runs=len(question.runs))
    panel, guideline, judged = _read(question)
    people = people_sides(panel)
    reference = reference_side(panel, question.reference)
    first = judged[0] if judged else None
    queries, values = panel.queries, panel.values
    if first:
        primary = compare(reference, first.side, queries, values)
    elif len(people) > 1:
        primary = compare_people(people, queries, values)
    elif panel.gold is not None and people:
        primary = compare(reference_side(panel, "gold"), people[0], queries, values)
    else:
        raise InputError(
            f"{panel.file}: one grade a pair and no run, so there is nothing to compare",
            "name a run with --run RUN, or the raters' columns with --raters A,B,C",
        )
    hits = _hits(panel, reference, first)
    mix, precision = shares_of_grades(first, reference.grades, values) if first else ({}, {})
    there = ~np.isnan(reference.grades)
    return Report(
        panel=panel,
        guideline=guideline,
        primary=primary,
        judged=first,
        rated=int(there.sum()) if first else len(panel.units),
        lacking=first.lacking(there) if first else (0, {}),
        learned=[(each.side.name, *each.compared_and_learned(there), each.learned_known) for each in judged],
        comparisons=[
            compare(*both, queries, values) for both in compared_sides(panel, people, [j.side for j in judged])
        ],
        people=report_people(panel),
        ceiling=ceilings(people, first.side if first else None, queries, values),
        alternative=[(side.name, _alternative(panel, side, question.epsilon)) for side in (j.side for j in judged)],
        raters=report_raters(panel) if len(people) > 1 or panel.gold is not None else [],
        clauses=report_clauses(panel, hits, people_agree(panel), guideline),
        confused=confused_clauses(panel),
        segments=report_segments(panel, hits),
        grade_mix=mix,
        precision_at=precision,
        charts=charts(reference, first.side, values) if first else None,
        disagreements=instructive(panel, reference, first.side if first else None),
    )


def _alternative(panel: Panel, side: GradedSide, epsilon: float) -> AlternativeAnnotator:
    return alternative_annotator_test(panel.grades, side.grades, panel.queries, panel.raters, epsilon)


def _read(question: Question) -> tuple[Panel, Guideline, list[JudgedPairs]]:
    policies = [run.manifest.policy for run in question.runs]
    guideline = policies[0] if policies else question.guideline
    if guideline is None:
        raise InputError("there is neither a run nor a guideline", "name a guideline with --guideline NAME|FILE")
    for run, policy in zip(question.runs, policies, strict=True):
        if policy.values != guideline.values:
            raise InputError(
                f"{run.path}: its grades are {policy.values}, those of {question.runs[0].path} {guideline.values}",
                "compare runs of one scale",
            )
    layout = settle_layout(question.layout, question.ratings, question.runs, guideline)
    panel = read_panel(question.ratings, layout, guideline.values, question.name)
    names = _names(question.runs)
    taken = {*panel.raters, panel.gold_name}
    judged = [
        find_labels(run, panel, f"run {name}" if name in taken else name)
        for run, name in zip(question.runs, names, strict=True)
    ]
    more = [question.texts.get(unit.candidate_id, {}) for unit in panel.units]
    return described(panel, [j.facets for j in judged[:1]] + [more]), guideline, judged


def _names(runs: Sequence[Run]) -> list[str]:
    """Runs by their folder, or by the whole path where folders share a name."""
    short = [run.path.resolve().name for run in runs]
    return [name if short.count(name) == 1 else str(run.path) for run, name in zip(runs, short, strict=True)]


def _hits(panel: Panel, reference: GradedSide, judged: JudgedPairs | None) -> Floats:
    """By unit: whether the run agrees with the reference; without a run, the share of rater pairs that agree."""
    if judged or len(panel.raters) == 1:
        given = judged.side.grades if judged else panel.grades[0]
        missing = np.isnan(given) | np.isnan(reference.grades)
        return np.where(missing, np.nan, (given == reference.grades).astype(np.float64))
    return people_agree(panel)
