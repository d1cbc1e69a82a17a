"""Labels out: clean graded training sets, qrels and sheets, each written whole, read back and accounted for."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from judge.errors import InputError
from judge.export.account import NothingError
from judge.export.chosen import choose
from judge.export.formats import FORMATS, check_used, export
from judge.export.ledger import Exported, Exports
from judge.export.parquet import write_parquet
from judge.export.selection import Negatives, Selection, read_selection, read_splits
from judge.export.views import VIEWS
from judge.export.written import Written, WrittenView
from judge.files import new_folder
from judge.run.decided import Decided

__all__ = [
    "FORMATS",
    "VIEWS",
    "Exported",
    "Exports",
    "Negatives",
    "Selection",
    "Written",
    "WrittenView",
    "check_used",
    "export",
    "read_selection",
    "read_splits",
    "write_views",
]

PUBLISHED = ("judgments", "pairs", "triplets", "qrels", "listwise")


def write_views(
    decisions: Decided,
    selection: Selection,
    folder: Path,
    views: Sequence[str] = PUBLISHED,
    *,
    without_empty: bool = False,
) -> Written:
    """Write views of a finished run as Parquet, `folder/VIEW/SPLIT-00000.parquet`; the folder is whole or absent.

    Args:
        decisions: What was decided of a run in which every row has its label.
        selection: What of it, and in which splits; `train` alone unless splits are asked for.
        folder: Where to: it must not be there yet, or be empty.
        views: Which, of `VIEWS`.
        without_empty: Whether a view without records is left out, and no reason to refuse; the first view never is.

    Returns:
        Records of each view and split, and why input rows are in none.

    Raises:
        InputError: There is no such view, nothing to write, or the folder is taken.
        RunError: The run is unfinished or does not add up.
    """
    unknown = [view for view in views if view not in VIEWS]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no view", f"name some of {', '.join(VIEWS)}")
    written = {}
    with new_folder(folder) as partial:
        for need_text in (False, True):
            mine = [view for view in views if VIEWS[view].need_text is need_text]
            if not mine:
                continue
            with choose(decisions, selection, need_text=need_text) as chosen:
                for view in mine:
                    (partial / view).mkdir()
                    try:
                        found = write_parquet(chosen, VIEWS[view], _shards(partial / view))
                    except NothingError:
                        if not without_empty or view == views[0]:
                            raise
                        shutil.rmtree(partial / view)
                        continue
                    names = tuple(f"{view}/{split}-00000.parquet" for split in selection.names)
                    written[view] = found.model_copy(update={"files": names})
    return Written(
        input_rows=decisions.run.manifest.rows, views={view: written[view] for view in views if view in written}
    )


def _shards(folder: Path) -> Callable[[str], Path]:
    return lambda split: folder / f"{split}-00000.parquet"
