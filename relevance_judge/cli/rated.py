"""A file of ratings checked: texts as `judge import` reads them, several raters' grades as `judge agree` does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from judge.tables.rows import Row, Table
from judge.words.guideline import Guideline, known_grades

if TYPE_CHECKING:
    from judge.pairs.stage import Source, Staged
    from judge.ratings.reader import Layout

OF_GRADES = {
    "unknown grade": "unknown_grade",
    "another grade before": "conflicting_grade",
    "no rater": "missing_rater",
    "no time": "not_a_time",
}
"""What can be wrong with grades of several raters, as problems of pairs are called; the rest is found as in pairs."""


def check_ratings(source: "Source", layout: "Layout", policy: Guideline, folder: Path) -> tuple["Staged", int]:
    """What is wrong with a file of ratings, and how many rows differ from another rater's: wrong for an import alone.

    Raises:
        InputError: A file as a whole cannot be used.
    """
    from judge.pairs.intake import SHOWN
    from judge.pairs.stage import stage
    from judge.ratings.reader import NAMES, read_problems

    known = known_grades(layout.grades or None, policy)
    long = _has(Table(source.pairs, source.name), layout.mapping.get("rater", ["rater"]))
    if not (long or layout.raters or layout.gold):
        return stage(replace(source, grades=known, need_text=False), policy, folder), 0
    # A wide file has no one column of grades; what only raters' files have is unknown to pairs.
    wide = bool(layout.raters or layout.gold) and not long
    ours = {"query", "candidate_id", "query_id", "locale", *(f.name for f in policy.fields)}
    ours |= set() if wide else {"grade"}
    mapping = {name: columns for name, columns in source.mapping.items() if name in ours or name not in NAMES}
    grades = None if wide else known
    staged = stage(replace(source, mapping=mapping, grades=grades, need_text=False), policy, folder)
    found, scale = read_problems(source.pairs, replace(layout, grades=known), policy.values, source.name)
    found = [replace(problem, kind=OF_GRADES[problem.kind]) for problem in found if problem.kind in OF_GRADES]
    kinds = {kind: count for kind, count in staged.kinds.items() if kind not in OF_GRADES.values()}
    kinds |= Counter(problem.kind for problem in found)
    problems = [problem for problem in staged.problems if problem.kind not in OF_GRADES.values()]
    for kind in OF_GRADES.values():
        problems += [problem for problem in found if problem.kind == kind][:SHOWN]
    differ = staged.kinds.get("conflicting_grade", 0) - kinds.get("conflicting_grade", 0)
    read = {*layout.raters, layout.gold, *(c for name in NAMES for c in layout.mapping.get(name, [name]))}
    unused = [column for column in staged.unused if column not in read]
    return replace(staged, kinds=kinds, problems=problems, unused=unused, scale=scale), max(0, differ)


def _has(table: Table, columns: Sequence[str]) -> bool:
    first = next(table.rows(), None) if table.columns is None else None
    available = table.columns or (tuple(first.values) if isinstance(first, Row) else ())
    return bool(set(available) & set(columns))
