"""How a run's own input was read, which other files about the same shop are read by unless the user says otherwise."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from judge.run.manifest import Manifest
from judge.run.store import Run


@dataclass(frozen=True)
class Remembered:
    """What `--map` and `--grades` said when a run was made; of several runs, the first one that was told a name."""

    where: str = ""
    """The runs, for people."""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Our names to the columns of the run's input."""
    grades: Mapping[str, int | None] = field(default_factory=dict)
    """What the input wrote to the guideline's value; empty where it wrote the values themselves."""

    @classmethod
    def of(cls, runs: Iterable[Run]) -> "Remembered":
        """What is remembered of these runs."""
        columns: dict[str, Sequence[str]] = {}
        grades: dict[str, int | None] = {}
        paths = []
        for run in runs:
            inputs = run.manifest.inputs
            paths.append(str(run.path))
            columns = {**_columns(inputs.get("map")), **columns}
            grades = grades or _grades(inputs.get("grades"), run.manifest.values)
        return cls(", ".join(paths), columns, grades)

    def fitting(
        self, there: Collection[str], names: Collection[str], given: Mapping[str, Sequence[str]]
    ) -> dict[str, list[str]]:
        """The remembered columns of these names that a file has, where the user maps neither name nor column."""
        mapped = {column for columns in given.values() for column in columns}
        found = {
            name: [column for column in columns if column in there and column not in mapped]
            for name, columns in self.columns.items()
            if name in names and name not in given
        }
        return {name: columns for name, columns in found.items() if columns and columns != [name]}

    def told(self, columns: Mapping[str, Sequence[str]], grades: Mapping[str, int | None] | None = None) -> str:
        """What a file is read by, in a line."""
        parts = [f"{name}={column}" for name, found in columns.items() for column in found]
        parts += ["grades " + ",".join(f"{k}={'' if v is None else v}" for k, v in grades.items())] if grades else []
        return f"read as the input of {self.where}: {', '.join(parts)}"


def reads_alike(manifest: Manifest, mapping: Mapping[str, Sequence[str]]) -> bool:
    """Whether a mapping reads a run's input as the run's own did: names mapped onto themselves, and columns that are
    named twice, change nothing.

    A name that is mapped onto itself is read from no other column. So it does change something where the run reads
    that name from a column of another name, unasked.
    """
    before = _columns(manifest.inputs.get("map"))
    told, given = ({n: tuple(dict.fromkeys(c)) for n, c in each.items()} for each in (before, mapping))
    if any(told.get(name, (name,)) != given.get(name, (name,)) for name in {*told, *given}):
        return False
    return not (told.keys() ^ given.keys()) & manifest.passed_over.keys()


def _object(text: str | int | None) -> dict[str, object]:
    """A JSON object; an empty one of anything else: the manifest may be of another version, or somebody else's."""
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _columns(text: str | int | None) -> dict[str, Sequence[str]]:
    found = ((name, given) for name, given in _object(text).items() if isinstance(given, list) and given)
    return {name: given for name, given in found if all(isinstance(column, str) for column in given)}


def _grades(text: str | int | None, values: Sequence[int]) -> dict[str, int | None]:
    """What was said of grades, the best first; nothing where they are the guideline's own."""
    told = {k: v for k, v in _object(text).items() if v is None or (type(v) is int and v in values)}
    found = dict(sorted(told.items(), key=lambda item: -1 if item[1] is None else item[1], reverse=True))
    own = {str(value): value for value in values}
    if own.items() <= found.items() and all(found[name] is None for name in found.keys() - own.keys()):
        return dict.fromkeys(found.keys() - own.keys())
    return found
