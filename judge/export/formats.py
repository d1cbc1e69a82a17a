"""Every format by name: what it is, what it needs, and how it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from judge.errors import InputError
from judge.export.annotation import ARGILLA, LABEL_STUDIO
from judge.export.chosen import Chosen, choose
from judge.export.everything import write_everything
from judge.export.ledger import Exported, Exports, digests, entry
from judge.export.lines import write_lines
from judge.export.parquet import write_parquet
from judge.export.ranking import TREC, write_beir
from judge.export.selection import Negatives, Selection
from judge.export.views import VIEWS
from judge.export.workbench import QUEPID, check_queries, opensearch
from judge.export.written import WrittenView
from judge.files import new_file, new_folder, spare_runs
from judge.run.decided import Decided
from judge.run.store import Run

PathOf = Callable[[str], Path]


@dataclass(frozen=True)
class Format:
    """A format of selected rows: a file, or with splits a folder of a file each."""

    suffix: str
    """Of the file of a split."""
    need_text: bool
    write: Callable[[Chosen, PathOf], WrittenView]


def _view(name: str) -> Format:
    view = VIEWS[name]
    return Format("-00000.parquet", view.need_text, lambda chosen, path_of: write_parquet(chosen, view, path_of))


def _quepid(chosen: Chosen, path_of: PathOf) -> WrittenView:
    check_queries(chosen)
    return write_lines(chosen, QUEPID, path_of)


def _opensearch(chosen: Chosen, path_of: PathOf) -> WrittenView:
    check_queries(chosen)
    return write_lines(chosen, opensearch(chosen), path_of)


SELECTED = {
    **{name: _view(name) for name in ("judgments", "pairs", "triplets", "n-tuples", "listwise")},
    "trec": Format(".qrels", False, lambda chosen, path_of: write_lines(chosen, TREC, path_of)),
    "quepid": Format(".csv", False, _quepid),
    "opensearch": Format(".json", False, _opensearch),
    "label-studio": Format(".json", False, lambda chosen, path_of: write_lines(chosen, LABEL_STUDIO, path_of)),
    "argilla": Format(".json", False, lambda chosen, path_of: write_lines(chosen, ARGILLA, path_of)),
}
BEIR = "beir"
EVERYTHING = ("jsonl", "csv", "parquet")
"""Formats of every input row: nothing is selected."""
FORMATS = (*SELECTED, BEIR, *EVERYTHING)
MINED = ("triplets", "n-tuples")
"""Formats that set rows against each other."""
TELLING = frozenset({".parquet", ".csv", ".tsv", ".json", ".jsonl", ".qrels", ".xlsx", ".html", ".gz", ".zip"})
"""Suffixes by which a file's readers tell what it holds."""


def export(run: Run, form: str, out: Path, selection: Selection | None = None, *, overwrite: bool = False) -> Exported:
    """Write a finished run in one format, whole or not at all, and note it in the run's ledger.

    Args:
        run: A run in which every row has its label.
        form: One of `FORMATS`.
        out: The file to write; with splits, and for `beir`, the folder.
        selection: What of the run; all that is graded unless given.
        overwrite: Whether what stands there may be replaced.

    Returns:
        What the ledger says of it.

    Raises:
        RunError: The run is unfinished or does not add up, its ledger cannot be written, an id cannot be written in
            this format, or what was written reads back otherwise.
        InputError: There is no such format, the place cannot be written, or nothing is left to write.
    """
    if form not in FORMATS:
        raise InputError(f"--to {form}: there is no such format", f"name one of {', '.join(FORMATS)}")
    if form in EVERYTHING and selection not in (None, Selection()):
        raise InputError(
            f"--to {form}: holds every input row, whatever its grade; nothing of it can be selected",
            "leave the options of selection out, or export to judgments",
        )
    wanted = selection or Selection()
    _spare(run, out)
    if form != BEIR and not wanted.splits:
        _check_suffix(form, out)
    run.check_finished()  # before the ledger: a run that cannot be exported stays as it is
    decisions, ledger = Decided.of(run), Exports(run.path)
    ledger.check()
    there = ledger.settle(out)
    if there and not overwrite and (there.format, there.selection, there.decisions) == (form, wanted, decisions.digest):
        return there
    as_folder = form == BEIR or bool(wanted.splits)
    with (new_folder if as_folder else new_file)(out, overwrite=overwrite) as partial:
        written = _write(decisions, form, wanted, partial)
        exported = entry(decisions, form, out.name, wanted, written, digests(partial, out.name))
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
    if form not in (*SELECTED, BEIR):
        return
    if form not in MINED and selection.negatives != Negatives():
        names = "--negatives, --mix, --negative-confidence and --positives"
        raise InputError(f"--to {form}: {names} are for {' and '.join(MINED)}", "leave them out")
    if form != "pairs" and (selection.pairs, selection.score) != ("scored", "grade"):
        raise InputError(f"--to {form}: --labelled and --score are for pairs", "leave them out")


def suffix_of(form: str) -> str:
    """How the name of a lone file of a format ends; empty for one that is always a folder."""
    return f".{form}" if form in EVERYTHING else "" if form == BEIR else Path(f"all{SELECTED[form].suffix}").suffix


def _check_suffix(form: str, out: Path) -> None:
    """Refuse a file whose name says that it holds something else."""
    right = suffix_of(form)
    if out.suffix.lower() in TELLING - {right}:
        raise InputError(
            f"--out {out}: --to {form} writes {right[1:]}, and the name says {out.suffix[1:]}",
            f"name it {out.with_suffix(right)}, or choose another format with --to",
        )


def _spare(run: Run, out: Path) -> None:
    """Refuse to write over a run, or over a directory that holds the one which is exported."""
    spare_runs(out)
    if run.path.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{out}: holds the run {run.path}, which would be lost", "choose another place with --out")


def _write(decisions: Decided, form: str, selection: Selection, path: Path) -> WrittenView:
    """Write into a file; with splits, and for `beir`, into a folder."""
    if form in EVERYTHING:
        return write_everything(decisions, form, path)
    if form == BEIR:
        with choose(decisions, selection, need_text=True) as chosen:
            return write_beir(chosen, path)
    with choose(decisions, selection, need_text=SELECTED[form].need_text) as chosen:
        suffix = SELECTED[form].suffix
        return SELECTED[form].write(chosen, lambda split: path / f"{split}{suffix}" if selection.splits else path)
