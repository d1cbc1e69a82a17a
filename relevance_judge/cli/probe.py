"""`judge probe`: does the judge move grades that must not move?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from judge.records import counted
from judge.scratch import scratch_folder
from relevance_judge.cli.options import PairParams, json_option
from relevance_judge.cli.output import say, show, show_json, show_table
from relevance_judge.cli.params import FILE, takes
from relevance_judge.cli.serving import JudgeParams, note_other_base
from relevance_judge.cli.stdin import input_file
from relevance_judge.progress import progress

if TYPE_CHECKING:
    from audit.probes.probe import ProbeReport


@click.command()
@click.argument("pairs", metavar="PAIRS", type=FILE, help="What `judge label` would be given; `-` is standard input.")
@takes(PairParams)
@takes(JudgeParams)
@click.option(
    "--limit", metavar="N", type=click.IntRange(1), default=100, help="Pairs to probe, spread over the queries."
)
@json_option
def probe(who: JudgeParams, texts: PairParams, pairs: Path, limit: int, json: bool) -> None:
    """Count how often changes that must not move a grade move it. Intervals are 95%.

    It changes real pairs, such as the order of a query's words, and asks the judge again.

    \b
    Example:
      judge probe pairs.csv --catalogue products.jsonl --judge runs/adapter --limit 200
    """
    from audit.probes.perturbations import PASSES
    from audit.probes.probe import probe as ask
    from audit.probes.probe import sample
    from judge.engines import Judge
    from judge.errors import InputError
    from judge.labelling.label import read_pairs
    from judge.labelling.resolve import JudgeRequest, resolve_judge
    from judge.pairs.stage import Source, stage

    policy, judge_config = resolve_judge(JudgeRequest(who.name, who.guideline, chat=who.chat))
    serving = who.serving(judge_config)
    with input_file(pairs) as (path, name), scratch_folder("probe") as folder:
        source = Source(path, texts.catalogue, texts.mapping, name=name, queries=texts.queries, encoding=texts.encoding)
        staged = stage(source, policy, Path(folder))
        staged.refuse()
        every = [pair for batch in read_pairs(staged.path) for pair, _ in batch if pair is not None]
    chosen = sample(every, limit)
    if not chosen:
        raise InputError(f"{name}: holds no pair to judge", "`judge validate` says why")
    asked = Judge(judge_config.model, serving)
    say(f"loading {asked.model.name}")
    note_other_base(asked)
    with progress("probing", len(chosen) * PASSES) as advance:
        found = ask(chosen, asked, policy, judge_config=judge_config, progress=advance)
    if json:
        show_json({"judge": asked.model.name, "pairs": len(chosen), "probes": [asdict(report) for report in found]})
    else:
        _show(found)


def _show(found: "Sequence[ProbeReport]") -> None:
    rows = [
        (
            r.probe,
            f"{r.n:,}",
            _share(r.flips),
            _share(r.rises),
            _share(r.above) if r.above else "",
            "–" if r.shift is None else f"{r.shift:+.3f}",
        )
        for r in found
    ]
    show_table(rows, head=("probe", "pairs", "grade moved", "grade rose", "above control", "mean shift"), right=(1, 5))
    for report in found:
        if report.not_graded:
            show(f"{report.probe}: no grade for {counted(report.not_graded, 'pair')}, before or after the change")
        for flip in report.worst[:2]:
            what = f"“{flip.query}” and {flip.title[:80]} ({flip.candidate_id}): {flip.before} became {flip.after}"
            show(f"{report.probe}: {what}")


def _share(estimate: object) -> str:
    value, low, high = (getattr(estimate, name) for name in ("value", "low", "high"))
    if value is None:
        return "–"
    return f"{value:.1%}" + ("" if low is None else f" ({low:.1%} to {high:.1%})")
