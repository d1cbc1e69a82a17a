"""`judge decide`: people's decisions back into the run."""

from collections import Counter
from pathlib import Path

import click

from judge.records import counted
from relevance_judge.cli.options import EncodingParams, json_option
from relevance_judge.cli.output import show, show_json
from relevance_judge.cli.params import FILE, takes
from relevance_judge.cli.stdin import input_file


@click.command()
@click.argument("run", metavar="RUN", type=FILE, help="The run that the decisions are about.")
@click.argument(
    "file",
    metavar="FILE",
    type=FILE,
    help="Rows with `query_id, candidate_id, decision` and perhaps `author, reason`; `-` is standard input.",
)
@click.option("--author", metavar="NAME", help="Who decided, where a row is silent.")
@takes(EncodingParams)
@json_option
def decide(text: EncodingParams, run: Path, file: Path, author: str | None, json: bool) -> None:
    """Append people's decisions to a run. A decision is a grade, `keep` or `unsure`.

    Labels stay as they are; `judge export` applies decisions. An author's unchanged
    last decision about a pair is not appended again.

    \b
    Example:
      judge decide runs/monday queue.csv --author Ana
    """
    from audit.review.sheet import overruled, read_decisions
    from judge.run.decisions import Decisions
    from judge.run.store import Run

    opened = Run.open(run)
    with input_file(file) as (path, name):
        found, undecided = read_decisions(opened, path, author, name, text.encoding)
    decisions = Decisions(opened.path)
    new = decisions.unknown(found)
    decisions.append(new)
    others = len(overruled(decisions) & {decision.pair for decision in new})
    counts, there = Counter(str(decision.verdict) for decision in new), len(found) - len(new)
    if json:
        rest = {"already_there": there, "undecided": undecided, "overruled": others}
        show_json({"decisions": len(new), **counts, **rest})
        return
    listed = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items()))
    # A sheet may give the label's own grade: whoever counts the changes would miss it.
    listed += " (the label's own grade counts as keep)" if counts["keep"] else ""
    show(
        f"{counted(len(new), 'decision')} appended"
        + (f": {listed}" if listed else "")
        + (f"; {there:,} were already there" if there else "")
        + (f"; {counted(undecided, 'row')} without a decision" if undecided else "")
        + (
            f"; {counted(others, 'pair')} decided otherwise by another author: the last decision counts"
            if others
            else ""
        )
    )
