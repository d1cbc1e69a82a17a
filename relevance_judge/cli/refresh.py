"""`judge refresh`: a finished run for today's pairs and catalogue."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import click

from judge.notes import missing_note
from relevance_judge.cli.grading import GradingParams, RowParams
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.label import watch
from relevance_judge.cli.options import finished_run_argument
from relevance_judge.cli.output import show, show_json, show_summary, show_table
from relevance_judge.cli.params import file, flag, takes
from relevance_judge.cli.plan import asked_judge
from relevance_judge.cli.serving import JudgeParams


@dataclass(frozen=True)
class RefreshParams:
    """What the run is renewed for, and where to."""

    pairs: Annotated[Path, file("--pairs", "PAIRS", "Today's pairs, as for `judge label`.", required=True)]
    out: Annotated[Path, file("--out", "RUN", "The run directory to write or resume.", required=True)]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@finished_run_argument
@takes(RowParams)
@takes(JudgeParams)
@takes(GradingParams)
@takes(RefreshParams)
def refresh(wanted: RefreshParams, grading: GradingParams, who: JudgeParams, rows: RowParams, run: Path) -> None:
    """Label what changed since an earlier run, and keep the rest.

    Unchanged pairs keep their label and their decisions. Pairs whose texts changed are judged again, and what was
    decided of them is to be decided again. Killed at any moment, the same command resumes where it stopped.

    \b
    Example:
      judge refresh runs/october --pairs pairs.csv --catalogue products.jsonl --out runs/november
    """
    from judge.labelling.refresh import refresh_run
    from judge.run.store import Run
    from judge.run.summary import summarise
    from relevance_judge.judges import Judge

    judge, old, new = Judge(**asked_judge(who, grading)), Run.open(run), Run(wanted.out)
    job = judge.job(rows.source(wanted.pairs, str(wanted.pairs)))
    with stoppable("the same command resumes where it stopped"), new.writing():
        report = refresh_run(job, old, new, partial(watch, job, judge.name))
    summary = summarise(new)
    if wanted.json:
        show_json({**summary.model_dump(), "done": summary.done, "refresh": report.model_dump()})
        return
    gone = "gone" if rows.limit is None and rows.sample is None else "left out or gone"
    counts = [
        ("pairs as before", report.unchanged),
        ("of these, labels kept", report.inherited),
        ("pairs that changed", report.changed),
        ("new pairs", report.new),
        (f"pairs that are {gone}", report.vanished),
        ("decisions kept", report.decisions_kept),
        ("decisions to make again", report.decisions_reopened),
        (f"decisions of pairs that are {gone}", report.decisions_closed),
    ]
    show_table([(what, f"{count:,}") for what, count in counts], right=(1,))
    show("")
    show_summary(summary)
    if note := missing_note(summary.missing_fields):
        show("", note)
    show("", f"labels in {new.path} (fingerprint {summary.fingerprint})")
