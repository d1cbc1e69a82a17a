"""Views as a Hub dataset holds them: Parquet with the features written in, and the metadata that goes with them.

The column `grade` keeps its values; next to it is `label`, the grade's place among the grades as a `ClassLabel` with
the guideline's names. Views that a trainer reads column by column get no column more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import RunError
from judge.export.written import Written

SHARD = 500_000_000
"""Bytes of a file from which on a split continues in the next one."""
ROWS = 65_536
"""Rows that are held at once."""


@dataclass(frozen=True)
class StagedSplit:
    """One split of a view."""

    rows: int
    arrow_bytes: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class StagedView:
    """One view: a config of the dataset."""

    name: str
    features: Any
    """`datasets.Features`."""
    splits: Mapping[str, StagedSplit]
    """Those that have rows."""

    @property
    def rows(self) -> int:
        """Of all splits together."""
        return sum(split.rows for split in self.splits.values())

    def metadata(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its entries under `configs` and `dataset_info` of the card, as `datasets` writes them."""
        from datasets import DatasetInfo, SplitDict, SplitInfo
        from datasets.info import DatasetInfosDict
        from datasets.utils.metadata import MetadataConfigs
        from huggingface_hub import DatasetCardData

        sizes = {name: SplitInfo(name, split.arrow_bytes, split.rows) for name, split in self.splits.items()}
        info = DatasetInfo(
            config_name=self.name,
            features=self.features,
            splits=SplitDict(sizes),
            download_size=sum(file.stat().st_size for split in self.splits.values() for file in split.files),
            dataset_size=sum(split.arrow_bytes for split in self.splits.values()),
        )
        files = [{"split": name, "path": f"{self.name}/{name}-*"} for name in self.splits]
        data = DatasetCardData()
        DatasetInfosDict({self.name: info}).to_dataset_card_data(data)
        MetadataConfigs({self.name: {"data_files": files}}).to_dataset_card_data(data)
        held = data.to_dict()
        return held["configs"][0], {"config_name": self.name, **held["dataset_info"]}


def stage(
    folder: Path, out: Path, written: Written, grades: Sequence[Mapping[str, Any]], shard: int = SHARD
) -> list[StagedView]:
    """Turn written views into the files of a Hub dataset.

    Args:
        folder: Holds `VIEW/SPLIT-00000.parquet`.
        out: Where `VIEW/SPLIT-00000-of-00001.parquet` go; must not hold them yet.
        written: What is in the folder, in the order of views and splits.
        grades: The guideline's, ascending: `value` and `name`.
        shard: Bytes of a file from which on the next one begins.

    Raises:
        RunError: A grade is none of the guideline's.
    """
    staged = []
    for name, view in written.views.items():
        (out / name).mkdir(parents=True)
        # `datasets` cannot load a split without rows: a config has those that hold some.
        splits = {split: folder / name / f"{split}-00000.parquet" for split, rows in view.records.items() if rows}
        features, values = _features(next(iter(splits.values())), grades)
        done = {
            split: _write_split(path, out / name / split, features, values, shard) for split, path in splits.items()
        }
        staged.append(StagedView(name, features, done))
    return staged


def class_names(grades: Sequence[Mapping[str, Any]]) -> list[str]:
    """The classes' names, in grade order; told apart by the value where a guideline names two grades alike."""
    names = [str(grade["name"]) for grade in grades]
    alike = len(set(names)) < len(names)
    return [f"{grade['value']} {name}" if alike else name for grade, name in zip(grades, names, strict=True)]


def _features(path: Path, grades: Sequence[Mapping[str, Any]]) -> tuple[Any, list[int] | None]:
    """Features of a view, and the values whose places make the new class column; null where none is added."""
    import pyarrow.parquet as pq
    from datasets import ClassLabel, Features

    label = ClassLabel(names=class_names(grades))
    found = Features.from_arrow_schema(pq.read_schema(path))
    if "label" in found:
        found["label"] = label  # pairs with classes: already the places
        return found, None
    if "grade" not in found:
        return found, None
    with_label = {}
    for name, feature in found.items():
        with_label[name] = feature
        if name == "grade":
            with_label["label"] = label
    return Features(with_label), [int(grade["value"]) for grade in grades]


def _write_split(path: Path, stem: Path, features: Any, values: list[int] | None, shard: int) -> StagedSplit:
    import pyarrow.parquet as pq

    schema, rows, size = features.arrow_schema, 0, 0
    parts: list[Path] = []
    writer = None
    for table in _tables(path, values):
        ready = table.cast(schema)
        if writer is None:
            parts.append(stem.with_name(f"{stem.name}-part-{len(parts):05d}"))
            writer = pq.ParquetWriter(parts[-1], schema, compression="zstd", write_page_index=True)
        writer.write_table(ready)
        rows, size = rows + ready.num_rows, size + ready.nbytes
        if parts[-1].stat().st_size >= shard:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    names = [stem.with_name(f"{stem.name}-{i:05d}-of-{len(parts):05d}.parquet") for i in range(len(parts))]
    return StagedSplit(rows, size, tuple(part.rename(name) for part, name in zip(parts, names, strict=True)))


def _tables(path: Path, values: list[int] | None) -> Iterator[Any]:
    """A file's rows in tables of at most `ROWS`, with the class column where one is wanted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            table = pa.Table.from_batches([batch])
            yield table if values is None else _with_label(table, values)


def _with_label(table: Any, values: list[int]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    grade = table.column("grade")
    label = pc.index_in(grade, value_set=pa.array(values, grade.type))
    if label.null_count > grade.null_count:
        raise RunError("a grade is none of the guideline's", "export again from a run that adds up")
    return table.add_column(table.column_names.index("grade") + 1, "label", label.cast(pa.int64()))
