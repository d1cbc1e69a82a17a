"""`judge audit`: a run's labels beside what shoppers did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judge.records import counted
from relevance_judge.cli.options import Encoding, Grades, Json, Map, Queries, Rating, input_file, read_grades, read_map
from relevance_judge.cli.output import say, show, show_json, show_table

if TYPE_CHECKING:
    from audit.engagement.auditing import Audit
    from audit.engagement.flags import FlagRow


def audit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run directory.")],
    events: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTS",
            help="UBI events, an event or impression table, or counts; a file, a folder or a pattern of Parquet.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The directory to write.")],
    people: Annotated[
        Path | None, typer.Option("--people", metavar="RATINGS", help="People's grades of some of the pairs.")
    ] = None,
    rating: Rating = None,
    grades: Grades = None,
    level: Annotated[
        float,
        typer.Option(
            "--fdr",
            metavar="SHARE",
            min=0.001,
            max=0.5,
            help="Share of false flags of each type that its model may expect.",
        ),
    ] = 0.1,
    first: Annotated[
        int | None,
        typer.Option("--first-position", min=0, max=1, help="Rank of the first result; found in EVENTS unless given."),
    ] = None,
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="Memory for reading the events.")] = "5GB",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run's flags, and what another audit left in --out.")
    ] = False,
    queries: Queries = None,
    encoding: Encoding = None,
    map_: Map = None,
    json: Json = False,
) -> None:
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
    from audit.engagement.writing import check_evidence, check_place, write_audit
    from judge.run.flags import Flags
    from judge.run.store import Run
    from relevance_judge.auditing import AuditRequest
    from relevance_judge.reading import Reading

    how = Reading(rating=rating, grades=read_grades(grades))
    request = AuditRequest(read_map(map_), (people, str(people)) if people else None, how, level, first, memory)
    mapping, settings = request.settle()
    with input_file(events) as (path, name):
        opened = Run.open(run)
        check_place(opened, name, out, overwrite=overwrite)
        before = len(Flags(opened.path))
        if before:
            say(f"the run's {counted(before, 'flag')} of an earlier audit will be replaced; decisions stay")
        say("reading events")
        found = compare(opened, EngagementFile(path, mapping, name, queries, encoding), settings)
        check_evidence(found)
    write_audit(found, out)
    if json:
        show_json(found.as_json())
        return
    _show(found, out)
    if before:
        show(f"replaced the {counted(before, 'earlier flag')}; decisions stay")


def _show(found: "Audit", out: Path) -> None:
    from judge.run.flags import Flags

    summary = found.as_json()
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
    seen = pairs["with_examined_impressions"]
    weighed = f", {seen:,} of them where examination is known" if seen < pairs["with_impressions"] else ""
    show(
        f"{pairs['graded']:,} graded pairs, {pairs['with_impressions']:,} with engagement{weighed}; "
        f"click model: {summary['examination']['model']}"
    )
    if summary["examination"]["note"]:
        show(f"note: {summary['examination']['note']}")
    kinds: dict[int, list[FlagRow]] = {}
    for flag in found.flags:
        kinds.setdefault(flag.pair, []).append(flag)
    rows = [_row(found, flags) for flags in list(kinds.values())[:10]]
    show()
    if rows:
        show_table(rows, ("query", "candidate", "grade", "clicks", "bought", "q", "flags"), right=(3, 4, 5))
    counts = ", ".join(f"{count:,} {kind}" for kind, count in summary["flags"].items() if count)
    show("", f"{pairs['flagged']:,} pairs flagged" + (f": {counts}" if counts else ""))
    show(f"report in {out / 'report.html'}; the run has the flags too, in {Flags(found.run.path).path}")


def _row(found: "Audit", flags: "list[FlagRow]") -> tuple[str, ...]:
    """One pair's line: all its flags, the numbers of the strongest."""
    values, labelled, first = found.run.manifest.values, found.labelled, flags[0]
    i = first.pair
    return (
        _short(labelled.query[i], 30),
        _short(labelled.candidate[i].get("title") or labelled.candidate_id[i], 44),
        f"{values[labelled.grade[i]]} → {values[first.suggested]}",
        f"{labelled.clicks[i]:,.0f}",
        f"{labelled.purchases[i]:,.0f}",
        f"{first.q_value:.3f}",
        ", ".join(flag.type.value for flag in flags),
    )


def _short(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
