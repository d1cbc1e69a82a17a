"""Which exports one row of a run went into, told from the run's ledger by choosing again as each of them chose."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from judge.errors import InputError, RunError
from judge.export.chosen import choose
from judge.export.formats import Format, formats
from judge.export.joined import Join, joined
from judge.export.ledger import Exported, Exports
from judge.records import Record
from judge.run.decided import Decided
from judge.run.store import Run


class ExportLocation(Record):
    """What one export did with a row."""

    exported: Exported
    split: str | None
    """Where the row was chosen for; null where it was left out."""
    left_out: str | None
    """Why it was."""
    decisions_changed: bool
    """Whether decisions came or went since: then this is what the export would do now."""


def export_locations(run: Run, row: int) -> list[ExportLocation]:
    """Every export of the ledger, and what it did with an input row (counted from 1).

    Of triplets and n-tuples a chosen row stands in a record only where its query has a row of another grade for it.

    Raises:
        RunError: The ledger or the run cannot be read.
    """
    own = Decided.of(run)
    known: dict[str, tuple[str | None, str | None, bool]] = {}
    found = []
    for exported in Exports(run.path):
        form = formats().get(exported.format)  # the Hub's is not a format
        key = exported.model_dump_json(include={"selection", "joined", "prefer", "decisions"})
        key += "every row" if form and form.every_row else str(form is not None and form.need_text)
        if key not in known:
            known[key] = _location(own, exported, form, row)
        split, reason, changed = known[key]
        found.append(ExportLocation(exported=exported, split=split, left_out=reason, decisions_changed=changed))
    return found


def _location(own: Decided, exported: Exported, form: Format | None, row: int) -> tuple[str | None, str | None, bool]:
    """The split of a row, why it is in none, and whether decisions came or went since."""
    changed = not exported.joined and exported.decisions != own.digest
    try:
        with _again(own, exported) as decisions:
            changed = exported.decisions != decisions.digest
            if form is not None and form.every_row:
                return "every row", None, changed
            need_text = form is not None and form.need_text
            with choose(decisions, exported.selection, need_text=need_text) as chosen:
                split, reason = chosen.db.execute("SELECT split, left_out FROM rows WHERE row = ?", [row]).fetchone()
    except (InputError, RunError) as error:
        if isinstance(error, RunError) and not exported.joined:
            raise
        # Flags and decisions came since, or a run that was joined went: the same export would not be made today.
        return None, f"the export cannot be chosen again ({error.message})", changed
    return (None, reason, changed) if reason else (exported.selection.names[split], None, changed)


@contextmanager
def _again(own: Decided, exported: Exported) -> Iterator[Decided]:
    """What an export was chosen from, as it stands today.

    Raises:
        RunError: A run that was joined is gone, or another one stands in its place.
    """
    if not exported.joined:
        yield own
        return
    others = [Run.open(Path(path)) for path in exported.joined]
    for other, fingerprint in zip(others, exported.joined.values(), strict=True):
        if other.manifest.fingerprint != fingerprint:
            raise RunError(f"{other.path}: is another run by now", "name the run that was exported")
    with joined(own.run, Join(others, Path(exported.prefer) if exported.prefer else None)) as decisions:
        yield decisions
