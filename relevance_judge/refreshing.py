"""A run renewed for today's pairs and catalogue."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Unpack

from judge.run import store
from relevance_judge.inputs import Rows
from relevance_judge.judges import Judge, as_judge
from relevance_judge.reading import ColumnMap, RowOptions
from relevance_judge.runs import Run
from relevance_judge.scaling import pair_source


def refresh(
    run: Run | str | os.PathLike[str],
    pairs: Rows,
    *,
    out: str | os.PathLike[str],
    catalogue: Rows | None = None,
    judge: Judge | str | os.PathLike[str] | None = None,
    map: ColumnMap | None = None,
    skip_bad_rows: bool = False,
    **rows: Unpack[RowOptions],
) -> Run:
    """Label today's pairs, judging only what changed since an earlier run by the same judge.

    Unchanged pairs keep their label and their decisions; what was decided of pairs whose texts changed is to be decided
    again. The labels are those that labelling everything anew would give.

    Args:
        run: The earlier run, finished.
        pairs: Today's rows.
        out: The run directory to write, or to go on with.
        catalogue: Today's candidates.
        judge: The judge that labelled the earlier run; `shop-135m` unless given.
        map: Our names to the tables' columns.
        skip_bad_rows: Record rows that cannot be used as skipped, with the reason, and go on.
        rows: See `RowOptions`.

    Raises:
        InputError: A row or an option cannot be used, or people labelled the earlier run.
        ModelError: The judge cannot be found or loaded.
        RunError: Another judge or guideline labelled the earlier run, or it is unfinished.
        EngineError: The engine cannot go on; what is labelled stays.
    """
    from judge.labelling.refresh import refresh_run

    old, new, chosen = (
        run.stored if isinstance(run, Run) else store.Run.open(Path(run)),
        store.Run(Path(out)),
        as_judge(judge),
    )
    with new.writing(), pair_source(pairs, catalogue, new.path, map, skip_bad_rows, rows) as source:
        refresh_run(chosen.job(source), old, new, lambda manifest, done: nullcontext(lambda count: None))
    return Run(new.path)
