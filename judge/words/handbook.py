"""A guideline for people: as text in a terminal, and as the annotators' handbook in HTML."""

from pathlib import Path
from textwrap import fill

from judge.files import new_file
from judge.words.folders import shipped_folder
from judge.words.guideline import Guideline
from judge.words.pages import page

WIDTH = 100


def as_text(guideline: Guideline) -> str:
    """The guideline as plain text, wrapped."""
    lines = [
        f"{guideline.title} ({guideline.name}, version {guideline.version})",
        "",
        fill(guideline.task, WIDTH),
        "",
        "Grades",
    ]
    for grade in reversed(guideline.grades):
        lines.append(_item(f"{grade.value} {grade.name}: {grade.definition}"))
        lines += [_item(f"“{e.query}” and “{e.candidate}”: {e.why}", "      ") for e in grade.examples]
    if guideline.clauses:
        lines += ["", "Clauses: of those that apply, the one that allows the lowest grade decides"]
        lines += [_item(f"{clause.id}, at most {clause.highest}: {clause.rule}") for clause in guideline.clauses]
    fields = ", ".join(f"{f.name} ({f.tokens} tokens)" for f in guideline.fields)
    return "\n".join([*lines, "", "Fields", _item(fields)])


def as_html(guideline: Guideline) -> str:
    """The annotators' handbook: one page without scripts, everything in it escaped."""
    return page(shipped_folder("guidelines"), "handbook.html.j2", {"guideline": guideline})


def write_html(guideline: Guideline, out: Path, *, overwrite: bool = False) -> None:
    """Write the handbook, whole or not at all.

    Raises:
        InputError: The file is already there, or cannot be written.
    """
    with new_file(out, overwrite=overwrite) as partial:
        partial.write_text(as_html(guideline), encoding="utf-8")


def _item(text: str, indent: str = "  ") -> str:
    return fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
