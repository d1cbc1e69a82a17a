"""`judge adjudicate`: a stronger judge looks at flagged labels again."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json
from cli.output import progress, show, show_json
from cli.serving import EngineConfig, EngineName, Url, read_serving


def adjudicate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that `judge audit` has flagged.")],
    judge: Annotated[
        str, typer.Option("--with", metavar="MODEL", help="A stronger judge; named, and asked, as by `judge label`.")
    ],
    engine: EngineName = "transformers",
    url: Url = None,
    engine_config: EngineConfig = None,
    json: Json = False,
) -> None:
    """Re-judge flagged labels. Where the judge contradicts one, the category decides, or people do.

    \b
    Example:
      judge adjudicate runs/monday --with Qwen/Qwen3-4B
    """
    from audit.engagement.adjudicate import Second, second_manner
    from audit.engagement.adjudicate import adjudicate as decide
    from audit.engagement.queue import read_queue
    from judge.store import Run

    opened = Run.open(run)
    guideline, manner = second_manner(opened, judge, chat=engine == "chat")
    second = Second(guideline, manner, read_serving(engine, url, engine_config, None, manner.adapter))
    with progress("judging again", len(read_queue(opened))) as advance:
        found = decide(opened, second, advance)
    counts = Counter(str(decision.verdict) for decision in found)
    if json:
        show_json({"decisions": len(found), **counts})
        return
    listed = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items()))
    show(f"{len(found):,} decisions appended" + (f": {listed}" if listed else ""))
    if counts["unsure"]:
        show("what is unsure stays in the queue for people: `judge review` or `judge queue`")
