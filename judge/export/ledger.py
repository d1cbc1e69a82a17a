"""The ledger of a run's exports, `RUN/exports.jsonl`: what went out, when, under which selection. It only grows."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from judge import __version__
from judge.documents import Kind, NotJSON, check, load, read_json
from judge.errors import RunError
from judge.export.selection import Selection
from judge.export.written import WrittenView
from judge.files import append_lines, now, write_whole
from judge.fingerprint import digest, file_digest
from judge.records import Record
from judge.run.decided import Decided

EXPORTS = Kind("fix or remove the line", RunError)


class Exported(Record):
    """One finished export."""

    time: str
    """ISO 8601, UTC."""
    format: str
    out: str
    """The name of the file or folder, without the folders above it; of a dataset on the Hub, `owner/name@commit`."""
    selection: Selection
    fingerprint: str
    """The run's."""
    decisions: str | None
    """SHA-256 of the decisions that were applied; null where there were none."""
    input_rows: int
    records: Mapping[str, int]
    """Records by split."""
    used: int
    left_out: Mapping[str, int]
    """Input rows by the reason why they are in no record; with `used` they add up to `input_rows`."""
    undecided: int | None = None
    """Rows of `used` whose label is flagged and undecided; null where an earlier version did not count them."""
    files: Mapping[str, str]
    """SHA-256 of each file, by its name within `out`; a lone file goes by its own name."""
    digest: str
    """SHA-256 over `files`."""
    toolkit: str
    joined: Mapping[str, str] = {}
    """Further runs whose rows are in it: their directories as they were named, to their fingerprints. The run's own
    rows come first, under their numbers."""
    prefer: str | None = None
    """The directory, as it was named, of the run whose grade counts where they differ; null where none was named."""


class Exports:
    """The exports of a run.

    Args:
        run: The run's directory.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / "exports.jsonl"

    def check(self) -> None:
        """Refuse a run whose ledger cannot be written, before any work.

        Raises:
            RunError: It cannot.
        """
        self._add("")

    def append(self, exported: Exported) -> None:
        """Add one; it is on disk when this returns.

        Raises:
            RunError: The file cannot be written.
        """
        self._add(exported.model_dump_json() + "\n")

    def _add(self, lines: str) -> None:
        try:
            append_lines(self.path, lines, self.path.with_name(".exports.lock"))
        except OSError as error:
            fix = "an export is recorded in its run: free disk space, fix the run's permissions, or export from a copy"
            raise RunError(f"{self.path}: cannot be written ({error.strerror})", fix) from None

    # Between the moment when an export gets its name and the one when the ledger has its line, the line lies in a file
    # of its own.

    def announce(self, exported: Exported, out: Path) -> None:
        """Keep the line of an export that is about to get the name `out`."""
        write_whole(self._announced(out), exported.model_dump_json().encode())

    def forget(self, out: Path) -> None:
        """Drop what was announced for `out`: the ledger has it."""
        self._announced(out).unlink(missing_ok=True)

    def settle(self, out: Path) -> Exported | None:
        """Add the line that was announced for `out` where that export stands there and was killed before it had it.

        Returns:
            That line; null where there was nothing to add.

        Raises:
            RunError: The ledger cannot be read or written.
        """
        announced = self._announced(out)
        if not announced.is_file():
            return None
        try:
            exported = load(announced, Exported, EXPORTS)
        except RunError:  # of another version
            return None
        missing = out.exists() and digest(digests(out, out.name)) == exported.digest and exported not in self
        if missing:
            self.append(exported)
        self.forget(out)
        return exported if missing else None

    def _announced(self, out: Path) -> Path:
        return self.path.with_name(f".export-{digest(str(out.resolve()))[:16]}.json")

    def __iter__(self) -> Iterator[Exported]:
        """All whole lines in the order in which they came; one that a crash cut short is passed over."""
        if not self.path.is_file():
            return
        for number, line in enumerate(self.path.read_bytes().split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                found = read_json(line)
            except NotJSON:
                continue
            yield check(found, Exported, EXPORTS, f"{self.path}, line {number}")


def digests(path: Path, name: str) -> dict[str, str]:
    """SHA-256 of each file of an export that lies at `path`: by its name within, a lone file by `name`."""
    found = {str(file.relative_to(path)): file for file in sorted(path.rglob("*")) if file.is_file()}
    return {key: file_digest(file) for key, file in (found or {name: path}).items()}


def entry(
    decisions: Decided, form: str, out: str, selection: Selection, written: WrittenView, files: Mapping[str, str]
) -> Exported:
    """What the ledger says of an export whose files have these digests."""
    manifest = decisions.run.manifest
    return Exported(
        time=now(),
        format=form,
        out=out,
        selection=selection,
        fingerprint=manifest.fingerprint,
        decisions=decisions.digest,
        input_rows=manifest.rows,
        records=written.records,
        used=written.used,
        left_out=written.left_out,
        undecided=written.undecided,
        files=files,
        digest=digest(files),
        toolkit=__version__,
    )
