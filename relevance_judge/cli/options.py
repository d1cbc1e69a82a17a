"""Options that several verbs share, and how their values are read."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from judge.errors import InputError

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=COLUMN",
        help="Use the file's COLUMN as NAME; repeatable. Given twice for one NAME, each file uses the column it has.",
    ),
]


def _named(path: Path | None) -> Path | None:
    """A file with a name: standard input is read as pairs or ratings, and there is one of it."""
    if path is not None and str(path) == "-":
        raise InputError(
            "--catalogue -: only PAIRS or RATINGS may be standard input", "give the catalogue as a file with a name"
        )
    return path


Catalogue = Annotated[
    Path | None,
    typer.Option(
        "--catalogue", metavar="FILE", help="Candidates with `candidate_id` and their texts.", callback=_named
    ),
]
Queries = Annotated[
    Path | None,
    typer.Option("--queries", metavar="FILE", help="The words of queries that rows name by `query_id` alone."),
]
Encoding = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="The encoding of files that are not UTF-8, such as cp1252."),
]
GuidelineName = Annotated[
    str, typer.Option("--guideline", metavar="NAME|FILE", help="What relevance means; see `judge guideline`.")
]
SkipBadRows = Annotated[
    bool,
    typer.Option("--skip-bad-rows", help="Record rows that cannot be used as skipped, with the reason, and go on."),
]
SkipRatings = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Count rows that cannot be used, and go on without them.")
]
Rating = Annotated[
    str | None,
    typer.Option("--rating", metavar="COLUMN", help="The column that holds the grade; `grade` unless given."),
]
Grades = Annotated[
    str | None,
    typer.Option(
        "--grades", metavar="E=2,S=1,…", help="What the file's grades mean; the guideline's values unless given."
    ),
]


def read_map(items: list[str] | None, rating: str | None = None) -> dict[str, list[str]]:
    """`NAME=COLUMN` items as our names to columns."""
    mapping: dict[str, list[str]] = {}
    for item in items or []:
        name, sign, column = item.partition("=")
        if not (name.strip() and sign and column.strip()):
            raise InputError(f"--map {item}: is not NAME=COLUMN", "write it like --map candidate_id=product_id")
        mapping.setdefault(name.strip(), []).append(column.strip())
    if rating:
        mapping["grade"] = [rating]
    return mapping


def read_raters(text: str | None) -> list[str]:
    """`A,B,C` as names."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if len(set(names)) < len(names):
        raise InputError(f"--raters {text}: a name occurs twice", "name each rater once")
    return names


def read_grades(text: str | None) -> dict[str, int] | None:
    """`E=2,S=1` as what the file writes to the guideline's grade."""
    if text is None:
        return None
    grades: dict[str, int] = {}
    for item in text.split(","):
        theirs, sign, ours = item.partition("=")
        if not (theirs.strip() and sign and ours.strip().isascii() and ours.strip().isdecimal()):
            raise InputError(f"--grades {text}: {item!r} is not NAME=GRADE", "write it like --grades E=2,S=1,C=1,I=0")
        if theirs.strip() in grades:
            raise InputError(f"--grades {text}: {theirs.strip()!r} occurs twice", "say once what each grade means")
        grades[theirs.strip()] = int(ours)
    return grades


@contextmanager
def input_file(path: Path) -> Iterator[tuple[Path, str]]:
    """A file to read, and what to call it. `-` is standard input: it is kept in a temporary file, and its kind is found
    from its first bytes, since it has no suffix."""
    if str(path) != "-":
        yield path, str(path)
        return
    with tempfile.TemporaryDirectory(prefix="stdin-") as folder:
        raw = Path(folder) / "stdin"
        with raw.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        yield raw.rename(raw.with_name("stdin" + _suffix(raw))), "standard input"


def _suffix(path: Path) -> str:
    import gzip
    import zlib

    from judge.tables.sniff import nameless_suffix

    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise InputError("standard input: is empty", "pipe rows into the command, or name a file")
    if zipped := head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as stream:
                head = stream.read(4096)
        except (EOFError, OSError, zlib.error):
            head = b""
    return nameless_suffix(head) + (".gz" if zipped else "")
