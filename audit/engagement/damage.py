"""Why an engagement file could not be read, in our own words."""

from pathlib import Path

from judge.errors import InputError
from judge.tables.sniff import files_of


def not_readable(path: Path, name: str) -> InputError:
    """Why a file that was opened could not be read to its end."""
    files = files_of(path)
    if files[0].suffix.lower() != ".parquet":
        return InputError(
            f"{name}: its rows cannot be added up: the disk is full, or counts add up to more than 64 bits hold",
            "point TMPDIR to a disk with room, or look for counts that cannot be",
        )
    return InputError(
        f"{name}: is damaged Parquet{next(filter(None, map(_damage, files)), '')}",
        "write the file again, text as UTF-8",
    )


def _damage(path: Path) -> str:
    """Where Parquet breaks, as far as another reader finds it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        for column in file.schema_arrow.names:
            try:
                file.read_row_group(group, [column]).validate(full=True)
            except (pa.ArrowException, OSError):
                first = sum(file.metadata.row_group(before).num_rows for before in range(group)) + 1
                last = first + file.metadata.row_group(group).num_rows - 1
                return f", in rows {first:,} to {last:,}, field {column!r}"
    return ""
