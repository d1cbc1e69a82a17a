"""Which exports one row of a run went into, told from the run's ledger by choosing again as each of them chose."""

from judge.errors import InputError
from judge.export.chosen import choose
from judge.export.formats import formats
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
    decisions = Decided.of(run)
    known: dict[tuple[str, bool], tuple[str | None, str | None]] = {}

    found = []
    for exported in Exports(run.path):
        split: str | None = "every row"
        reason: str | None = None
        form = formats().get(exported.format)
        if form is None or not form.every_row:  # the Hub's is not a format
            need_text = form is not None and form.need_text
            key = exported.selection.model_dump_json(), need_text
            if key not in known:
                known[key] = _chosen(decisions, exported, need_text, row)
            split, reason = known[key]
        changed = exported.decisions != decisions.digest
        found.append(ExportLocation(exported=exported, split=split, left_out=reason, decisions_changed=changed))
    return found


def _chosen(decisions: Decided, exported: Exported, need_text: bool, row: int) -> tuple[str | None, str | None]:
    try:
        with choose(decisions, exported.selection, need_text=need_text) as chosen:
            split, reason = chosen.db.execute("SELECT split, left_out FROM rows WHERE row = ?", [row]).fetchone()
    except InputError as error:
        # Flags and decisions came since: the same export would be refused today.
        return None, f"the export cannot be chosen again ({error.message})"
    return (None, reason) if reason else (exported.selection.names[split], None)
