"""A run of the first rows, or of a sample, that goes on to more of the same input: 30 pairs, then 300, then everything.

The larger input is staged anew, since a query's further candidates stand among those that are labelled. The new state
is made in a folder of its own, which takes effect by its name; what is labelled is taken over.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from judge.files import now, sync, write_whole
from judge.labelling.inherit import FILE, Earlier, write_inherited
from judge.pairs.stage import Staged
from judge.run.hold import GROWN, settle_growth
from judge.run.manifest import Manifest
from judge.run.store import Run
from judge.words.guideline import Guideline

Inputs = Mapping[str, str | int | None]
SIZES = frozenset({"limit", "sample", "seed"})
"""What says how much of the input is labelled."""


def grows(before: Inputs, after: Inputs) -> bool:
    """Whether an input is the same, and more of it: every row of before is in it."""
    if any(before.get(name) != after.get(name) for name in {*before, *after} - SIZES):
        return False
    # A sample is drawn from the rows within the limit: with another limit it is of other queries.
    if after.get("sample") is not None and any(before.get(name) != after.get(name) for name in ("seed", "limit")):
        return False
    said = [(before.get(name), after.get(name)) for name in ("limit", "sample")]
    more = all(new is None or (old is not None and int(new) >= int(old)) for old, new in said)
    return more and any(old != new for old, new in said)


@contextmanager
def room(run: Run) -> Iterator[Path]:
    """A folder in a run for a larger input; gone afterwards, unless it has taken effect."""
    folder = Path(mkdtemp(prefix="staging-", dir=run.path))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def grow(run: Run, folder: Path, staged: Staged, inputs: Inputs, guideline: Guideline) -> None:
    """Bring a run to where labelling a larger input goes on. The caller holds `run.writing()`.

    Args:
        run: The run.
        folder: Of `room`, with the larger input's `pairs.parquet`.
        staged: What was found in that input.
        inputs: What the manifest is to say of it.
        guideline: The guideline.
    """
    earlier = Earlier(run.pairs_path, run.parts(), run.path / FILE)
    write_inherited(folder, staged.path, earlier, [field.name for field in guideline.fields])
    fresh = dict.fromkeys(("finished", "counts", "judged", "judge_seconds", "usage"))
    more = {"inputs": inputs, "rows": staged.rows, "missing_fields": staged.missing, "passed_over": staged.passed_over}
    made = Manifest.model_validate({**run.manifest.model_dump(), **fresh, **more, "created": now()})
    write_whole(folder / run.manifest_path.name, made.model_dump_json(indent=2).encode())
    folder.rename(run.path / GROWN)
    sync(run.path)
    settle_growth(run.path)
