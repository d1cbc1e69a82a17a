"""`judge import`: grades that people gave, as a run."""

from dataclasses import replace
from pathlib import Path

import click

from judge.tables.levels import ends_note
from relevance_judge.cli.options import GradeParams, TextParams, json_option, skip_option
from relevance_judge.cli.output import show, show_json, show_note, show_summary
from relevance_judge.cli.params import FILE, takes
from relevance_judge.cli.stdin import input_file


@click.command("import")
@click.argument(
    "ratings",
    metavar="RATINGS",
    type=FILE,
    help="Rows with `query, candidate_id` and a grade; `-` is standard input.",
)
@click.option("--out", metavar="RUN", type=FILE, required=True, help="The run directory to write.")
@takes(GradeParams)
@takes(TextParams)
@skip_option
@json_option
def import_(texts: TextParams, grades: GradeParams, ratings: Path, out: Path, skip_bad_rows: bool, json: bool) -> None:
    """Make a run from grades that people already gave. Texts of queries and candidates may be missing.

    \b
    Example:
      judge import judgments.csv --rating label --grades E=2,S=1,C=1,I=0 --out runs/people
    """
    from judge.labelling.importing import import_run
    from judge.run.store import Run
    from judge.run.summary import summarise

    policy = texts.policy()
    known = grades.known(policy)
    run = Run(out)
    with input_file(ratings) as (path, name), run.writing():
        source = grades.source(path, name, texts.catalogue, known)
        import_run(run, replace(source, need_text=False, skip_bad_rows=skip_bad_rows), policy)
    run.finish()
    summary = summarise(run)
    if json:
        show_json(summary.model_dump())
        return
    show_summary(summary)
    occurring = (int(grade) for grade, count in summary.grades.items() if count)
    show_note(ends_note(occurring, policy.values, known))
    show("", f"labels in {run.path} (fingerprint {summary.fingerprint})")
