"""`judge push`: a run's labels, or a trained model, on the Hugging Face Hub, with what is known of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
from click import Option

from relevance_judge.cli.options import RatingParams, json_option
from relevance_judge.cli.output import say, show, show_json, show_table
from relevance_judge.cli.params import FILE, flag, refuse_others, takes, text
from relevance_judge.cli.selection import SelectionParams

if TYPE_CHECKING:
    from judge.export.hub import Published, Target


@dataclass(frozen=True)
class TargetParams:
    """Where and as what a dataset is published."""

    revision: Annotated[str | None, text("--revision", "BRANCH", "Publish to this branch or refs/pr/N; main.")]
    private: Annotated[bool, flag("--private", "Make a new dataset private; refuse a public one.")]
    tag: Annotated[str | None, text("--tag", "NAME", "Name this version; the fingerprint and a digest if not.")]
    license: Annotated[
        str | None,
        Option(["--license"], metavar="ID", help="State this licence, such as cc-by-4.0; else the existing one."),
    ]

    def target(self, repo: str) -> "Target":
        """The dataset of this name, checked before any work.

        Raises:
            InputError: A name cannot be used, or nobody is logged in.
        """
        from judge.export.hub import Target, check

        found = Target(repo, self.revision, self.private, self.tag, self.license)
        check(found)
        return found


@click.command()
@click.argument("run", metavar="RUN", type=FILE, help="A finished run directory, or a model of `judge train`.")
@click.argument("repo", metavar="OWNER/NAME", help="The dataset or model, which is made where it is missing.")
@takes(TargetParams)
@takes(SelectionParams)
@click.option(
    "--ratings", metavar="FILE", type=click.Path(path_type=Path), help="People's grades, for the card's agreement."
)
@takes(RatingParams)
@json_option
def push(
    how: RatingParams,
    selected: SelectionParams,
    where: TargetParams,
    run: Path,
    repo: str,
    ratings: Path | None,
    json: bool,
) -> None:
    """Publish a run's labels, or a trained model, on the Hub.

    Every view is a config; a card says what is known of the labels; one commit and a tag hold all of it. Decisions are
    applied. It is loaded again and compared. The same command resumes where it was cut off. A model is
    published with its card, as one commit and a tag.

    \b
    Example:
      judge push runs/monday my-shop/relevance --private --ratings ratings.csv
    """
    from judge.export.hub import publish
    from judge.run.store import Run
    from relevance_judge.publishing import agreement
    from retriever.trained import is_trained

    if is_trained(run):
        refuse_others("a model", "run", "repo", "json", "revision", "private", "tag", "license")
        _push_model(run, where.target(repo), json=json)
        return
    selection, target, opened = selected.selection(), where.target(repo), Run.open(run)
    found = agreement(opened, ratings, how.layout()) if ratings else None
    done = publish(opened, target, selection, found, say)
    if json:
        show_json(done.model_dump())
        return
    _show(done)


def _push_model(folder: Path, target: "Target", *, json: bool) -> None:
    from judge.export.hub.models import publish_model

    done = publish_model(folder, target, say)
    if json:
        show_json(done.model_dump())
        return
    what = "published" if done.changed else "stood there already"
    show(done.url, "", f"{what}: {done.files} files, commit {done.commit[:12]} of {done.revision}, tag {done.tag}")
    if done.tagged != done.commit:
        show(f"the tag stays on commit {done.tagged[:12]}: the same weights under other words")


def _show(done: "Published") -> None:
    show(done.url, "")
    splits = list(dict.fromkeys(split for rows in done.configs.values() for split in rows))
    rows = [(name, *(f"{n[split]:,}" if split in n else "–" for split in splits)) for name, n in done.configs.items()]
    show_table(rows, head=("config", *splits), right=range(1, len(splits) + 1))
    what = "published" if done.changed else "stood there already"
    show("", f"{what}: commit {done.commit[:12]} of {done.revision}, tag {done.tag}; loaded again, all as sent")
    if done.tagged != done.commit:
        show(f"the tag stays on commit {done.tagged[:12]}: the same data under an earlier card")
