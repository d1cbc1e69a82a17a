"""A run that holds the rows of several, and what a run stands for where it may be one."""

from bisect import bisect_left
from collections.abc import Sequence

from judge.errors import RunError
from judge.run.store import Run
from judge.sql import quoted


class JoinedRun(Run):
    """A run directory that holds the rows of several runs, the first one's under their own numbers."""

    members: Sequence[Run] = ()
    """Those runs."""
    starts: Sequence[int] = ()
    """What is added to each one's row numbers, ascending from 0."""

    def check_whole(self) -> None:
        """See `Run.check_whole`; the labels are of several fingerprints."""
        rows, labelled = self.check_finished()
        ((distinct, known),) = self.query(
            "SELECT count(DISTINCT l.row), count(p.row) FROM labels l JOIN pairs p USING (row)"
        )
        if not labelled == rows == distinct == known:
            raise RunError(f"{called(self)}: does not add up: {rows:,} rows, {labelled:,} labels", "export again")


def members_of(run: Run) -> Sequence[Run]:
    """The runs whose rows a run holds: itself, unless it is joined of others."""
    return run.members if isinstance(run, JoinedRun) else (run,)


def called(run: Run) -> str:
    """What messages call a run: a joined one by the runs that the user named."""
    return ", ".join(str(each.path) for each in members_of(run))


def row_called(run: Run, row: int) -> str:
    """What messages call a row: by its run and its number there."""
    if not isinstance(run, JoinedRun):
        return f"{run.path}, row {row}"
    member = bisect_left(run.starts, row) - 1
    return f"{run.members[member].path}, row {row - run.starts[member]}"


def fingerprints_of_people(run: Run) -> frozenset[str]:
    """The fingerprints of those of its labels that people gave."""
    manifests = [each.manifest for each in members_of(run)]
    return frozenset(manifest.fingerprint for manifest in manifests if manifest.by_people)


def by_people_sql(run: Run, fingerprint: str) -> str:
    """SQL that says of a label, by the column of its fingerprint, whether people gave it."""
    known = fingerprints_of_people(run)
    return f"{fingerprint} IN ({', '.join(map(quoted, sorted(known)))})" if known else "false"
