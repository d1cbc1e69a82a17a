"""`judge validate`: read everything, load no model."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from judge.notes import missing_note
from judge.records import counted
from relevance_judge.cli.options import RatingParams, check_named, json_option
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import FILE, takes
from relevance_judge.cli.stdin import input_file

if TYPE_CHECKING:
    from judge.pairs.stage import Staged

SHOWN = 12
"""Unused columns that are named."""


@click.command()
@click.argument(
    "pairs",
    metavar="PAIRS",
    type=FILE,
    help="What `judge label` would be given, or ratings; `-` is standard input.",
)
@click.option("--catalogue", metavar="FILE", type=FILE, help="Candidates with `candidate_id` and their texts.")
@click.option(
    "--guideline",
    metavar="NAME|FILE",
    help="What relevance means; unless given, what the judge was fine-tuned on, or three-level.",
)
@click.option("--judge", metavar="MODEL", help="The judge to check for; as for `judge label`.")
@takes(RatingParams)
@json_option
def validate(
    how: RatingParams, pairs: Path, catalogue: Path | None, guideline: str | None, judge: str | None, json: bool
) -> None:
    """Check pairs and catalogue, and list everything wrong with them.

    Ends with exit code 2 where `judge label` would refuse the input. Loads no model; a fine-tuned judge reads the
    fields that it was fine-tuned on. With --rating, --raters, --gold or --grades the file is read as ratings, as
    `judge import` and `judge agree` read it.

    \b
    Example:
      judge validate pairs.csv --catalogue products.jsonl --map candidate_id=sku
      judge validate judgments.csv --rating label --grades E=2,S=1,C=1,I=0
    """
    from relevance_judge.validating import as_json, check, policy_of

    check_named("--catalogue", catalogue)
    rated = any((how.rating, how.raters, how.gold, how.grades))
    policy = policy_of(judge, guideline, rated)
    with input_file(pairs) as (path, name):
        staged, differ = check(how.source(path, name, catalogue), policy, how.layout() if rated else None)
    if json:
        show_json(as_json(staged, differ))
    else:
        _show(staged, differ, len(policy.fields))
    if staged.problems:
        raise click.exceptions.Exit(2)


def _show(staged: "Staged", differ: int | None, fields: int) -> None:
    """The same for people; the guideline has so many fields."""
    rated, error = differ is not None, staged.scale.error() if staged.scale else None
    show_table(
        [
            ("input rows", f"{staged.rows:,}"),
            ("rated pairs" if rated else "pairs to judge", f"{staged.rows - staged.skipped:,}"),
            ("queries", f"{staged.queries:,}"),
            (f"repeats and rows without {'a grade' if rated else 'text'}", f"{staged.repeats:,}"),
            ("problems", f"{sum(staged.kinds.values()):,}"),
            *((f"mined from {name}", f"{count:,}") for name, count in sorted(staged.origins.by_source.items())),
            *((f"mined: invalid {name}", f"{n:,}") for name, (n, _) in staged.origins.left_out.items()),
        ],
        right=(1,),
    )
    # Ratings may come without any text.
    missing = [] if rated and len(staged.missing) == fields else staged.missing
    if missing:
        from judge.tables.likely import likely_name

        note = missing_note(missing, likely_name(missing[0], staged.unused))
        show("", note)
    if staged.unused:
        more = f" and {len(staged.unused) - SHOWN:,} more (--json has all)" if len(staged.unused) > SHOWN else ""
        show("", f"columns that nothing reads: {', '.join(staged.unused[:SHOWN])}{more}")
    if differ:
        what = f"raters differ in {counted(differ, 'row')}"
        show("", f"{what}: `judge import` refuses that, where one pair has one grade; other verbs do not")
    for kind, count in sorted(staged.kinds.items()):
        first = [problem for problem in staged.problems if problem.kind == kind]
        show("", f"{kind}: {count:,}; fix: {first[0].fix}")
        for problem in first:
            show(f"  {problem}")
        if count > len(first):
            show(f"  … and {count - len(first):,} more")
    if error:
        show("", f"the grades: {error.message}", f"  fix: {error.hint}")
    elif staged.scale and (unused := staged.scale.note()):
        show("", f"note: {unused}")
