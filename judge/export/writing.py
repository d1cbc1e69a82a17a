"""An export: a finished run in one format, written whole, read back, and noted in the run's ledger."""

from pathlib import Path

from judge.errors import InputError
from judge.export.chosen import choose
from judge.export.formats import Format, Output, find_format, formats
from judge.export.joined import Join, joined
from judge.export.ledger import Exported, Exports, digests, entry
from judge.export.selection import Negatives, Selection
from judge.export.written import WrittenView
from judge.files import new_file, new_folder
from judge.places import check_writable, spare_runs
from judge.run.decided import Decided
from judge.run.store import Run

TELLING = frozenset({".parquet", ".csv", ".tsv", ".json", ".jsonl", ".qrels", ".xlsx", ".html", ".gz", ".zip"})
"""Suffixes by which a file's readers tell what it holds."""


def export(
    run: Run,
    form: str,
    out: Path,
    selection: Selection | None = None,
    *,
    overwrite: bool = False,
    join: Join | None = None,
) -> Exported:
    """Write a finished run in one format, whole or not at all, and note it in the run's ledger.

    Args:
        run: A run in which every row has its label.
        form: One of `formats()`.
        out: The file to write; with splits, and for formats that are one, the folder.
        selection: What of the run; all that is graded unless given.
        overwrite: Whether what stands there may be replaced.
        join: Further runs whose rows go out with the run's; the run's ledger says so.

    Returns:
        What the ledger says of it.

    Raises:
        RunError: The run is unfinished or does not add up, its ledger cannot be written, an id cannot be written in
            this format, or what was written reads back otherwise.
        InputError: There is no such format, the place cannot be written, or nothing is left to write.
    """
    found = find_format(form)
    if found.every_row and selection not in (None, Selection()):
        raise InputError(
            f"--to {form}: holds every input row, whatever its grade; nothing of it can be selected",
            "leave the options of selection out, or export to judgments",
        )
    wanted = selection or Selection()
    _spare(run, out)
    as_folder = found.folder or bool(wanted.splits)
    if as_folder:
        _spare_others(out)
    else:
        _check_suffix(found, out)
    run.check_finished()  # before the ledger: a run that cannot be exported stays as it is
    ledger = Exports(run.path)
    ledger.check()
    check_writable(out.parent)
    there = ledger.settle(out)
    others = {str(other.path): other.manifest.fingerprint for other in join.runs} if join else {}
    prefer = str(join.prefer) if join and join.prefer else None
    with joined(run, join) as decisions:
        same = {"format": form, "selection": wanted, "decisions": decisions.digest, "joined": others, "prefer": prefer}
        if there and not overwrite and there == there.model_copy(update=same):
            return there
        with (new_folder if as_folder else new_file)(out, overwrite=overwrite) as partial:
            written = _write(decisions, found, wanted, partial)
            exported = entry(decisions, form, out.name, wanted, written, digests(partial, out.name))
            exported = exported.model_copy(update={"joined": others, "prefer": prefer})
            # What is left to do takes no time: a name and a line.
            ledger.announce(exported, out)
    ledger.append(exported)
    ledger.forget(out)
    return exported


def check_used(form: str, selection: Selection) -> None:
    """Refuse options that would change nothing in this format of selected rows. One selection can still serve several.

    Raises:
        InputError: The selection says something that the format does not ask.
    """
    found = formats().get(form)
    if found is None or found.every_row:
        return
    if "negatives" not in found.options and selection.negatives != Negatives():
        names = "--negatives, --mix, --negative-confidence and --positives"
        raise InputError(f"--to {form}: {names} are for {_users('negatives')}", "leave them out")
    if selection.hard != "any" and "hard" not in found.options:
        raise InputError(f"--to {form}: --hard is for {_users('hard')}", "leave it out")
    some_of_a_query = "negatives" in found.options or (selection.hard == "first" and selection.per_query)
    if selection.hard != "any" and not some_of_a_query:
        raise InputError(
            f"--to {form}: holds all products of a query, so that --hard changes nothing",
            "give --hard first and --per-query N, which keeps the hard ones, or leave it out",
        )
    if "score" not in found.options and (selection.pairs, selection.score) != ("scored", "grade"):
        raise InputError(f"--to {form}: --labelled and --score are for {_users('score')}", "leave them out")


def _users(option: str) -> str:
    *some, last = [name for name, form in formats().items() if option in form.options]
    return f"{', '.join(some)} and {last}" if some else last


def _check_suffix(form: Format, out: Path) -> None:
    """Refuse a file whose name says that it holds something else."""
    right = form.file_suffix
    if out.suffix.lower() in TELLING - {right}:
        raise InputError(
            f"--out {out}: --to {form.name} writes {right[1:]}, and the name says {out.suffix[1:]}",
            f"name it {out.with_suffix(right)}, or choose another format with --to",
        )


def _spare(run: Run, out: Path) -> None:
    """Refuse to write over a run, or over a directory that holds the one which is exported."""
    spare_runs(out)
    if run.path.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{out}: holds the run {run.path}, which would be lost", "choose another place with --out")


def _spare_others(out: Path) -> None:
    """Refuse to replace a folder with files that no export writes, as one of a whole project is."""
    known = {".tsv", *(form.file_suffix for form in formats().values() if not form.folder)}
    for path in sorted(out.rglob("*")) if out.is_dir() else ():
        if not path.is_dir() and path.suffix not in known and path.name != ".DS_Store":
            fix = "choose another --out, or move the file elsewhere"
            raise InputError(f"{path}: no export writes such a file, and it would be lost", fix)


def _write(decisions: Decided, form: Format, selection: Selection, path: Path) -> WrittenView:
    """Write into a file; with splits, and for formats that are one, into a folder."""
    if form.every_row:
        return form.write(Output(decisions, path, form.suffix))
    with choose(decisions, selection, need_text=form.need_text) as chosen:
        return form.write(Output(decisions, path, form.suffix, chosen))
