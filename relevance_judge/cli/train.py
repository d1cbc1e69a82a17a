"""`judge train`: train a retriever on a listwise set."""

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
from click import Choice, Option

from judge.records import counted
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.options import json_option
from relevance_judge.cli.output import say, show, show_json, show_table
from relevance_judge.cli.params import FILE, count, file, flag, takes
from relevance_judge.progress import progress

if TYPE_CHECKING:
    from retriever.config import RetrieverConfig
    from retriever.trained import Trained


def _number(name: str, metavar: str, help: str) -> Option:
    return Option([name], metavar=metavar, type=float, default=None, help=help)


@dataclass(frozen=True)
class ObjectiveParams:
    """What is learned; what is not given is as configured."""

    loss: Annotated[
        str | None,
        Option(
            ["--loss"],
            type=Choice(("supcon", "circle", "mnrl", "cosent")),
            help="supcon for stage 1, circle for stage 2; mnrl and cosent to compare with; supcon unless configured.",
        ),
    ]
    late: Annotated[bool, flag("--late", "Keep a vector for every token, compared by MaxSim: to re-rank with.")]
    soft: Annotated[bool, flag("--soft", "Learn expected grades of a calibrated judge; needs --loss cosent.")]
    misspell: Annotated[
        float | None,
        _number("--misspell", "SHARE", "Share of the queries that get a typing error; 0 unless configured."),
    ]


@dataclass(frozen=True)
class LearningParams:
    """How long and how fast; what is not given is as configured."""

    layers: Annotated[int | None, count("--layers", "Top layers that learn, 0 for all; 3 unless configured.", least=0)]
    epochs: Annotated[int | None, count("--epochs", "Passes over the queries; 3 unless configured.")]
    queries: Annotated[int | None, count("--batch", "Queries a step; 16 unless configured.")]
    learning_rate: Annotated[float | None, _number("--rate", "R", "Highest learning rate; 0.00005 unless configured.")]
    seed: Annotated[int | None, count("--seed", "Draws everything that is drawn; 0 unless configured.", least=0)]
    config: Annotated[Path | None, file("--config", "FILE", "Keys of retriever/train.yaml to change.")]


@click.command()
@click.argument("set_", metavar="SET", type=FILE, help="The folder of `judge export --to listwise`.")
@click.option("--out", metavar="MODEL", type=FILE, required=True, help="The folder to write or resume.")
@click.option(
    "--from",
    "start",
    metavar="MODEL",
    default="minilm-l6",
    help="What to start from: `minilm-l6`, an encoder's folder or name on the Hub, or a model trained before.",
)
@takes(ObjectiveParams)
@takes(LearningParams)
@json_option
def train(learning: LearningParams, objective: ObjectiveParams, set_: Path, out: Path, start: str, json: bool) -> None:
    """Train a retriever on a listwise set. It is written as a folder that sentence-transformers loads in one line.

    Killed at any moment, the same command resumes from its last checkpoint, with the same result: to the byte on a
    processor.

    \b
    Example:
      judge export runs/monday --to listwise --splits train=.9,test=.1 --out set
      judge train set --misspell .15 --out models/stage1
      judge train set --loss circle --from models/stage1 --out models/stage2
    """
    from retriever.job import check, prepare
    from retriever.job import train as run
    from retriever.trainer import Watch

    check(out)
    config = _config(objective, learning)
    with stoppable("the same command resumes from the last checkpoint"):
        prepared = prepare(set_, start, config)
        queries = counted(len(prepared.steps.groups), "query")
        say(f"training {prepared.start.name} with {config.loss} on {queries}, {len(prepared.steps):,} steps")
        with progress("training", len(prepared.steps)) as advance:
            done = run(prepared, out, Watch(advance, lambda epoch, loss: say(f"epoch {epoch}: loss {loss:.4f}")))
    if json:
        show_json(done.model_dump(mode="json"))
        return
    _show(done)
    name = shlex.quote(str(out))
    then = "re-rank with it" if done.late else f"judge evaluate {name} --gold RATINGS --catalogue FILE --against bm25"
    show("", f"model in {out}; {then}")


def _config(*given: Any) -> "RetrieverConfig":
    from retriever.config import load_config

    values = {field.name: getattr(record, field.name) for record in given for field in fields(record)}
    chosen = load_config(values.pop("config"))
    # 0 is a value; a flag that was not given is none.
    return chosen.changed(**{name: value for name, value in values.items() if value is not None and value is not False})


def _show(done: "Trained") -> None:
    from judge.words.pages import number

    rows = [
        ("started from", done.start),
        ("loss", done.loss + (", late interaction" if done.late else "")),
        ("queries, judged documents", f"{done.data.queries:,}, {sum(done.data.grades.values()):,}"),
        *((f"queries that taught nothing: {why}", f"{n:,}") for why, n in done.data.unused.items()),
        ("steps", f"{done.steps:,}"),
        ("weights that learned", f"{done.weights:,}"),
        ("mean loss of the first epoch, of the last", f"{done.losses[0]:.4f}, {done.losses[-1]:.4f}"),
    ]
    if apart := done.held_out:
        rows += [
            (f"NDCG@10 of {apart.queries:,} {apart.split} queries, judged only: start", number(apart.start.value)),
            ("  trained", f"{number(apart.trained.value)}: {apart.verdict}"),
        ]
        if apart.learned:
            rows.append((f"{apart.split} queries left out, which it or its start learned from", f"{apart.learned:,}"))
    show_table(rows)
