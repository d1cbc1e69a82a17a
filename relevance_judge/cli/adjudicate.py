"""`judge adjudicate`: another judge looks at flagged labels again."""

from collections import Counter
from pathlib import Path

import click

from judge.records import counted
from relevance_judge.cli.options import flagged_run_argument, json_option
from relevance_judge.cli.output import show, show_json
from relevance_judge.cli.params import takes
from relevance_judge.cli.serving import EngineParams
from relevance_judge.progress import progress
from relevance_judge.serving import read_serving

MEANING = {
    "suggested_change": "against the label, as the evidence is",
    "label_repeated": "repeat the label",
    "other_way": "against both the label and the evidence",
    "no_grade": "without a grade",
}


@click.command()
@flagged_run_argument
@click.option(
    "--with",
    "judge",
    metavar="MODEL",
    required=True,
    help="A judge other than the run's; as for `judge label`.",
)
@takes(EngineParams)
@json_option
def adjudicate(asked: EngineParams, run: Path, judge: str, json: bool) -> None:
    """Ask another judge for its opinion on flagged labels. Opinions help people decide, and settle nothing.

    \b
    Example:
      judge adjudicate runs/monday --with Qwen/Qwen3-4B
    """
    from audit.review.adjudicate import Second, second_judge
    from audit.review.adjudicate import adjudicate as decide
    from audit.review.queue import Stance, read_queue
    from judge.engines.kinds import find_engine
    from judge.run.store import Run

    opened = Run.open(run)
    guideline, judge_config = second_judge(opened, judge, chat=find_engine(asked.engine).in_words)
    serving = read_serving(asked.engine, asked.url, asked.engine_config, None, judge_config.adapter)
    second = Second(guideline, judge_config, serving)
    with progress("judging again", len(read_queue(opened))) as advance:
        found = decide(opened, second, advance)
    counts = Counter(item.stance for item in found)
    if json:
        show_json({"opinions": len(found), **{stance: counts[stance] for stance in Stance}})
        return
    listed = ", ".join(f"{counts[stance]:,} {MEANING[stance]}" for stance in Stance if counts[stance])
    show(f"{counted(len(found), 'opinion')} of the judge" + (f": {listed}" if listed else ""))
    if found:
        show("none settles a label: the queue shows them, suggested changes first (`judge review` or `judge queue`)")
