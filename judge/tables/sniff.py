"""The first look at a file: what kind it is, before any row is read. All readers take it from here.

The suffix says the kind, and the first line what the suffix leaves open: TREC's qrels have no header, spreadsheets part
cells by `;` or begin with a line `sep=;`, and `.json` may hold lines, an array or one object.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from judge.errors import InputError
from judge.tables.features_file import refuse_features

KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".qrels")
"""The suffixes that say what a file is."""
LINES = (".jsonl", ".ndjson", ".manifest")
LISTS = (
    "judgmentRatings",
    "requests",
    "query_doc_pairs",
    "hits",
    "items",
    "records",
    "rows",
    "data",
    "judgments",
    "results",
)
"""Keys of an object under which a list of records is looked for."""
PARQUET = b"PAR1"
"""How a file of Parquet begins."""
_PARQUET_HEAD = re.compile(PARQUET + rb"(?=[\x00-\x08\x0e-\x1f]|\Z)")
"""The same where the name does not say so: no header of text, such as `PAR1_price,query`, goes on like this."""
PACKED = {
    rb"\x28\xb5\x2f\xfd": ((".zst", ".zstd"), "zstd -d"),
    rb"BZh[1-9](1AY|\x17rE)": ((".bz2",), "bunzip2"),
    rb"\xfd7zXZ\x00": ((".xz",), "unxz"),
    rb"\x04\x22\x4d\x18": ((".lz4",), "lz4 -d"),
}
"""How files begin that are packed otherwise than with gzip or ZIP, as regular expressions, with their suffixes and what
unpacks them."""
_UTF16 = re.compile(rb"(?P<mark>\xff\xfe|\xfe\xff)|(?P<le>([\t -~]\0){2})|(?P<be>(\0[\t -~]){2})")
"""How UTF-16 begins: with its mark, or with two letters of ASCII."""
HEAD = 2**16
"""Bytes of a first look."""
SEPARATORS = {",": "let its name end in .csv", "\t": "let its name end in .tsv", ";": "let its name end in .csv"}
"""What may part the cells of a line, each with what to do where the name of the file says otherwise."""
_SEP_LINE = re.compile(r'"?sep=(\\t|[^\r\n])"?\1*\s*', re.IGNORECASE)
_REMOTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)")
"""An address, as a path has it: `s3:/bucket/pairs.parquet`."""
_QRELS = re.compile(r"\s*\S+\s+(?:Q?\d+)\s+\S+\s+[+-]?\d+(?:\.0+)?\s*")
"""A line `query 0 document grade`, parted by blanks or tabs."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the lines of a sheet are parted."""

    separator: str
    quoted: bool
    """Whether a quote encloses a cell; in TSV it is a letter."""
    sep_line: bool = False
    """Whether the first line says what the separator is, as Excel reads it, and is no header."""

    @property
    def is_plain(self) -> bool:
        """Whether a log's fast reader knows it."""
        return not self.sep_line and (self.separator, self.quoted) in ((",", True), ("\t", False))


def parts_of(path: Path, name: str) -> list[Path]:
    """The Parquet files of a folder or of a pattern such as `events/part-*.parquet`, by name; empty for other paths.

    Raises:
        InputError: The folder or pattern names none, or folders of them: what those are called may be a column. Or the
            path is an address.
    """
    if (place := _REMOTE.match(str(path))) and not path.exists():
        if place[1].lower() == "file":
            plain = "/" + unquote(place[2]).removeprefix("localhost/")
            raise InputError(f"file:///{place[2]}: is an address, and no path", f"give the path itself: {plain}")
        whole = f"{place[1]}://{place[2]}"
        raise InputError(
            f"{whole}: is not on this machine, and only files here are read",
            "copy it here first (`aws s3 cp`, `gcloud storage cp`, `curl -O`), or mount the bucket and name its file",
        )
    if path.is_dir():
        found = [part for part in path.glob("*.parquet") if not part.name.startswith((".", "_"))]
        if below := next((part for part in path.glob("*/**/*.parquet") if part.is_file()), None):
            inside = below.parent.relative_to(path)
            one = f"name the files of one with a pattern: {path}/{inside}/*.parquet"
            whole = f"COPY (FROM read_parquet('{path}/**/*.parquet', hive_partitioning=true)) TO 'pairs.parquet'"
            raise InputError(
                f"{name}: holds Parquet in the folder {inside}, whose name may be a column of it",
                f"""write all of it as one file (`python -c "import duckdb; duckdb.sql('''{whole} ''')"`), or {one}""",
            )
        if not found:
            raise InputError(f"{name}: is a directory", "name a file, or a folder of .parquet files")
    elif not path.exists() and re.search(r"[*?\[]", path.name):
        found = list(path.parent.glob(path.name))
        if not found:
            raise InputError(f"{name}: does not exist, and no file is called like that", "name files that exist")
        if other := next((part for part in found if part.suffix.lower() != ".parquet"), None):
            raise InputError(f"{name}: names {other.name}, and only Parquet may be in several files", "name one file")
    else:
        return []
    return sorted(part for part in found if part.is_file())


def files_of(path: Path) -> list[Path]:
    """The files that a path stands for: itself, or those of a folder or pattern of Parquet."""
    return parts_of(path, str(path)) or [path]


def refuse_place(path: Path, name: str) -> None:
    """Refuse what is no file at all: that is the matter, whatever kind its name may tell."""
    if str(path) == "-" and not path.exists():
        raise InputError("-: standard input is not read here", "write it to a file, and name that")
    if path.is_dir():
        raise InputError(f"{name}: is a directory", "name a file")
    if not path.exists():
        raise InputError(f"{name}: does not exist", "name a file that can be read")


def refuse_head(head: bytes, name: str, *, encodings: bool = True) -> None:
    """Refuse first bytes that are of another kind than the file's name says; `encodings` as in `lines.byte_lines`."""
    if head.startswith(b"\x1f\x8b"):
        raise InputError(f"{name}: is gzip, and its name does not say so", "let its name end in .gz")
    if head.startswith(b"PK\x03\x04"):
        raise InputError(
            f"{name}: is a ZIP file or a workbook, and its name does not say so", "let its name end in .zip or .xlsx"
        )
    if _PARQUET_HEAD.match(head):
        raise InputError(f"{name}: is Parquet, and its name does not say so", "let its name end in .parquet")
    if tool := next((tool for sign, (_, tool) in PACKED.items() if re.match(sign, head)), None):
        raise InputError(f"{name}: is packed in a way that is not read", f"unpack it with `{tool}`")
    if wide := _UTF16.match(head):
        fix = "save the file as UTF-8" + (f", or read it with --encoding {_utf16(wide)}" if encodings else "")
        raise InputError(f"{name}: is UTF-16 text", fix)


def _utf16(begins: re.Match[bytes]) -> str:
    return {"mark": "utf-16", "le": "utf-16-le", "be": "utf-16-be"}[next(n for n, b in begins.groupdict().items() if b)]


def kind_of(suffix: str, head: bytes, name: str) -> str:
    """What a file is, one of `.csv`, `.tsv`, `.jsonl`, `.json` (a document), `.parquet`, `.xlsx` and `.qrels`.

    Args:
        suffix: Of its name, in small letters, without `.gz` or `.zip`.
        head: Its first bytes, unpacked.
        name: What to call it in messages.

    Raises:
        InputError: Neither says what it is.
    """
    if suffix in (".parquet", ".xlsx", ".qrels"):
        return suffix
    if suffix in LINES:
        return ".jsonl"
    if suffix == ".json":
        return _json_kind(head)
    if _looks_like_qrels(head):
        return ".qrels"
    if suffix in (".csv", ".tsv"):
        return suffix
    refuse_head(head, name)
    refuse_features(_text(head), name)
    if suffix == ".xml":
        raise InputError(
            f"{name}: is XML, which is not read", "export it as CSV, TSV or JSON Lines, a row for each record"
        )
    if tool := next((tool for endings, tool in PACKED.values() if suffix in endings), None):
        raise InputError(f"{name}: is packed in a way that is not read", f"unpack it with `{tool}`")
    if suffix in (".xls", ".ods", ".xlsm"):
        raise InputError(f"{name}: is a workbook of another kind", "save it as .xlsx or .csv")
    raise InputError(
        f"{name}: cannot tell what kind of file this is", f"name it {', '.join(KINDS)} (.gz or .zip may follow)"
    )


def nameless_suffix(head: bytes) -> str:
    """The suffix that a file without a name should have, by its first bytes, unpacked."""
    if _PARQUET_HEAD.match(head):
        return ".parquet"
    if head.startswith(b"PK\x03\x04"):
        return ".xlsx"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ".csv"
    text = _text(head).lstrip()
    if text.startswith("["):
        return ".json"
    if text.startswith("{"):
        return ".jsonl" if _json_kind(head) == ".jsonl" else ".json"
    if _looks_like_qrels(head):
        return ".qrels"
    # Where quotes enclose the first name, they do so in all cells: the same with tabs is `.csv`, see `dialect_of`.
    return ".tsv" if "\t" in text.partition("\n")[0] and not text.startswith('"') else ".csv"


def dialect_of(suffix: str, header: str, name: str) -> Dialect:
    """How a sheet's cells are parted, by its suffix and its first line that is not blank.

    Raises:
        InputError: The line is parted otherwise than a TSV file's: a quote would be a letter in it.
    """
    if found := _SEP_LINE.fullmatch(header.strip("\r\n")):
        return Dialect("\t" if found[1] == "\\t" else found[1], quoted=True, sep_line=True)
    if suffix == ".tsv":
        if "\t" not in header:
            for other in (",", ";"):
                if other in header.strip():
                    raise InputError(f"{name}, line 1: looks separated by {other!r}", SEPARATORS[other])
        return Dialect("\t", quoted=False)
    # Of several the commonest: a name may hold another, as `price, EUR` does. Of quoted names what they hold is none.
    bare = re.sub(r'"[^"]*"', "", header.strip())
    separator = max(",;\t|", key=bare.count)
    return Dialect(separator, quoted=True)


def _json_kind(head: bytes) -> str:
    text = _text(head).lstrip()
    if not text.startswith("{"):
        return ".json" if text.startswith("[") else ".jsonl"
    first, _, rest = text.partition("\n")
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        # A first line that is cut off by the end of the look is one of a file of lines, or a document on one line.
        return ".json"
    lists = isinstance(value.get("hits"), dict) or any(isinstance(value.get(key), list) for key in LISTS)
    return ".json" if lists and not rest.strip() else ".jsonl"


def _looks_like_qrels(head: bytes) -> bool:
    lines = [line for line in _text(head).splitlines()[:3] if line.strip()]
    return bool(lines) and _QRELS.fullmatch(lines[0]) is not None


def _text(head: bytes) -> str:
    return head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
