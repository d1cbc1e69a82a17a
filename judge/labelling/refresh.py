"""A run renewed for today's pairs and catalogue: what has not changed keeps its label, the rest is judged again.

The new run has the labels that labelling everything anew would give, and says what became of each pair of the old one.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from judge.documents import Kind, load
from judge.errors import InputError, RunError
from judge.files import now, write_whole
from judge.fingerprint import Fingerprint
from judge.labelling.begin import fingerprint
from judge.labelling.blending import plain_hint
from judge.labelling.complete import Watch, complete
from judge.labelling.inherit import FILE, Earlier, same_pair, taken_over, write_inherited
from judge.labelling.job import Labelling
from judge.places import RUN_MARK
from judge.ratings.remembered import fitting_columns
from judge.records import Record
from judge.run.decisions import REFRESH, Decision, Decisions, Verdict, counting
from judge.run.store import MEMORY, THREADS, Run
from judge.sql import on_disk, quoted

REPORT = "refresh.json"
_REPORT = Kind("delete it, and refresh the run again", RunError)


class Refreshed(Record):
    """What became of the old run's pairs and decisions: `refresh.json` of the new run."""

    earlier: str
    """The old run's directory."""
    earlier_fingerprint: str
    earlier_created: str
    """When the old run was begun, ISO 8601."""
    lineage: tuple[str, ...] = ()
    """The directories of the runs that the old one was refreshed from, the latest first."""
    unchanged: int
    """Pairs of both runs with the same words and texts."""
    inherited: int
    """Of these, the ones that keep the old run's label: all but those that had failed."""
    changed: int
    """Pairs of both runs whose words or texts differ: judged again."""
    new: int
    vanished: int
    """Pairs of the old run alone."""
    decisions_kept: int
    """Pairs with a decision that counts still."""
    decisions_reopened: int
    """Pairs whose texts changed since they were decided: they are to be decided again."""
    decisions_closed: int
    """Decided pairs that are gone."""
    created: str


def refresh_run(job: Labelling, old: Run, run: Run, watch: Watch) -> Refreshed:
    """Label a job's pairs into a new run, with the old run's labels where nothing has changed; the caller holds
    `run.writing()`. Killed at any moment, the same call goes on.

    Raises:
        RunError: The old run is unfinished, or another judge made it; or the directory holds another run.
        InputError, ModelError: Something the user gave cannot be used.
        EngineError: The engine cannot go on.
    """
    if _place(old) == _place(run):
        raise InputError(f"{run.path}: is the run that is refreshed", "choose another --out")
    _check(job, old)
    before = read_report(run)
    if before and not _is_of(before, old):
        raise RunError(
            f"{run.path}: was refreshed from {before.earlier}", "refresh from that run, or give another --out"
        )
    fields = [field.name for field in job.guideline.fields]
    source = job.source
    files = [path for path in (source.pairs, source.catalogue) if path]
    names = ["query", "candidate_id", "query_id", "locale", *fields]
    columns = fitting_columns([old], files, names, source.mapping, source.encoding)
    job = replace(job, source=replace(source, mapping={**source.mapping, **columns}))
    job.begin(run)
    if not run.parts():  # nothing was judged yet, or the input has grown: the old run has labels of what came in
        earlier = Earlier(old.pairs_path, old.parts(), old.path / FILE, _place(old))
        write_inherited(run.path, run.pairs_path, earlier, fields)
    elif not (run.path / FILE).is_file():
        raise RunError(f"{run.path}: was labelled without the old run", "choose another --out")
    states = _states(old, run, fields)
    report = _report(old, run, states, _carry_decisions(old, run, states))
    write_whole(run.path / REPORT, report.model_dump_json(indent=2).encode())
    complete(job, run, watch)
    return report


def read_report(run: Run) -> Refreshed | None:
    """What a run was refreshed from; null where it was not."""
    path = run.path / REPORT
    return load(path, Refreshed, _REPORT) if path.is_file() else None


def _is_of(report: Refreshed, old: Run) -> bool:
    """Whether a run was refreshed from an earlier one: from where it lies, or lay before it was moved."""
    moved = not (Path(report.earlier) / RUN_MARK).is_file()
    return report.earlier_created == old.manifest.created and (moved or report.earlier == _place(old))


def _check(job: Labelling, old: Run) -> None:
    old.check_whole()
    manifest = old.manifest
    if manifest.by_people or manifest.members:
        what = "holds people's grades" if manifest.by_people else "is an average of runs"
        raise InputError(f"{old.path}: {what}, and no judge can be asked again", "refresh a run of `judge label`")
    if manifest.parts.get("recalibrated_from"):
        raise InputError(
            f"{old.path}: was recalibrated, and no judge gives its probabilities",
            "refresh the run that it was made of, and recalibrate that: `judge calibrate RUN --apply FILE --out NEW`",
        )
    made = fingerprint(job.guideline, {**job.parts, **_examples(old)})
    if lines := Fingerprint(parts=manifest.parts).differences(made):
        raise RunError(
            f"{old.path}: was labelled otherwise, so that none of its labels can stay; what differs:"
            + "".join(f"\n  {line}" for line in lines),
            "name the judge, guideline and calibration that it was labelled with, or label everything: `judge label`"
            + plain_hint(job.judge_config.calibration, manifest.calibration),
        )


def _place(run: Run) -> str:
    return str(run.path.resolve())


def _examples(old: Run) -> dict[str, str | None]:
    examples = old.manifest.parts.get("examples")
    return {"examples": examples} if examples else {}


def _states(old: Run, run: Run, fields: list[str]) -> dict[tuple[str, str], str]:
    """Of each decided pair of the old run, and under `("", state)` of all pairs counted, whether it is `unchanged`,
    `changed`, `new` or `vanished`."""
    import pyarrow as pa

    keys = sorted(Decisions(old.path).latest())
    text = pa.string()
    decided = pa.table(
        {"query_id": pa.array([k[0] for k in keys], text), "candidate_id": pa.array([k[1] for k in keys], text)}
    )
    read = [run.pairs_path, old.pairs_path]
    with (
        TemporaryDirectory(prefix="staging-", dir=run.path) as scratch,
        on_disk(Path(scratch), MEMORY, THREADS, read) as db,
    ):
        db.register("decided", decided)
        sound = "(SELECT * FROM read_parquet({}) WHERE skip IS NULL)"
        db.execute(f"""CREATE TABLE states AS
            SELECT query_id, candidate_id,
                   CASE WHEN o.row IS NULL THEN 'new' WHEN n.row IS NULL THEN 'vanished'
                        WHEN {same_pair("n", "o", fields)} THEN 'unchanged' ELSE 'changed' END AS state
            FROM {sound.format(quoted(run.pairs_path))} n
            FULL JOIN {sound.format(quoted(old.pairs_path))} o USING (query_id, candidate_id)""")
        counts = db.execute("SELECT state, count(*) FROM states GROUP BY 1").fetchall()
        found = db.execute("SELECT states.* FROM states JOIN decided USING (query_id, candidate_id)").fetchall()
        states = {(query, candidate): state for query, candidate, state in found}
    return states | {("", state): str(count) for state, count in counts}


def _carry_decisions(old: Run, run: Run, states: dict[tuple[str, str], str]) -> dict[str, int]:
    """Take over the decisions of pairs that are still there, and reopen those whose texts have changed."""
    decisions = list(Decisions(old.path))
    counts, reopened = {"kept": 0, "reopened": 0, "closed": 0}, []
    for pair, last in counting(decisions).items():
        state = states.get(pair, "vanished")
        counts["kept" if state == "unchanged" else "reopened" if state == "changed" else "closed"] += 1
        if state == "changed":
            # With the time: once more decided and once more changed, it is reopened once more.
            reason = f"the pair has changed since {last.author} decided to {last.verdict} ({last.time})"
            reopened.append(
                Decision(
                    query_id=pair[0],
                    candidate_id=pair[1],
                    verdict=Verdict.UNSURE,
                    author="judge refresh",
                    reason=reason,
                    time=now(),
                    source=REFRESH,
                )
            )
    there = Decisions(run.path)
    stays = [each for each in decisions if states.get(each.pair) in ("unchanged", "changed")]
    if new := there.unknown([*stays, *reopened]):
        there.append(new)
    return counts


def _report(old: Run, run: Run, states: dict[tuple[str, str], str], decisions: dict[str, int]) -> Refreshed:
    manifest, before = old.manifest, read_report(old)
    numbers: dict[str, Any] = {
        name: int(states.get(("", name), 0)) for name in ("unchanged", "changed", "new", "vanished")
    }
    return Refreshed(
        earlier=_place(old),
        earlier_fingerprint=manifest.fingerprint,
        earlier_created=manifest.created,
        lineage=(before.earlier, *before.lineage) if before else (),
        inherited=taken_over(run.path),
        **numbers,
        **{f"decisions_{name}": count for name, count in decisions.items()},
        created=now(),
    )
