"""Pairs on which the judges of an ensemble disagree, for people to decide on: those that are most split first."""

from collections import Counter
from typing import Any

from audit.review.queue import NUMBERS, Item
from judge.errors import RunError
from judge.run.decisions import Decisions
from judge.run.store import Run


def read_disputed(run: Run, limit: int | None = None) -> list[Item]:
    """Graded pairs that nobody has settled, on which at least two judges say different things.

    Raises:
        RunError: The run is no ensemble.
    """
    if not run.manifest.members:
        raise RunError(
            f"{run.path}: is not an ensemble, so there is no disagreement of judges",
            "average runs of different judges: judge label --ensemble RUN_A RUN_B --out RUN",
        )
    with run.database() as db:
        if "disagreement" not in db.sql("FROM labels LIMIT 0").columns:
            raise RunError(f"{run.path}: its labels do not say how far the judges disagree", "average the runs again")
    settled = Decisions(run.path).settled()
    found = run.query("""SELECT p.query_id, p.query, p.candidate_id, p.candidate, l.grade, l.probabilities,
            l.member_grades, l.disagreement FROM labels l JOIN pairs p USING (row)
        WHERE l.grade IS NOT NULL AND l.disagreement > 0 ORDER BY l.disagreement DESC, p.query_id, p.candidate_id""")
    values = run.manifest.values
    items = (_item(row, values) for row in found if (row[0], row[2]) not in settled)
    return [item for item, _ in zip(items, range(limit), strict=False)] if limit is not None else list(items)


def _item(row: tuple[Any, ...], values: tuple[int, ...]) -> Item:
    query_id, query, candidate_id, candidate, grade, probabilities, grades, split = row
    given = [each for each in grades if each is not None]
    others = Counter(each for each in given if each != grade)
    suggested = others.most_common(1)[0][0] if others else grade
    wrong = 1 - probabilities[values.index(grade)] if probabilities else sum(others.values()) / max(len(given), 1)
    said = ", ".join("none" if each is None else str(each) for each in grades)
    return Item(
        query_id=query_id,
        query=query,
        candidate_id=candidate_id,
        candidate={name: text for name, text in candidate.items() if text is not None},
        grade=grade,
        suggested_grade=suggested,
        types=(),
        p_wrong=wrong,
        probabilities=probabilities and tuple(probabilities),
        numbers=dict.fromkeys(NUMBERS),
        split=f"the judges give {said}; they disagree by {split:.2f} bits",
    )
