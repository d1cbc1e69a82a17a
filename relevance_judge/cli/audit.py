"""`judge audit`: a run's labels against what shoppers did."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
from click import Option

from judge.records import counted
from judge.tables.values import TIMES
from judge.text import candidate_name
from relevance_judge.cli.options import GradeParams, finished_run_argument
from relevance_judge.cli.output import say, show, show_json, show_table
from relevance_judge.cli.params import FILE, file, flag, read_grades, read_map, takes
from relevance_judge.cli.stdin import input_file

if TYPE_CHECKING:
    from audit.engagement.auditing import Audit
    from audit.engagement.flags import FlagRow


@dataclass(frozen=True)
class AuditParams:
    """What counts as a contradiction."""

    people: Annotated[Path | None, file("--people", "RATINGS", "People's grades of some of the pairs.")]
    fdr: Annotated[
        float,
        Option(
            ["--fdr"],
            metavar="SHARE",
            type=click.FloatRange(0.001, 0.5),
            default=0.1,
            help="Tolerated share of false flags of each type, as the model estimates it.",
        ),
    ]
    first_position: Annotated[
        int | None,
        Option(
            ["--first-position"],
            type=click.IntRange(0, 1),
            help="Rank of the first result; found in EVENTS unless given.",
        ),
    ]
    memory: Annotated[str, Option(["--memory"], metavar="SIZE", default="5GB", help="Memory for reading the events.")]


@dataclass(frozen=True)
class AuditOutput:
    """Where an audit goes."""

    out: Annotated[Path, file("--out", "DIR", "The directory to write.", required=True)]
    overwrite: Annotated[bool, flag("--overwrite", "Replace the run's flags, and what another audit left in --out.")]
    json: Annotated[bool, flag("--json", "Print JSON for machines.")]


@click.command()
@finished_run_argument
@click.argument(
    "events",
    metavar="EVENTS",
    type=FILE,
    help="UBI events, an event or impression table, or counts; a file, a folder or a pattern of Parquet.",
)
@takes(AuditParams)
@takes(GradeParams)
@takes(AuditOutput)
def audit(output: AuditOutput, theirs: GradeParams, wanted: AuditParams, run: Path, events: Path) -> None:
    """Flag labels that clicks, carts and purchases contradict. No label is changed.

    The run keeps its flags in `RUN/flags.parquet`, for `judge queue` and the verbs after it.

    Columns: `query` or `query_id`, `candidate_id`, `position` (counts may lack it), and either `action` and `search_id`
    (events), `clicked` and `search_id` (impressions), or `impressions`, `clicks`, `add_to_carts`, `purchases` (counts).
    UBI needs no map. Where the words of searches stand in UBI's `ubi_queries`, give it with --queries.

    \b
    Example:
      judge audit runs/monday events.parquet --map search_id=session --out audits/monday
    """
    from audit.engagement.auditing import audit as compare
    from audit.engagement.source import EngagementFile
    from audit.engagement.writing import check_evidence, check_place, summary, write_audit
    from judge.ratings.remembered import fitting_columns
    from judge.run.flags import Flags
    from judge.run.store import Run
    from relevance_judge.auditing import PAIR, AuditRequest
    from relevance_judge.reading import Reading

    how = Reading(rating=theirs.rating, grades=read_grades(theirs.grades), encoding=theirs.encoding)
    people = (wanted.people, str(wanted.people)) if wanted.people else None
    request = AuditRequest(read_map(theirs.map), people, how, wanted.fdr, wanted.first_position, wanted.memory)
    out = output.out
    mapping, settings = request.settle()
    with input_file(events) as (path, name):
        opened = Run.open(run)
        mapping |= fitting_columns([opened], [path], PAIR, mapping, theirs.encoding)
        check_place(opened, name, out, overwrite=output.overwrite)
        before = len(Flags(opened.path))
        if before:
            say(f"the run's {counted(before, 'flag')} of an earlier audit will be replaced; decisions stay")
        say("reading events")
        found = compare(opened, EngagementFile(path, mapping, name, theirs.queries, theirs.encoding), settings)
        check_evidence(found)
    write_audit(found, out)
    if output.json:
        show_json(summary(found))
        return
    _show(found, summary(found), out)
    if before:
        show(f"replaced the {counted(before, 'earlier flag')}; decisions stay")


def _show(found: "Audit", summary: Mapping[str, Any], out: Path) -> None:
    from judge.run.flags import Flags

    read, pairs = summary["input"], summary["pairs"]
    aside = ", ".join(f"{count:,} {name}" for name, count in read["set_aside"].items())
    others = read["of_other_pairs"]
    show(
        f"{read['rows']:,} rows of {read['shape']}, {read['used']:,} used"
        + (f" ({others:,} of them about pairs that have no grade in the run)" if others else "")
        + (f"; set aside: {aside}" if aside else "")
    )
    if read["first_position"] == 0:
        show("note: ranks count from 0 in the events; here the first is 1")
    if read["odd_times"]:
        times = f"{read['odd_times']:,} rows have a timestamp that cannot be read: no rule counts them to any day"
        show(f"note: {times}; what is read is {TIMES}")
    if read["other_actions"]:
        others = ", ".join(f"{name!r} ({count:,})" for name, count in read["other_actions"].items())
        show(f"note: actions that are not read: {others}")
    seen = pairs["with_examined_impressions"]
    weighed = f", {seen:,} of them where examination is known" if seen < pairs["with_impressions"] else ""
    show(
        f"{pairs['graded']:,} graded pairs, {pairs['with_impressions']:,} with engagement{weighed}; "
        f"click model: {summary['examination']['model']}"
    )
    if direct := summary["trials"]["carts"]["examined impression"]:
        show(f"in {counted(direct, 'query')} carts come without clicks: counted per examined impression")
    for note in (summary["examination"]["note"], summary["label_agreement"]["note"]):
        if note:
            show(f"note: {note}")
    kinds: dict[int, list[FlagRow]] = {}
    for row in found.flags:
        kinds.setdefault(row.pair, []).append(row)
    rows = [_row(found, flags) for flags in list(kinds.values())[:10]]
    if rows:
        show()
        show_table(rows, ("query", "candidate", "grade", "clicks", "bought", "q", "flags"), (3, 4, 5), (6,), stack=2)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in summary["flags"].items() if count)
    show("", f"{counted(pairs['flagged'], 'pair')} flagged" + (f": {counts}" if counts else ""))
    _show_rate(summary["rate"])
    if summary["next_step"]:
        show(summary["next_step"])
    show(f"report in {out / 'report.html'}; the run has the flags too, in {Flags(found.run.path).path}")


def _show_rate(rate: dict[str, Any]) -> None:
    """What is known of how many flags are false."""
    for check in rate["checks"]:
        if check["held"]:
            held = "flags are" if len(check["held"]) > 1 else f"{check['held'][0]} flags are"
            show(f"note: {check['words']}; {held} held back; fix: {check['fix']}")
        elif not check["holds"]:
            fix = f"; {check['fix']}" if check["fix"] else ""
            apart = ", and nothing is flagged by engagement in them" if check["queries"] else ""
            show(f"note: fewer flags are taken ({check['name']}): {check['words']}{apart}{fix}")
    for promise in rate["promises"]:
        if promise["pairs"]:
            show(
                f"promised: of the first {promise['pairs']:,} pairs by rank at most {promise['budget']:.0%} are right "
                f"({promise['decided']} decisions, bound {promise['bound']:.3f} at {promise['confidence']:.0%})"
            )


def _row(found: "Audit", flags: "list[FlagRow]") -> tuple[str, ...]:
    """One pair's line: all its flags, the numbers of the strongest."""
    values, labelled, first = found.run.manifest.values, found.labelled, flags[0]
    i = first.pair
    return (
        _short(labelled.query[i], 30),
        _short(candidate_name(labelled.candidate[i]) or labelled.candidate_id[i], 44),
        f"{values[labelled.grade[i]]} → {values[first.suggested]}",
        f"{labelled.clicks[i]:,.0f}",
        f"{labelled.purchases[i]:,.0f}",
        f"{first.q_value:.3f}",
        ", ".join(flag.type for flag in flags),
    )


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
