"""`judge export --push`: a run's labels on the Hugging Face Hub, with what is known of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relevance_judge.cli.output import say, show, show_json, show_table

if TYPE_CHECKING:
    from judge.export.hub import Published
    from judge.export.hub.facts import Agreement
    from judge.export.selection import Selection
    from judge.ratings.layout import RatingsLayout
    from judge.run.store import Run

Push = Annotated[
    str | None,
    typer.Option("--push", metavar="OWNER/NAME", help="Publish all views as a dataset of the Hugging Face Hub."),
]
Revision = Annotated[
    str | None, typer.Option("--revision", metavar="BRANCH", help="Publish to this branch or refs/pr/N; main.")
]
Private = Annotated[bool, typer.Option("--private", help="Make a new dataset private; refuse a public one.")]
Tag = Annotated[
    str | None, typer.Option("--tag", metavar="NAME", help="Name this version; the fingerprint and a digest if not.")
]
Licence = Annotated[
    str | None, typer.Option("--license", metavar="ID", help="State this licence, such as cc-by-4.0; else as it is.")
]
Ratings = Annotated[
    Path | None, typer.Option("--ratings", metavar="FILE", help="People's grades, for the card's figures of agreement.")
]
REFERENCES = {"gold": "adjudication", "majority": "the raters' majority"}


@dataclass(frozen=True)
class Pushing:
    """What the options of `--push` say."""

    repo: str
    revision: str | None
    private: bool
    tag: str | None
    licence: str | None
    ratings: Path | None
    layout: "RatingsLayout"
    """How those are read."""


def publish(run: "Run", selection: "Selection", asked: Pushing, json: bool) -> None:
    """Publish, and show what is there now."""
    from judge.export.hub import Target, check
    from judge.export.hub import publish as push

    target = Target(asked.repo, asked.revision, asked.private, asked.tag, asked.licence)
    check(target)
    done = push(run, target, selection, agreement(run, asked), say)
    if json:
        show_json(done.model_dump())
        return
    _show(done)


def agreement(run: "Run", asked: Pushing) -> "Agreement | None":
    """The run beside people's grades, where they were given."""
    if asked.ratings is None:
        return None
    from audit.agreement.agree import Question, agree
    from judge.export.hub.facts import Agreement
    from judge.statistics.agreement import shown_in

    found = agree(Question(asked.ratings, asked.layout, runs=[run], name=asked.ratings.name)).as_json()
    people = found["people"]
    among = shown_in("people") if people["shared"] else {}
    return Agreement(
        ratings=found["ratings"],
        # Raters are people: a card does not name them.
        reference=REFERENCES.get(found["reference"], "one rater"),
        pairs=found["n"],
        queries=found["queries"],
        rated=found["rated"],
        figures=tuple(_figure(name, found[key]) for key, name in _names().items() if key in found),
        people=tuple(_figure(name, people["figures"][key]) for key, name in among.items()),
    )


def _names() -> dict[str, str]:
    from judge.statistics.agreement import shown_in

    return shown_in("card")


def _figure(name: str, found: Any) -> Any:
    from judge.export.hub.facts import Figure

    held = found if isinstance(found, dict) else {k: getattr(found, k) for k in ("value", "low", "high", "reason")}
    return Figure(name=name, **{key: held[key] for key in ("value", "low", "high", "reason")})


def _show(done: "Published") -> None:
    show(done.url, "")
    splits = list(dict.fromkeys(split for rows in done.configs.values() for split in rows))
    rows = [(name, *(f"{n[split]:,}" if split in n else "–" for split in splits)) for name, n in done.configs.items()]
    show_table(rows, head=("config", *splits), right=range(1, len(splits) + 1))
    what = "published" if done.changed else "stood there already"
    show("", f"{what}: commit {done.commit[:12]} of {done.revision}, tag {done.tag}; loaded again, all as sent")
    if done.tagged != done.commit:
        show(f"the tag stays on commit {done.tagged[:12]}: the same data under an earlier card")
