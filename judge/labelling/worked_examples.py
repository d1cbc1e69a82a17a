"""Worked examples for a judge that is asked in words: rated pairs, shown with people's grade before the question.

None is of a query that is judged, nor near one: an example would otherwise tell the answer. They cover the grades in
turn; of a grade, pairs whose clause has no example yet come first, then those on which more people agree.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from judge.errors import InputError
from judge.ratings.rated import Rated, RatingsFile, read_rated
from judge.records import WorkedExample, counted
from judge.scratch import scratch_folder
from judge.words.forms import canonical
from judge.words.guideline import Guideline
from judge.words.similar import ALIKE, alike, bands, query_groups

_OPTIONS = re.compile(r"--(grades|rating|raters|gold|skip-bad-rows)\b")
"""Options of verbs that read ratings, which are not for examples."""


@dataclass(frozen=True)
class Examples:
    """Where worked examples come from, and how many are shown."""

    ratings: RatingsFile
    shots: int
    seed: int = 0

    def chosen(self, pairs: Path, guideline: Guideline) -> tuple[WorkedExample, ...]:
        """The examples for staged pairs, none of whose queries they have.

        Raises:
            InputError: The ratings cannot be used, or too few pairs are far from the queries.
        """
        import pyarrow.parquet as pq

        with scratch_folder("examples") as scratch:
            try:
                rated = read_rated(self.ratings, guideline, Path(scratch)).rated
            except InputError as error:
                raise _without_options(error, guideline) from None
        # Skipped rows may have no query.
        queries = [text for text in pq.read_table(pairs, columns=["query"])["query"].unique().to_pylist() if text]
        return choose(rated, queries, guideline, self)


def _without_options(error: InputError, guideline: Guideline) -> InputError:
    """An error of ratings whose fix is an option that says how to read ratings: examples are read as they stand."""
    if not _OPTIONS.search(error.hint):
        return error
    grades = ", ".join(map(str, guideline.values))
    fix = f"write texts, and in a column `grade` the guideline's grades ({grades}), into every row of --examples"
    return InputError(error.message, fix)


@dataclass(frozen=True)
class _Candidate:
    rated: Rated
    grade: int
    agree: int
    draw: float
    group: str


def choose(
    rated: Iterable[Rated], queries: Sequence[str], guideline: Guideline, wanted: Examples
) -> tuple[WorkedExample, ...]:
    """Examples of as many different queries, in an order drawn by the seed.

    Raises:
        InputError: There are too few, or a grade has none.
    """
    far = _far(list(rated), queries)
    draw = Random(f"examples {wanted.seed}")  # noqa: S311
    groups = query_groups([item.pair.query for item in far])
    pool = []
    for item, group in sorted(zip(far, groups, strict=True), key=lambda each: (each[1], each[0].pair.candidate_id)):
        (grade, agree), *others = Counter(item.votes.values()).most_common()
        if not others or others[0][1] < agree:
            pool.append(_Candidate(item, grade, agree - sum(count for _, count in others), draw.random(), group))
    found, used, clauses = list[_Candidate](), set[str](), set[str | None]({None})
    grades = list(reversed(guideline.values))
    for turn in range(wanted.shots):
        grade = grades[turn % len(grades)]
        left = [each for each in pool if each.grade == grade and each.group not in used]
        if not left:
            raise InputError(
                f"{wanted.ratings.source.pairs}: has no {'further ' if turn >= len(grades) else ''}example of grade "
                f"{grade} whose query is far from those to judge; {counted(len(found), 'example')} found",
                "give ratings of more queries with --examples, or fewer --shots",
            )
        best = min(left, key=lambda each: (each.rated.clause in clauses, -each.agree, each.draw))
        found.append(best)
        used.add(best.group)
        clauses.add(best.rated.clause)
    draw.shuffle(found)
    return tuple(
        WorkedExample(
            query=each.rated.pair.query,
            locale=each.rated.pair.locale,
            candidate=dict(each.rated.pair.candidate),
            grade=each.grade,
        )
        for each in found
    )


def _far(rated: Sequence[Rated], queries: Sequence[str]) -> list[Rated]:
    """Rated pairs whose query is none of some queries, nor one letter away, nor has nearly their letters."""
    texts = sorted(set(queries))
    own = sorted({item.pair.query for item in rated})
    groups = query_groups([*texts, *own])
    taken, near = set(groups[: len(texts)]), dict(zip(own, groups[len(texts) :], strict=True))
    keys = [canonical(text) for text in texts]
    if keys and own:
        ours = [canonical(text) for text in own]
        theirs, typed = bands(keys), _typed(keys, ours)
        for text, key, row in zip(own, ours, bands(ours), strict=True):
            close = np.flatnonzero((theirs == row).any(axis=1))
            if not typed.isdisjoint(_deletions(key)) or any(alike(key, keys[at]) >= ALIKE[0] for at in close):
                taken.add(near[text])
    return [item for item in rated if near[item.pair.query] not in taken]


def _typed(texts: Sequence[str], near: Sequence[str]) -> set[str]:
    """What is left of some texts without one letter, where it is also left of one of the others."""
    wanted = {left for text in near for left in _deletions(text)}
    return {left for text in texts for left in _deletions(text) if left in wanted}


def _deletions(text: str) -> set[str]:
    """A text, and it without each of its letters: two texts that are one edit apart have one in common."""
    return {text, *(text[:at] + text[at + 1 :] for at in range(len(text)))}
