"""`judge guideline`: what relevance means, in words."""

from pathlib import Path

import click

from judge.errors import InputError
from judge.words import guideline as guidelines
from relevance_judge.cli.options import json_option, overwrite_option
from relevance_judge.cli.output import show, show_json, show_source
from relevance_judge.cli.params import FILE


@click.command()
@click.argument(
    "name",
    metavar="[NAME|FILE]",
    required=False,
    default=guidelines.DEFAULT,
    help="A guideline that ships, or a YAML file.",
)
@click.option("--html", metavar="FILE", type=FILE, help="Write the annotators' handbook.")
@click.option("--source", is_flag=True, help="Print the YAML, to start your own from.")
@overwrite_option
@json_option
def guideline(name: str, html: Path | None, source: bool, overwrite: bool, json: bool) -> None:
    """Print a guideline, or write it as the annotators' handbook.

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
