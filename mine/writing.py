"""A mining's files: the pairs with the account inside, and the tables next to it that people read."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from judge.errors import InputError
from judge.files import write_whole
from judge.pairs.origin import ACCOUNT
from judge.places import check_writable, spare_runs
from judge.records import Record
from judge.search.catalogue import Product
from judge.tables.values import SAMPLED, inert
from mine.account import MiningAccount, as_json
from mine.asked import Asked
from mine.attributes import Understood
from mine.candidates import Candidate
from mine.relations import Relation
from mine.values import FACETS

KINDS = ("json", "understood.csv", "sample.csv")
"""Files next to a mined one, by their endings."""


@dataclass(frozen=True)
class Mined:
    """What is written; the lists after `fields` are aligned with `kept`, or with `asked`."""

    asked: Sequence[Asked]
    products: Sequence[Product]
    fields: Sequence[str]
    """The guideline's fields: what people see of a product."""
    kept: Sequence[Candidate]
    relations: Sequence[Relation]
    systems: Sequence[str | None]
    """Where each ranking has a pair."""
    outranks: Sequence[int]
    """How many products that are known to be of the best grade a pair's source ranks below it."""
    understood: Sequence[Understood]
    sample: int
    seed: int


def write_mined(out: Path, partial: Path, account: MiningAccount, mined: Mined) -> None:
    """Write the tables next to the mined file, then the file itself, to `partial`: where it stands, they do."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_whole(companion(out, "json"), as_json(account).encode())
    write_whole(companion(out, "understood.csv"), _sheet(_understood_rows(mined)))
    if mined.sample and mined.kept:
        write_whole(companion(out, "sample.csv"), _sheet(_sample_rows(mined)))
    else:
        companion(out, "sample.csv").unlink(missing_ok=True)  # of an earlier mining, ungraded: `check_companions`
    text, kept, asked = pa.string(), mined.kept, mined.asked
    columns = {
        "query_id": pa.array([asked[c.query].query_id for c in kept], text),
        "query": pa.array([asked[c.query].query for c in kept], text),
        "locale": pa.array([asked[c.query].locale for c in kept], text),
        "candidate_id": pa.array([mined.products[c.place].id for c in kept], text),
        "source": pa.array([c.source for c in kept], text),
        "rank": pa.array([c.rank for c in kept], pa.int32()),
        "score": pa.array([c.score for c in kept], pa.float64()),
        "relation": pa.array([r.name for r in mined.relations], text),
        "changed": pa.array([", ".join(r.changed) or None for r in mined.relations], text),
        "found_by": pa.array(["; ".join(f"{name}={rank}" for name, rank in c.found_by.items()) for c in kept], text),
        "systems": pa.array(mined.systems, text),
        "outranks": pa.array(mined.outranks, pa.int32()),
    }
    table = pa.table(columns).replace_schema_metadata({ACCOUNT: account.model_dump_json().encode()})
    pq.write_table(table, partial, compression="zstd")


def companion(out: Path, kind: str) -> Path:
    """Where a table of a mined file lies."""
    return out.with_name(f"{out.stem}.{kind}")


def check_companions(out: Path, kinds: Sequence[str], inputs: Iterable[Path | None], account: type[Record]) -> None:
    """Refuse to write over what is not ours: `--overwrite` speaks of `out` alone, not of the files next to it.

    Args:
        out: The file to write.
        kinds: Of the files next to it; an account's `json`, where the files come from us, is one of them.
        inputs: Files that are read.
        account: What that `json` holds.

    Raises:
        InputError: `out` or a file next to it is read, or belongs to a run; such a file is somebody else's, or a
            sample with grades; or the folder cannot be written.
    """
    fix = "choose another --out"
    beside = [companion(out, kind) for kind in kinds]
    for path in (out, *beside):
        spare_runs(path)
        if any(given is not None and _same(path, given) for given in inputs):
            raise InputError(f"{path}: is read, and would be written over", fix)
    if out in beside:
        raise InputError(f"{out}: is where the account goes", "name --out with another ending")
    there = [path for path in beside if path.exists() or path.is_symlink()]
    if there and not _holds(companion(out, "json"), account):
        raise InputError(f"{there[0]}: is already there, and was not written by this verb", fix)
    for path in there:
        if path.name.endswith(".sample.csv") and not _ungraded(path):
            raise InputError(f"{path}: has grades or was changed, and would be lost", f"keep it, and {fix}")
    check_writable(out.parent)


def _same(path: Path, given: Path) -> bool:
    try:
        return path.samefile(given)
    except OSError:  # one of them is not there
        return path.resolve() == given.resolve()


def _holds(path: Path, account: type[Record]) -> bool:
    try:
        account.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _ungraded(path: Path) -> bool:
    """Whether a file is a sample in which nobody wrote a grade."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = csv.reader(stream)
    except (OSError, ValueError, csv.Error):
        return False
    ours = tuple(header[: len(SAMPLED)]) == SAMPLED and header[-1] == "grade"
    return ours and all(not "".join(row[len(header) - 1 :]).strip() for row in rows)


def _sheet(rows: Iterable[Sequence[str]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([inert(cell) for cell in row] for row in rows)
    return stream.getvalue().encode("utf-8", "replace")


def _understood_rows(mined: Mined) -> Iterable[Sequence[str]]:
    yield ("query_id", "query", "categories", "categories_from", *FACETS, "unwanted", "not_understood")
    for query, meant in zip(mined.asked, mined.understood, strict=True):
        wanted = [" or ".join(sorted(meant.wanted.get(facet, ()))) for facet in FACETS]
        told = ("; ".join(meant.leaves), meant.leaf_from, *wanted, ", ".join(meant.unwanted), " ".join(meant.rest))
        yield (query.query_id, query.query, *told)


def _sample_rows(mined: Mined) -> Iterable[Sequence[str]]:
    """A random sample in a random order: neither rank nor source can be told from it."""
    yield (*SAMPLED, *mined.fields, "grade")
    pairs = [(mined.asked[c.query], mined.products[c.place]) for c in mined.kept]
    salt = str(mined.seed).encode()
    keys = [
        blake2b(f"{query.query_id}\x1f{product.id}".encode("utf-8", "replace"), key=salt).digest()
        for query, product in pairs
    ]
    for at in sorted(range(len(keys)), key=keys.__getitem__)[: mined.sample]:
        query, product = pairs[at]
        yield (query.query_id, query.query, product.id, *(product.texts.get(n, "") for n in mined.fields), "")
