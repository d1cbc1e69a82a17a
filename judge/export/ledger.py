"""The ledger of a run's exports, `RUN/exports.jsonl`: what went out, when, under which selection. It only grows."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from judge import __version__
from judge.errors import RunError
from judge.export.decided import Decided
from judge.export.selection import Selection
from judge.export.written import WrittenView
from judge.files import append_lines, now
from judge.fingerprint import digest, file_digest
from judge.records import Record


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
    files: Mapping[str, str]
    """SHA-256 of each file, by its name within `out`; a lone file goes by its own name."""
    digest: str
    """SHA-256 over `files`."""
    toolkit: str


class Exports:
    """The exports of a run.

    Args:
        run: The run's directory.
    """

    def __init__(self, run: Path) -> None:
        self.path = run / "exports.jsonl"

    def append(self, exported: Exported) -> None:
        """Add one; it is on disk when this returns.

        Raises:
            RunError: The file cannot be written.
        """
        try:
            append_lines(self.path, exported.model_dump_json() + "\n", self.path.with_name(".exports.lock"))
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written ({error.strerror})", "make room, or mend its rights"
            ) from None

    def __iter__(self) -> Iterator[Exported]:
        """All whole lines in the order in which they came; one that a crash cut short is passed over."""
        if not self.path.is_file():
            return
        for number, line in enumerate(self.path.read_bytes().split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                yield Exported.model_validate_json(line)
            except ValidationError as error:
                if error.errors()[0]["type"] == "json_invalid":
                    continue
                raise RunError(
                    f"{self.path}, line {number}: is no export of this version", "mend or remove the line"
                ) from None


def record(decisions: Decided, form: str, out: Path, selection: Selection, written: WrittenView) -> Exported:
    """What the ledger says of an export that lies at `out`."""
    found = {str(path.relative_to(out)): path for path in sorted(out.rglob("*")) if path.is_file()}
    files = {name: file_digest(path) for name, path in (found or {out.name: out}).items()}
    return entry(decisions, form, out.name, selection, written, files)


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
        files=files,
        digest=digest(files),
        toolkit=__version__,
    )
