"""`judge probe`: does the judge move grades that must not move?"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from judge.records import counted
from relevance_judge.cli.options import Catalogue, Json, Map, input_file, read_map
from relevance_judge.cli.output import say, show, show_json, show_table
from relevance_judge.cli.serving import (
    Adapter,
    EngineConfig,
    EngineName,
    JudgeGuideline,
    JudgeName,
    Url,
    note_other_base,
)
from relevance_judge.progress import progress
from relevance_judge.serving import default_judge, read_serving


def probe(
    pairs: Annotated[
        Path, typer.Argument(metavar="PAIRS", help="What `judge label` would be given; `-` is standard input.")
    ],
    catalogue: Catalogue = None,
    guideline: JudgeGuideline = None,
    judge: JudgeName = None,
    engine: EngineName = "transformers",
    url: Url = None,
    engine_config: EngineConfig = None,
    adapter: Adapter = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Pairs to probe, spread over the queries.")
    ] = 100,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Change real pairs in ways that must not move their grade, and count how often it moves. Intervals are 95%.

    \b
    Example:
      judge probe pairs.csv --catalogue products.jsonl --judge runs/adapter --limit 200
    """
    from audit.probes.perturbations import PERTURBATIONS
    from audit.probes.probe import probe as ask
    from audit.probes.probe import sample
    from judge.engines import Judge
    from judge.engines.kinds import find_engine
    from judge.errors import InputError
    from judge.labelling.config import JudgeRequest, resolve_judge
    from judge.labelling.label import read_pairs
    from judge.pairs.stage import Source, stage

    policy, judge_config = resolve_judge(
        JudgeRequest(judge or default_judge(engine), guideline, chat=find_engine(engine).in_words)
    )
    serving = read_serving(engine, url, engine_config, adapter, judge_config.adapter, judge)
    with input_file(pairs) as (path, name), tempfile.TemporaryDirectory(prefix="probe-") as folder:
        staged = stage(Source(path, catalogue, read_map(map_), name=name), policy, Path(folder))
        staged.refuse()
        every = [pair for batch in read_pairs(staged.path) for pair, _ in batch if pair is not None]
    chosen = sample(every, limit)
    if not chosen:
        raise InputError(f"{name}: holds no pair to judge", "`judge validate` says why")
    asked = Judge(judge_config.model, serving)
    say(f"loading {asked.model.name}")
    note_other_base(asked)
    with progress("probing", len(chosen) * (1 + len(PERTURBATIONS))) as advance:
        found = ask(chosen, asked, policy, judge_config=judge_config, progress=advance)
    if json:
        show_json({"judge": asked.model.name, "pairs": len(chosen), "probes": [asdict(report) for report in found]})
        return
    rows = [
        (r.probe, f"{r.n:,}", _share(r.flips), _share(r.rises), "–" if r.shift is None else f"{r.shift:+.3f}")
        for r in found
    ]
    show_table(rows, head=("probe", "pairs", "grade moved", "grade rose", "mean shift"), right=(1, 4))
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
