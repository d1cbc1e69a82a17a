"""What is wrong with a file's rows: every problem counted by its kind, the first few kept, and one clear refusal."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from judge.errors import InputError
from judge.records import Problem, counted
from judge.tables.scale import Scale

SHOWN = 5
"""Problems of one kind that are kept in full."""


@dataclass
class Problems:
    """Counts problems by kind, and keeps the first `SHOWN` of each."""

    kinds: dict[str, int] = field(default_factory=dict)
    first: list[Problem] = field(default_factory=list)

    def note(self, problem: Problem) -> None:
        """Count a problem, and keep it if it is among the first of its kind."""
        self.kinds[problem.kind] = self.kinds.get(problem.kind, 0) + 1
        if self.kinds[problem.kind] <= SHOWN:
            self.first.append(problem)

    def add(self, found: Iterable[tuple[Problem, int]]) -> None:
        """Take over the first problems of kinds that were counted elsewhere, each with the count of its kind there."""
        counts: dict[str, int] = {}
        for problem, count in found:
            counts[problem.kind] = count
            self.first.append(problem)
        self._count(counts)

    def merge(self, other: "Problems") -> None:
        """Take over what is wrong with other rows."""
        self.first += other.first
        self._count(other.kinds)

    def _count(self, kinds: Mapping[str, int]) -> None:
        for kind, count in kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count


def check_command(file: str, mapping: Mapping[str, Sequence[str]], options: Mapping[str, object | None]) -> str:
    """The command that lists what is wrong with a file, as a shell takes it.

    Args:
        file: What it is called; what is no file of the user's is named by what they have to put there.
        mapping: `--map`.
        options: Others with their values; those with none are left out.
    """
    named = {"standard input": "-"}.get(file, "FILE" if file.endswith(")") else file)
    given = [part for name, value in options.items() if value for part in (name, str(value))]
    maps = [part for ours, columns in mapping.items() for column in columns for part in ("--map", f"{ours}={column}")]
    return shlex.join(["judge", "validate", named, *given, *maps])


def refuse(
    problems: Sequence[Problem],
    kinds: Mapping[str, int],
    scale: Scale | None,
    check: str | None = None,
    *,
    skip_bad_rows: bool = False,
) -> None:
    """Refuse a file for grades of another scale; and, unless bad rows are skipped, for its first problem.

    Args:
        problems: In the order of the file.
        kinds: How many there are of each kind.
        scale: What the file wrote for grades, where it holds any.
        check: The command that lists them all, where there is one.
        skip_bad_rows: Whether problems of single rows are left out and counted instead.

    Raises:
        InputError: The one error for all of it.
    """
    error = scale.error(skip_bad_rows=skip_bad_rows) if scale else None
    others = sum(count for kind, count in kinds.items() if not (error and kind == "unknown_grade"))
    if error is None and problems and not skip_bad_rows:
        error, others = InputError(str(problems[0]), problems[0].fix), others - 1
    if error:
        listed = f"; `{check}` lists them" if check else ""
        more = f" (and {counted(others, 'more problem')}{listed})" if others else ""
        raise InputError(f"{error}{more}", error.hint)
