"""Rows with long texts into another order, on disk: what is in memory is a batch, whatever the texts weigh.

A database that sorts rows takes their texts along, and a thousand texts of 100 kB are more than its share of memory. So
the order is made of numbers alone, and the texts are dealt out: each goes to the file of its stretch of the order, and
a stretch is small enough to be put in order in memory.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from judge.files import keep, unless_it_fails

STRETCH = 2**24
"""Characters of a stretch: 64 MiB of the widest."""
ROWS = 16_384
"""Rows of a group of the file, at most."""
MOST = 128
"""Stretches, at most: each has a file open."""


def write_ordered(db: Any, scratch: Path, path: Path, *, catalogue: bool) -> None:
    """Write `pairs.parquet` in the order that the table `judged` of `db` has, whole or not at all.

    Args:
        db: Has `judged`: `place` from 0 on, `row` of `given.parquet`, `product`, a row of `catalogue.parquet`, `size`
            in characters, and the columns that are taken over: `query_id, candidate_id, grade, skip`, and `mined`
            where there are mined pairs.
        scratch: Where those files lie; stretches are dealt out there too.
        path: The file.
        catalogue: Whether candidates' texts are those of products.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = db.execute("SELECT place, row, coalesce(product, -1) AS product, size FROM judged ORDER BY place")
    told = {name: values.astype(np.int64) for name, values in found.fetchnumpy().items()}
    ends = np.cumsum(told["size"] + 64)
    stretch = max(STRETCH, int(ends[-1]) // MOST + 1) if len(ends) else STRETCH
    stretches = ends // stretch
    texts = ["query", "locale"] if catalogue else ["query", "locale", "candidate"]
    dealt = [_deal(scratch, "given", texts, told["row"], stretches)]
    dealt += [_deal(scratch, "catalogue", ["candidate"], told["product"], stretches)] if catalogue else []
    kinds = pq.read_schema(scratch / "given.parquet")
    text = pa.string()
    names = [("query_id", text), ("query", text), ("candidate_id", text), ("locale", text)]
    rest = [("candidate", kinds.field("candidate").type), ("grade", pa.int32()), ("skip", text)]
    judged = db.sql("FROM judged LIMIT 0").to_arrow_table().schema
    rest += [("mined", judged.field("mined").type)] if "mined" in judged.names else []
    schema = pa.schema([("row", pa.int64()), *names, *rest])
    partial = path.with_suffix(".partial")
    with unless_it_fails(partial, path), pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for number in np.unique(stretches).tolist():
            first, last = np.searchsorted(stretches, [number, number + 1])
            sql = f"SELECT * FROM judged WHERE place >= {first} AND place < {last} ORDER BY place"
            table = db.sql(sql).to_arrow_table()
            for files in dealt:
                table = _joined(table, files.get(number), int(first))
            absent = {name: pa.nulls(len(table), schema.field(name).type) for name in schema.names}
            columns = {name: table[name] if name in table.column_names else absent[name] for name in schema.names}
            for piece in _pieces(pa.table(columns).cast(schema), told["size"][first:last]):
                writer.write_table(piece)
    keep(partial, path)


def _deal(scratch: Path, name: str, columns: list[str], rows: Any, stretches: Any) -> dict[int, Path]:
    """Deal the texts of `NAME.parquet` out to stretches, each with its `place`; returns the files by stretch.

    Args:
        scratch: Where it lies.
        name: Of the file.
        columns: What is dealt out.
        rows: The `row` of the file that each place has, -1 for none.
        stretches: The stretch of each place.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    files: dict[int, Path] = {}
    with ExitStack() as open_files, pq.ParquetFile(scratch / f"{name}.parquet", pre_buffer=False) as file:
        writers: dict[int, Any] = {}
        for group in range(file.num_row_groups):
            batch = file.read_row_group(group, columns=["row", *columns], use_threads=False).combine_chunks()
            numbers = batch["row"].to_numpy()
            first, last = np.searchsorted(ordered, numbers, "left"), np.searchsorted(ordered, numbers, "right")
            at = np.repeat(np.arange(len(numbers)), last - first)
            begin = np.repeat(last - np.cumsum(last - first), last - first)
            places = order[begin + np.arange(len(at))] if len(at) else np.array([], np.int64)
            for stretch in np.unique(stretches[places]).tolist():
                chosen = stretches[places] == stretch
                rows_of = pa.table({"place": places[chosen]}).append_column
                part = batch.take(pa.array(at[chosen])).select(columns)
                table = rows_of(columns[0], part[columns[0]])
                for column in columns[1:]:
                    table = table.append_column(column, part[column])
                if stretch not in writers:
                    files[stretch] = scratch / f"{name}-{stretch}.arrow"
                    options = pa.ipc.IpcWriteOptions(compression="lz4")
                    writers[stretch] = open_files.enter_context(
                        pa.ipc.new_stream(files[stretch], table.schema, options=options)
                    )
                writers[stretch].write_table(table)
    return files


def _joined(table: Any, path: Path | None, first: int) -> Any:
    """A stretch with the texts that were dealt out to it; places without any get nulls."""
    import numpy as np
    import pyarrow as pa

    if path is None:
        return table
    with pa.OSFile(str(path)) as stream:
        texts = pa.ipc.open_stream(stream).read_all()
    path.unlink()
    at = np.full(len(table), -1, np.int64)
    at[texts["place"].to_numpy() - first] = np.arange(len(texts))
    indices = pa.array(at, mask=at < 0)
    for column in texts.column_names[1:]:
        table = table.append_column(column, texts[column].combine_chunks().take(indices))
    return table


def _pieces(table: Any, chars: Any) -> Iterator[Any]:
    """Groups of rows for the file: at most `ROWS`, and of no more than `STRETCH` characters."""
    import numpy as np

    ends, start = np.cumsum(chars + 64), 0
    while start < len(table):
        room = (ends[start - 1] if start else 0) + STRETCH
        end = int(min(max(np.searchsorted(ends, room, "right"), start + 1), start + ROWS))
        yield table.slice(start, end - start)
        start = end
