"""`judge queue`: what people should look at, most valuable first."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judge.export.formats import suggestion_formats
from judge.records import counted
from relevance_judge.cli.options import FileOutput, flagged_run_argument
from relevance_judge.cli.output import show, show_json
from relevance_judge.cli.params import takes

if TYPE_CHECKING:
    from audit.review.learning import Progress


@click.command()
@flagged_run_argument
@click.option("--to", metavar="FORMAT", required=True, help=f"csv, xlsx, {' or '.join(suggestion_formats())}.")
@takes(FileOutput)
@click.option("--limit", metavar="N", type=click.IntRange(1), help="The first N pairs only.")
@click.option(
    "--calibration-sample",
    "sample",
    metavar="N",
    type=click.IntRange(1),
    help="Instead N pairs drawn at random from the flags and the pairs below them: once they are decided on, the queue "
    "says what rate of false flags can be promised.",
)
@click.option(
    "--by",
    type=click.Choice(("evidence", "disagreement")),
    default="evidence",
    help="evidence: what the audit flagged. disagreement: pairs that the judges of an ensemble are split on.",
)
def queue(output: FileOutput, run: Path, to: str, limit: int | None, sample: int | None, by: str) -> None:
    """Write the review queue: flagged pairs, most valuable first. Settled pairs are left out.

    Says how many wrong labels the next 50 reviews are expected to find, by the decisions so far.

    \b
    Example:
      judge queue runs/monday --to csv --out queue.csv
    """
    from audit.review.disputed import read_disputed
    from audit.review.learning import read_calibration_sample, read_corrected
    from audit.review.queue import forms, write_queue
    from judge.calibration.promise import read_sample
    from judge.errors import InputError
    from judge.files import new_file
    from judge.run.store import Run

    if to not in forms():
        raise InputError(f"--to {to}: there is no such format", f"name one of {', '.join(forms())}")
    opened, progress, left = Run.open(run), None, 0
    if by == "disagreement":
        if sample is not None:
            raise InputError("--calibration-sample draws from what an audit flagged", "leave --by disagreement out")
        items = read_disputed(opened, limit)
    else:
        drawn = None if sample is None else read_calibration_sample(opened, sample)
        items, progress = read_corrected(opened)
        items = items if drawn is None else drawn
        left, items = len(items), items[:limit]
    with new_file(output.out, overwrite=output.overwrite) as partial:
        write_queue(items, to, partial, opened.manifest.values)
    if output.json:
        more = progress.as_json() if progress else {}
        show_json({"file": str(output.out), "format": to, "pairs": len(items), **more})
        return
    show(f"{counted(len(items), 'pair')} to look at in {output.out}")
    if sample is not None and (kept := read_sample(opened.path)):
        if len(kept.pairs) < sample:
            show(f"the sample has {counted(len(kept.pairs), 'pair')}: there are no more to draw from")
        if decided := len(kept.pairs) - left:
            show(f"{decided:,} of the {len(kept.pairs):,} pairs of the sample decided already, and left out")
    if progress:
        _show_progress(progress)


def _show_progress(progress: "Progress") -> None:
    """What the decisions so far say, and what they promise."""
    if progress.next_pairs:
        show(f"the next {progress.next_pairs} of the queue: {progress.next_wrong:.1f} wrong labels expected")
    else:
        show("no flagged label is open: nothing is flagged, or all of it is decided")
    if progress.reviewed:
        show(
            f"{progress.reviewed:,} decided on so far: {progress.wrong:,} labels were wrong; the audit expected "
            f"{progress.model_wrong:.1f}"
        )
    for promise in progress.promises:
        rests = (
            f"{promise.decided} decisions of a random sample, {promise.false} flags false, bound {promise.bound:.3f}"
        )
        what = f"the first {promise.pairs:,} pairs by rank" if promise.pairs else "not promised"
        show(f"at most {promise.budget:.0%} false: {what} ({rests})")
