"""How a verb takes its parameters: those of click, and records of options that several verbs share.

A record is a frozen dataclass whose fields are annotated with their options; `takes` adds them to a verb, which gets
one object of them:

    @dataclass(frozen=True)
    class Output:
        json: Annotated[bool, Option(["--json"], is_flag=True, help="Print JSON.")]

    @click.command()
    @click.argument("run", type=FILE)
    @takes(Output)
    def status(output: Output, run: Path) -> None: ...
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, get_args, get_type_hints

import click
from click import Option
from click.core import ParameterSource

from judge.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")
P = ParamSpec("P")
FILE = click.Path(path_type=Path)
"""A path that need not be there: the verbs say themselves what is wrong with it."""


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    context.meta[f"{__name__}.{parameter.name}"] = value
    return value


def takes(record: type[R]) -> Callable[[Callable[Concatenate[R, P], None]], Callable[P, None]]:
    """A decorator: the verb has the record's options, and gets the record as its first argument.

    Of several, the one nearest to the function is its first argument.
    """
    options = list(options_of(record))
    make: Callable[..., R] = record

    def decorate(verb: Callable[Concatenate[R, P], None]) -> Callable[P, None]:
        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            meta = click.get_current_context().meta
            verb(make(*(meta[f"{__name__}.{option.name}"] for option in options)), *args, **kwargs)

        update_wrapper(call, verb)
        # Where click's own decorators keep the parameters: last first.
        known: list[click.Parameter] = call.__dict__.setdefault("__click_params__", [])
        known.extend(reversed(options))
        return call

    return decorate


def options_of(record: type["DataclassInstance"]) -> Iterator[Option]:
    """The options that a record's fields are annotated with, in the order of the fields."""
    hints = get_type_hints(record, include_extras=True)
    for each in fields(record):
        option = get_args(hints[each.name])[1]
        option.expose_value, option.callback = False, _keep
        yield option


def refuse_others(what: str, *used: str) -> None:
    """Refuse the options of the command line that a way of working does not use, `used` being the names that it does.

    Raises:
        InputError: One was given.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name not in used:
            raise InputError(f"{what} does not use {parameter.opts[0]}", "leave it out")


def missing_options(wanted: Mapping[str, tuple[str, object]]) -> InputError:
    """An error that names those of some options, each with its metavar and value, that were not given."""
    missing = {name: metavar for name, (metavar, value) in wanted.items() if value is None}
    verb = "is" if len(missing) == 1 else "are"
    fix = " and ".join(f"{name} {metavar}" for name, metavar in missing.items())
    return InputError(f"{' and '.join(missing)} {verb} missing", f"give {fix}")


def flag(name: str, help: str) -> Option:
    """An option without a value."""
    return Option([name], is_flag=True, help=help)


def text(name: str, metavar: str, help: str) -> Option:
    """An option with a text, null unless given."""
    return Option([name], metavar=metavar, help=help)


def file(name: str, metavar: str, help: str, *, required: bool = False) -> Option:
    """An option with a path, null unless given."""
    return Option([name], metavar=metavar, type=FILE, required=required, help=help)


def count(name: str, help: str, *, metavar: str = "N", default: int | None = None, least: int | None = 1) -> Option:
    """An option with a whole number, null unless given or its default is one."""
    kind = click.INT if least is None else click.IntRange(least)
    return Option([name], metavar=metavar, type=kind, default=default, help=help)


def share(name: str, help: str, default: float, *, metavar: str = "P") -> Option:
    """An option with a number, which is checked where it is used."""
    return Option([name], metavar=metavar, type=float, default=default, help=help)


def choice(name: str, choices: tuple[str, ...], help: str) -> Option:
    """An option with one of a few words, the first unless given."""
    return Option([name], type=click.Choice(choices), default=choices[0], help=help)


def read_map(items: tuple[str, ...], rating: str | None = None) -> dict[str, list[str]]:
    """`NAME=COLUMN` items as our names to columns; of the grade's, that of `--rating` comes first."""
    mapping: dict[str, list[str]] = {}
    for item in items:
        name, sign, column = item.partition("=")
        if not (name.strip() and sign and column.strip()):
            raise InputError(f"--map {item}: is not NAME=COLUMN", "write it like --map candidate_id=product_id")
        mapping.setdefault(name.strip(), []).append(column.strip())
    if rating:
        mapping["grade"] = [rating, *mapping.get("grade", ())]
    return mapping


def read_names(text: str | None) -> list[str]:
    """`A,B,C` as names."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def read_raters(text: str | None) -> list[str]:
    """The same of raters, each of whom is named once."""
    names = read_names(text)
    if len(set(names)) < len(names):
        raise InputError(f"--raters {text}: a name occurs twice", "name each rater once")
    return names


def read_grades(text: str | None) -> dict[str, int | None] | None:
    """`E=2,S=1,unrateable=` as what the file writes to the guideline's grade; nothing is no answer."""
    if text is None:
        return None
    grades: dict[str, int | None] = {}
    for item in text.split(","):
        theirs, sign, grade = (part.strip() for part in item.partition("="))
        if not (theirs and sign and (not grade or (grade.isascii() and grade.isdecimal()))):
            raise InputError(f"--grades {text}: {item!r} is not NAME=GRADE", "write it like --grades E=2,S=1,C=1,I=0")
        if theirs in grades:
            raise InputError(f"--grades {text}: {theirs!r} occurs twice", "say once what each grade means")
        grades[theirs] = int(grade) if grade else None
    return grades
