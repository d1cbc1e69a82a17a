"""Runs out of pairs, or out of grades that people gave."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from judge.errors import InputError
from judge.run import store
from judge.words.guideline import DEFAULT, Guideline, known_grades, load_guideline
from relevance_judge.inputs import Rows, as_file, as_optional_file
from relevance_judge.judges import Judge, as_judge
from relevance_judge.progress import progress as bar
from relevance_judge.reading import ColumnMap, RatingOptions, Reading
from relevance_judge.runs import Run
from relevance_judge.scaling import PlannedOptions, label_by_workers, pair_source
from relevance_judge.serving import read_rate

if TYPE_CHECKING:
    from judge.labelling.worked_examples import Examples
    from judge.pairs.stage import Source
    from judge.run.manifest import Manifest


SHOTS = 6
"""Worked examples, unless told otherwise."""


def label(
    pairs: Rows | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    catalogue: Rows | None = None,
    judge: Judge | str | os.PathLike[str] | None = None,
    map: ColumnMap | None = None,
    limit: int | None = None,
    skip_bad_rows: bool = False,
    progress: bool = False,
    queries: str | os.PathLike[str] | None = None,
    encoding: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    examples: Rows | None = None,
    shots: int | None = None,
    price: str | None = None,
    **planned: Unpack[PlannedOptions],
) -> Run:
    """Grade every pair with an LLM judge, into a run directory; or label a run of `plan` in this process or on Ray.

    Killed at any moment, the same call resumes where it stopped; on a finished run it returns at once. With a larger
    `limit` or `sample`, or none, it goes on to more of the same input.

    Args:
        pairs: Rows with `query, candidate_id` and, without a catalogue, the candidate's fields; none with `plan`.
        out: The run directory to write, or to go on with; none with `plan`.
        catalogue: Candidates with `candidate_id` and their texts.
        judge: A `Judge`, or the name of a model for one; `shop-135m` unless given.
        map: Our names to the tables' columns, such as `{"candidate_id": "sku"}`.
        limit: Label the first rows only.
        skip_bad_rows: Record rows that cannot be used as skipped, with the reason, and go on.
        progress: Show a bar on standard error.
        queries: A file of `query_id, query`, where pairs name their query by its id alone.
        encoding: What the text of files is in, where it is not UTF-8.
        sample: Label so many whole queries only.
        seed: Which queries those are.
        examples: For judges of the engine `chat`: rated pairs of other queries to show before each question.
        shots: How many of them; 6 unless given.
        price: For the engine `chat`: what a million tokens cost, as `in=2.50,out=10`; the run's summary has the cost.
        planned: See `PlannedOptions`.

    Raises:
        InputError: A row or an option cannot be used; nothing was loaded.
        ModelError: The judge cannot be found or loaded.
        RunError: The directory holds a run of another judge, guideline or input.
        EngineError: The engine cannot go on; what is labelled stays.
    """
    from judge.labelling.complete import complete

    if planned:
        others = catalogue, map, limit, queries, encoding, sample, examples, shots, price
        if skip_bad_rows or seed or any(given is not None for given in others):
            raise InputError("a planned run has its rows, and is asked as planned", "give them to rj.plan")
        return label_by_workers(pairs, out, judge, progress, **planned)
    if pairs is None or out is None:
        raise InputError("pairs and out are missing", "name both, or a planned run: label(plan=RUN, shard='1/8')")
    chosen, run = as_judge(judge), store.Run(Path(out))
    rate = read_rate(chosen.engine, price)
    rows = {"limit": limit, "queries": queries, "encoding": encoding, "sample": sample, "seed": seed}
    with (
        run.writing(),
        pair_source(pairs, catalogue, run.path, map, skip_bad_rows, rows) as source,
        as_optional_file(examples, "examples", run.path) as (rated, rated_name),
    ):
        shown = examples_of(rated, shots, source, chosen.policy, rated_name)
        complete(chosen.job(source, shown), run, partial(_watch, progress), rate)
    return Run(run.path)


def examples_of(
    path: Path | None, shots: int | None, source: "Source", guideline: Guideline, name: str | None = None
) -> "Examples | None":
    """What a judge is shown before each question: the file has the columns of the pairs, and its texts or those of the
    catalogue.

    Raises:
        InputError: Examples are counted, and there are none.
    """
    from judge.labelling.worked_examples import Examples
    from judge.ratings.rated import RatingsFile

    if path is None:
        if shots is not None:
            raise InputError("--shots counts --examples, and there are none", "give --examples RATINGS")
        return None
    known = known_grades(None, guideline)
    rated = replace(source, pairs=path, name=name or str(path), grades=known, skip_bad_rows=False)
    return Examples(RatingsFile(replace(rated, limit=None, sample=None)), shots or SHOTS)


def ensemble(runs: Sequence["Run | str | os.PathLike[str]"], *, out: str | os.PathLike[str]) -> Run:
    """Average finished runs of the same pairs, labelled by different judges, into a new run.

    Where every judge that answered told probabilities, the new ones are their mean; where one gave a grade alone, the
    judges vote. Killed at any moment, the same call goes on where it stopped.

    Args:
        runs: Two or more runs, by the same guideline.
        out: The run directory to write, or to go on with.

    Raises:
        InputError: They are of other pairs, of another guideline, or of the same judge.
        RunError: One is unfinished, or the directory holds another run.
    """
    from judge.labelling.ensemble import ensemble_run

    members = [run.stored if isinstance(run, Run) else store.Run.open(Path(run)) for run in runs]
    made = store.Run(Path(out))
    with made.writing():
        ensemble_run(made, members)
    return Run(made.path)


def import_ratings(
    ratings: Rows,
    *,
    out: str | os.PathLike[str],
    catalogue: Rows | None = None,
    guideline: str | os.PathLike[str] = DEFAULT,
    **reading: Unpack[RatingOptions],
) -> Run:
    """Make a run out of grades that people gave, one a pair, with or without texts.

    Args:
        ratings: Rows with `query, candidate_id` and a grade.
        out: The run directory to write.
        catalogue: Candidates with `candidate_id` and their texts.
        guideline: What the grades mean: a name or a YAML file.
        reading: See `RatingOptions`; `raters` and `gold` are for several raters' grades, which are no run.

    Raises:
        InputError: A row or an option cannot be used, or a pair has two grades.
        RunError: The directory holds another run.
    """
    from judge.labelling.importing import import_run

    how, policy, run = Reading(**reading), load_guideline(str(guideline)), store.Run(Path(out))
    how.refuse("raters", "gold", fix="aggregate several raters' grades first: `judge aggregate`")
    known = how.known(policy)
    with (
        run.writing(),
        as_file(ratings, "ratings", run.path) as rows,
        as_optional_file(catalogue, "catalogue", run.path) as texts,
    ):
        import_run(run, how.source(rows, texts, known, need_text=False), policy)
    run.finish()
    return Run(run.path)


@contextmanager
def _watch(shown: bool, manifest: "Manifest", done: int) -> Iterator[Callable[[int], None]]:
    if not shown:
        yield lambda count: None
        return
    with bar("judging", manifest.rows, done, shown=True) as advance:
        yield advance
