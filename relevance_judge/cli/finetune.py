"""`judge finetune`: teach a small judge from people's ratings."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.words import guideline as guidelines
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.options import (
    Catalogue,
    Encoding,
    Grades,
    GuidelineName,
    Json,
    Map,
    Queries,
    Rating,
    SkipRatings,
    input_file,
    read_grades,
    read_raters,
)
from relevance_judge.cli.options import read_map as read_mapping
from relevance_judge.cli.output import say, show, show_json, show_left_out, show_table
from relevance_judge.progress import progress

if TYPE_CHECKING:
    from finetune.checkpoint import Look
    from judge.labelling.config import AdapterManifest


def finetune(
    ratings: Annotated[
        Path,
        typer.Argument(metavar="RATINGS", help="Rated pairs: a row a pair, or a row a grade; `-` is standard input."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="ADAPTER", help="The directory to write, or to go on with.")],
    catalogue: Catalogue = None,
    base: Annotated[
        str, typer.Option("--base", metavar="MODEL", help="What to teach; as --judge of `judge label`.")
    ] = "smollm2-135m",
    guideline: GuidelineName = guidelines.DEFAULT,
    rating: Rating = None,
    raters: Annotated[
        str | None,
        typer.Option("--raters", metavar="A,B,C", help="The raters' columns; or the raters to take of a long file."),
    ] = None,
    grades: Grades = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="What to change of finetune/lora.yaml.")
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="NAME", help="Of prompts/; judge-match.v2 unless configured.")
    ] = None,
    merge: Annotated[
        Path | None, typer.Option("--merge", metavar="DIR", help="Write the taught judge as one model, too.")
    ] = None,
    skip_bad_rows: SkipRatings = False,
    queries: Queries = None,
    encoding: Encoding = None,
    map_: Map = None,
    json: Json = False,
) -> None:
    """Teach a small judge from people's ratings, calibrate it, and write it as an adapter.

    Killed at any moment, the same command goes on from its last checkpoint, with the same result: to the byte on a
    processor, on a GPU as far as torch has deterministic algorithms.

    \b
    Example:
      judge finetune ratings.csv --catalogue products.jsonl --raters ann,ben,cleo --out adapters/ours
    """
    from finetune.config import load_config
    from finetune.job import TrainingJob, check, prepare
    from finetune.job import finetune as teach
    from finetune.loop import Watch
    from finetune.merge import check_free
    from finetune.merge import merge as write_merged
    from judge.pairs.stage import Source
    from judge.ratings.rated import RatingsFile

    check()
    if merge:
        check_free(merge, out)
    policy = guidelines.load_guideline(guideline)
    known, names = guidelines.known_grades(read_grades(grades), policy), read_raters(raters)
    chosen = load_config(config)
    if template:
        chosen = chosen.changed(template=template)
    with stoppable("the same command goes on from the last checkpoint"):
        with input_file(ratings) as (path, name):
            mapping = read_mapping(map_, rating)
            source = Source(path, catalogue, mapping, grades=known, skip_bad_rows=skip_bad_rows, name=name)
            source = replace(source, queries=queries, encoding=encoding)
            prepared = prepare(TrainingJob(RatingsFile(source, names), policy, base, chosen))
        say(f"teaching {prepared.base.name} {len(prepared.training_set.train):,} pairs")
        with progress("teaching", prepared.steps) as advance:
            tuned = teach(prepared, out, Watch(advance, _show_look))
        if merge:
            write_merged(tuned, out, merge)
    if json:
        show_json(tuned.model_dump(mode="json", exclude={"guideline": True, "calibration": {"held_out"}}))
        return
    _show(tuned)
    show("", f"adapter in {out}" + (f", merged model in {merge}" if merge else "") + f"; judge label --judge {out}")


def _show_look(look: "Look") -> None:
    figures = f"training loss {look.training_loss:.3f}, validation loss {look.log_loss:.3f}"
    show(f"step {look.step:,}: {figures}, accuracy {look.accuracy:.3f}", err=True)


def _show(tuned: "AdapterManifest") -> None:
    from judge.statistics import measures

    training, found = tuned.training, tuned.validation
    values = [label.grade for label in tuned.labels]
    kappa = float(measures.weighted_kappa(found["confusion"], values))
    rows = [
        ("base", tuned.base.wanted),
        ("pairs to learn, to stop by, to calibrate with", " + ".join(f"{n:,}" for n in training["pairs"].values())),
        ("queries of each", " + ".join(f"{n:,}" for n in training["queries"].values())),
        ("steps, and whose weights are kept", f"{training['steps']:,}, {training['best_step']:,}"),
        ("on the validation queries: accuracy", f"{found['accuracy']:.3f}"),
        ("  quadratic kappa", "–" if kappa != kappa else f"{kappa:.3f}"),
        ("  log loss", f"{found['log_loss']:.3f}"),
    ]
    if held := training.get("held_out"):  # a judge that was taught before they were counted has none
        rows.insert(
            3, ("held-out pairs whose product was taught, too", f"{held['product_taught']:,} of {held['pairs']:,}")
        )
    show_table(rows)
    show_left_out(training["left_out"])
    if tuned.calibration is None:
        show("", f"not calibrated: {training['without_calibration']}")
        return
    from relevance_judge.cli.calibrate import show_calibration

    show()
    show_calibration(tuned.calibration)
