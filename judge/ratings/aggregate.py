"""Several people's grades to one: by vote, by votes weighed by how often a rater is with the others, by Dawid-Skene.

Every method takes `ratings` of shape (raters, units), NaN where a rater gave nothing, and the K grades ascending, and
gives a posterior of shape (units, K); a row is NaN where nobody rated. Ties stay ties: `Aggregate` says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.errors import InputError
from judge.files import new_file
from judge.places import check_writable
from judge.ratings.panel import Panel
from judge.statistics.dawid_skene import RatingMatrix, dawid_skene, shares
from judge.statistics.reliability import likeliest
from judge.tables.values import AGGREGATED, inert

Floats = npt.NDArray[np.float64]


def vote(ratings: Floats, values: Sequence[int]) -> Floats:
    """Each grade's share of a unit's ratings."""
    return shares(_votes(ratings, values).sum(axis=0))


def weighted_vote(ratings: Floats, values: Sequence[int]) -> Floats:
    """A vote in which a rater counts as often as they agree with the plain vote (ties count in part).

    Source: the "worker agreement with aggregate" of Appen's platform, as crowd-kit's `Wawa` has it.
    """
    votes = _votes(ratings, values)
    plain = shares(votes.sum(axis=0))
    top = np.isclose(plain, np.nanmax(np.nan_to_num(plain), axis=1, keepdims=True)) & (plain > 0)
    hits = np.einsum("ruk,uk->r", votes, top / np.maximum(top.sum(axis=1, keepdims=True), 1))
    weights = hits / np.maximum(votes.sum(axis=(1, 2)), 1)
    return shares(np.einsum("r,ruk->uk", weights, votes))


METHODS: dict[str, Callable[[Floats, Sequence[int]], Floats]] = {
    "majority": vote,
    "weighted": weighted_vote,
    "dawid-skene": lambda ratings, values: dawid_skene(RatingMatrix.of_table(ratings, values)).posterior,
}


@dataclass(frozen=True)
class Aggregate:
    """One grade a unit."""

    method: str
    values: tuple[int, ...]
    posterior: Floats
    """Shape (units, K)."""
    ratings: npt.NDArray[np.int64]
    """How many people rated each unit, shape (units,)."""

    @property
    def best(self) -> npt.NDArray[np.bool_]:
        """Which grades share the highest posterior, shape (units, K)."""
        return likeliest(np.nan_to_num(self.posterior, nan=-1.0))

    @property
    def tied(self) -> npt.NDArray[np.bool_]:
        """Units whose highest posterior several grades share, shape (units,): they have no grade."""
        return np.asarray(self.best.sum(axis=1) > 1)

    @property
    def grades(self) -> Floats:
        """Shape (units,); NaN for ties."""
        return np.where(self.tied, np.nan, np.array(self.values)[self.best.argmax(axis=1)])


def aggregate(panel: Panel, method: str) -> Aggregate:
    """One grade a unit of a panel, from its raters (gold is no rater), by one of `METHODS`.

    Raises:
        InputError: There is no rater but gold.
    """
    if not panel.raters:
        raise InputError(
            f"{panel.file}: holds the grades of {panel.gold_name!r} alone, so there is nothing to aggregate",
            "name the raters' columns with --raters A,B,C, or leave --gold out",
        )
    posterior = METHODS[method](panel.grades, panel.values)
    return Aggregate(method, panel.values, posterior, (~np.isnan(panel.grades)).sum(axis=0))


def check(method: str, out: Path, *, overwrite: bool) -> None:
    """Refuse what cannot be done before anything is read.

    Raises:
        InputError: There is no such method, the file's name does not say what to write, or it is already there or
            cannot be written.
    """
    if method not in METHODS:
        raise InputError(f"--method {method}: there is no such method", f"name one of {', '.join(METHODS)}")
    if out.suffix not in (".parquet", ".jsonl", ".csv"):
        raise InputError(f"--out {out}: cannot tell what to write", "name it .parquet, .jsonl or .csv")
    if out.exists() and not overwrite:
        raise InputError(f"{out}: is already there", "choose another file, or replace it with --overwrite")
    check_writable(out.parent)


def rows(panel: Panel, found: Aggregate) -> Iterator[dict[str, Any]]:
    """A row a rated unit, in the file's order."""
    grades, tied, best = found.grades, found.tied, found.best
    for index, unit in enumerate(panel.units):
        if not found.ratings[index]:
            continue
        likely = found.posterior[index]
        yield {
            "query_id": unit.query_id,
            "query": unit.query,
            "candidate_id": unit.candidate_id,
            "grade": None if tied[index] else int(grades[index]),
            "tied": [value for value, top in zip(found.values, best[index], strict=True) if top] if tied[index] else [],
            "posterior": [float(share) for share in likely],
            "expected_grade": float(likely @ np.array(found.values)),
            "ratings": int(found.ratings[index]),
            "method": found.method,
        }


def write(panel: Panel, found: Aggregate, out: Path, *, overwrite: bool = False) -> int:
    """Write `rows` as Parquet, JSON Lines or CSV, by the suffix; returns how many.

    Raises:
        InputError: The file is already there, or cannot be written.
    """
    lines = list(rows(panel, found))
    columns = [name for name in AGGREGATED if name != "query" or any(line["query"] for line in lines)]
    lines = [{name: line[name] for name in columns} for line in lines]
    if out.suffix == ".csv":
        _check_ids(lines, out)
    with new_file(out, overwrite=overwrite) as partial:
        if out.suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            kinds = {"grade": pa.int32(), "ratings": pa.int32(), "expected_grade": pa.float64()}
            kinds |= {"tied": pa.list_(pa.int32()), "posterior": pa.list_(pa.float64())}
            schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
            pq.write_table(pa.Table.from_pylist(lines, schema=schema), partial, compression="zstd")
        elif out.suffix == ".jsonl":
            import json

            partial.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in lines), encoding="utf-8")
        else:
            _write_csv(lines, columns, partial)
    return len(lines)


def _check_ids(lines: Sequence[dict[str, Any]], out: Path) -> None:
    for line in lines:
        for name in ("query_id", "candidate_id"):
            if _cell(line[name]) != line[name]:
                raise InputError(
                    f"{out}: {name} {line[name]!r} would be a formula to a spreadsheet, and with a quote another id",
                    "write .parquet or .jsonl, which hold it as it is",
                )


def _write_csv(lines: Sequence[dict[str, Any]], columns: Sequence[str], path: Path) -> None:
    import csv

    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        for line in lines:
            guarded = {"query": inert(line["query"])} if "query" in line else {}
            writer.writerow({name: _cell(value) for name, value in line.items()} | guarded)


def _cell(value: Any) -> Any:
    """Lists as words between spaces; text that a spreadsheet would run as a formula gets a quote in front.

    An id that begins with a quote gets none more: no reader takes one off ids.
    """
    if isinstance(value, list):
        return " ".join(map(str, value))
    return inert(value) if isinstance(value, str) and not value.startswith("'") else value


def _votes(ratings: Floats, values: Sequence[int]) -> Floats:
    """Shape (raters, units, K): 1 where a rater gave a unit that grade."""
    return np.asarray(np.asarray(ratings)[:, :, None] == np.asarray(values), dtype=np.float64)
