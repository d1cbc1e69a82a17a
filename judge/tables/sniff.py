"""What the first look at a file says is wrong with it, before any row is read."""

from pathlib import Path

from judge.errors import InputError

_CONVERT = (
    'save it with commas, or convert it: python3 -c "import csv, sys; '
    "csv.writer(sys.stdout).writerows(csv.reader(sys.stdin, delimiter='{}'))\" < old.csv > new.csv"
)
SEPARATORS = {
    ",": "let its name end in .csv",
    "\t": "let its name end in .tsv",
    ";": _CONVERT.format(";"),
    "|": _CONVERT.format("|"),
}
"""What may part the cells of a line, each with what to do where the name of the file says otherwise."""


def refuse_place(path: Path, name: str) -> None:
    """Refuse what is no file at all: that is the matter, whatever kind its name may tell."""
    if path.is_dir():
        raise InputError(f"{name}: is a directory", "name a file")
    if not path.exists():
        raise InputError(f"{name}: does not exist", "name a file that can be read")


def refuse_head(head: bytes, name: str) -> None:
    """Refuse first bytes that are of another kind than the file's name says."""
    if head.startswith(b"\x1f\x8b"):
        raise InputError(f"{name}: is gzip, and its name does not say so", "let its name end in .gz")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{name}: is UTF-16 text", "save the file as UTF-8")


def refuse_separator(header: str, separator: str, name: str) -> None:
    """Refuse a header line that another separator parts: read as one column, no column in it could be named."""
    if separator in header:
        return
    for other, fix in SEPARATORS.items():
        if other in header.strip():
            shown = "tabs" if other == "\t" else repr(other)
            raise InputError(f"{name}, line 1: looks separated by {shown}", fix)
