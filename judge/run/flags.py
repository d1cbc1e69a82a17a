"""The flags of a run, `RUN/flags.parquet`: a row for each, strongest first. They are read and written here alone.

`judge audit` writes them, and the evidence behind them; the queue, the review, the trace and the exports read them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from judge.documents import Kind, check, parse
from judge.errors import RunError
from judge.files import dump_json
from judge.records import Flag
from judge.run.flag_types import flag_types
from judge.run.shape import read_columns
from judge.tables.parquet import write_table

AUDIT = "run `judge audit RUN EVENTS --out DIR`"
FIX = f"delete it, and {AUDIT} again"
FLAGS = Kind(FIX, RunError)

_TEXTS = ("query_id", "query", "candidate_id", "type", "suggested_action", "candidate")
_NUMBERS = (
    *("p_wrong", "examined_impressions", "examined_clicks", "expected_clicks", "live_examined", "strength"),
    "q_value",
)
EVIDENCE = (
    *("query", "grade", "p_wrong", "impressions", "examined_impressions", "clicks", "examined_clicks"),
    *("expected_clicks", "carts", "purchases"),
)
"""What a queue shows of a pair's evidence."""


def flag_schema() -> Any:
    """The Arrow schema of flags: the fields of `Flag`, in order; the candidate's texts are one text of JSON."""
    import pyarrow as pa

    kinds = dict.fromkeys(_TEXTS, pa.string()) | dict.fromkeys(_NUMBERS, pa.float64())
    kinds["posterior"] = pa.list_(pa.float64())
    return pa.schema([(name, kinds.get(name, pa.int64())) for name in Flag.model_fields])


def flag_table(flags: Iterable[Flag]) -> Any:
    """Flags as an Arrow table of `flag_schema()`."""
    import pyarrow as pa

    rows = [{**dict(flag), "candidate": dump_json(dict(flag.candidate))} for flag in flags]
    return pa.Table.from_pylist(rows, schema=flag_schema())


class Flags:
    """The flags in a directory.

    Args:
        folder: The run's, or where an audit wrote them too.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "flags.parquet"

    @property
    def exist(self) -> bool:
        """Whether an audit has been here, even if it flagged nothing."""
        return self.path.is_file()

    def __len__(self) -> int:
        """How many there are."""
        return int(self._table().num_rows) if self.exist else 0

    def require(self) -> None:
        """Refuse a run that has not been audited.

        Raises:
            RunError: It has not.
        """
        if not self.exist:
            raise RunError(f"{self.path.parent}: has no flags", f"{AUDIT} first")

    def write(self, flags: Iterable[Flag]) -> None:
        """Write flags, strongest first, in place of those that are there: whole or not at all."""
        write_table(flag_table(flags), self.path)

    def read(self) -> list[Flag]:
        """All flags, strongest first; none where there is no file.

        Raises:
            RunError: The file is damaged or of another shape, or a flag in it cannot be; the message names the place.
        """
        if not self.exist:
            return []
        return [self._flag(number, row) for number, row in enumerate(self._table().to_pylist(), 1)]

    def of(self, query_id: str, candidate_id: str) -> list[Flag]:
        """Those of one pair, strongest first."""
        found = [flag for flag in self.read() if flag.pair == (query_id, candidate_id)]
        return sorted(found, key=lambda flag: -flag.strength)

    def rows(self) -> set[int]:
        """The input rows of the labels that are flagged."""
        return set(self._table()["row"].to_pylist()) if self.exist else set()

    def types(self) -> dict[str, int]:
        """How many flags there are of each type, the commonest first; a pair can have several."""
        counts = Counter(self._table()["type"].to_pylist()) if self.exist else Counter[str]()
        return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))

    def pairs(self) -> Any:
        """The pairs that are flagged, each once, as an Arrow table of `query_id, candidate_id`."""
        keys = ["query_id", "candidate_id"]
        if not self.exist:
            return flag_schema().empty_table().select(keys)
        return self._table().select(keys).group_by(keys).aggregate([])

    def _table(self) -> Any:
        needed = [name for name, field in Flag.model_fields.items() if field.is_required()]
        return read_columns(self.path, flag_schema(), FIX, needed)

    def _flag(self, number: int, row: Mapping[str, Any]) -> Flag:
        where = f"{self.path}, row {number}"
        candidate = parse(row["candidate"] or "", dict[str, str], FLAGS, f"{where}, field 'candidate'")
        flag = check({**row, "candidate": candidate}, Flag, FLAGS, where)
        if flag.type not in flag_types():
            raise RunError(f"{where}, field 'type': {flag.type[:80]!r} is not a type of flag", FIX)
        return flag


def has_ranks(folder: Path) -> bool:
    """Whether the evidence in a run's directory ranks its pairs, as audits of this version write it."""
    import pyarrow.parquet as pq

    try:
        return "rank" in pq.read_schema(folder / "evidence.parquet").names
    except (OSError, ValueError):
        return False


def read_evidence(folder: Path, *, ranked: bool = False) -> Any:
    """What an audit made of every graded pair: an Arrow table of `row, query_id, candidate_id, posterior`.

    Args:
        folder: The run's directory.
        ranked: Also what a queue shows, and `rank`: the pair's place among those with engagement, the likeliest wrong
            label first, null without engagement.

    Raises:
        RunError: The run has not been audited, or the file is damaged or of another shape.
    """
    path = folder / "evidence.parquet"
    if not path.is_file():
        raise RunError(f"{folder}: has no evidence", f"{AUDIT} first")
    names: Sequence[str] = ("row", "query_id", "candidate_id", "posterior")
    schema = flag_schema()
    import pyarrow as pa

    fields = [schema.field(name) for name in (*names, *(EVIDENCE if ranked else ()))]
    if ranked:
        fields.append(pa.field("rank", pa.int64()))
    return read_columns(path, pa.schema(fields), FIX, names if not ranked else [field.name for field in fields])
