"""`judge guideline`: what relevance means, in words."""

from pathlib import Path
from typing import Annotated

import typer

from judge.errors import InputError
from judge.words import guideline as guidelines
from relevance_judge.cli.options import Json
from relevance_judge.cli.output import show, show_json, show_source


def guideline(
    name: Annotated[
        str, typer.Argument(metavar="[NAME|FILE]", help="A guideline that ships, or a YAML file.")
    ] = guidelines.DEFAULT,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the annotators' handbook.")] = None,
    source: Annotated[bool, typer.Option("--source", help="Print the YAML, to start your own from.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is already there.")] = False,
    json: Json = False,
) -> None:
    """Print a guideline, or write it as the handbook that annotators read.

    \b
    Example:
      judge guideline three-level --html handbook.html
    """
    from judge.words.handbook import as_text, write_html

    if source and (json or html):
        other = "--json" if json else "--html"
        raise InputError(f"--source prints YAML, and {other} asks for something else", "do one of them")
    policy = guidelines.load_guideline(name)
    if html:
        write_html(policy, html, overwrite=overwrite)
        if json:
            show_json({"file": str(html), "guideline": policy.name, "digest": policy.digest})
        else:
            show(f"handbook in {html}")
    elif source:
        show_source(guidelines.source(name))
    elif json:
        show_json({**policy.model_dump(mode="json"), "digest": policy.digest})
    else:
        show(*as_text(policy).split("\n"))
        show("", f"guidelines that ship: {', '.join(guidelines.names())}")
