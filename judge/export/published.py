"""Views of a run as Parquet in one folder: what the Hub gets."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from judge.errors import InputError
from judge.export.account import NothingError
from judge.export.chosen import choose
from judge.export.formats import formats
from judge.export.mteb import VIEWS as MTEB
from judge.export.parquet import write_parquet
from judge.export.selection import Selection
from judge.export.views import View
from judge.export.written import Written
from judge.files import new_folder
from judge.run.decided import Decided

PUBLISHED = ("judgments", "pairs", "triplets", "qrels", "listwise", "corpus", "queries", "top_ranked")
"""Views that the Hub gets."""


def views() -> Mapping[str, View]:
    """The views of all formats, and those of MTEB, by name."""
    found = [form.view for form in formats().values() if form.view is not None]
    return {view.name: view for view in (*found, *MTEB)}


def write_views(
    decisions: Decided,
    selection: Selection,
    folder: Path,
    names: Sequence[str] = PUBLISHED,
    *,
    without_empty: bool = False,
) -> Written:
    """Write views of a finished run as Parquet, `folder/VIEW/SPLIT-00000.parquet`; the folder is whole or absent.

    Args:
        decisions: What was decided of a run in which every row has its label.
        selection: What of it, and in which splits; `train` alone unless splits are asked for.
        folder: Where to: it must not be there yet, or be empty.
        names: Which, of `views()`.
        without_empty: Whether a view without records is left out, and no reason to refuse; the first view never is.

    Returns:
        Records of each view and split, and why input rows are in none.

    Raises:
        InputError: There is no such view, nothing to write, or the folder is taken.
        RunError: The run is unfinished or does not add up.
    """
    known = views()
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"{unknown[0]!r} is not a view", f"name some of {', '.join(known)}")
    written = {}
    with new_folder(folder) as partial:
        for need_text in (False, True):
            mine = [name for name in names if known[name].need_text is need_text]
            if not mine:
                continue
            with choose(decisions, selection, need_text=need_text) as chosen:
                for name in mine:
                    (partial / name).mkdir()
                    try:
                        found = write_parquet(chosen, known[name], _shards(partial / name))
                    except NothingError:
                        if not without_empty or name == names[0]:
                            raise
                        shutil.rmtree(partial / name)
                        continue
                    files = tuple(f"{name}/{split}-00000.parquet" for split in selection.names)
                    written[name] = found.model_copy(update={"files": files})
    return Written(
        input_rows=decisions.run.manifest.rows, views={name: written[name] for name in names if name in written}
    )


def _shards(folder: Path) -> Callable[[str], Path]:
    return lambda split: folder / f"{split}-00000.parquet"
