"""A run's labels on the Hugging Face Hub, with what is known of them."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from audit.agreement.agree import Question, agree
from judge.export.hub import Published, Target, check, publish
from judge.export.hub.facts import Agreement, Figure
from judge.statistics.agreement import shown_in
from relevance_judge.exports import SelectionOptions, as_selection
from relevance_judge.inputs import AnyRun, Rows, as_optional_file, as_run
from relevance_judge.reading import RatingOptions, Reading

if TYPE_CHECKING:
    from judge.ratings.layout import RatingsLayout
    from judge.run.store import Run

REFERENCES = {"gold": "adjudication", "majority": "the raters' majority"}


class PushOptions(SelectionOptions, total=False):
    """Where and as what labels are published, and which; `overwrite` is not among them."""

    revision: str
    """A branch, made where it is missing, or `refs/pr/N`; main unless given."""
    private: bool
    """Whether a new dataset is private. One that stands there and is public is refused then."""
    tag: str
    """The version's name; the fingerprint and a digest of the data unless given."""
    license: str
    """The licence to state, such as `cc-by-4.0`; unless given, what stands there."""
    ratings: Rows
    """People's grades, for the card's figures of agreement."""
    reading: RatingOptions
    """How those are read."""


def push(run: AnyRun, repo: str, **options: Unpack[PushOptions]) -> Published:
    """Publish a finished run's labels as a dataset of the Hugging Face Hub: every view a config, one commit, one tag.

    All of it or nothing; the same call again resumes, or finds that everything is there already.

    Args:
        run: The run, or its directory.
        repo: `owner/name` of the dataset, which is made where it is missing.
        options: See `PushOptions` and `SelectionOptions`.

    Raises:
        InputError: A name cannot be used, an option is none that can be, or nothing is left to publish.
        RunError: The run is unfinished.
        HubError: The Hub refuses, or cannot be reached.
    """
    names = {field.name for field in fields(Target)}
    target = Target(repo, **{name: value for name, value in options.items() if name in names})  # type: ignore[arg-type]
    rest = {name: value for name, value in options.items() if name not in {*names, "ratings", "reading"}}
    selection, opened = as_selection(rest), as_run(run)
    check(target)
    how = Reading(**options.get("reading", {}))
    with as_optional_file(options.get("ratings"), "ratings") as (path, _):
        found = agreement(opened, path, how.layout) if path else None
    return publish(opened, target, selection, found)


def agreement(run: "Run", ratings: Path, layout: "RatingsLayout") -> Agreement:
    """How far a run agrees with people's grades, as its card says it."""
    found = agree(Question(ratings, layout, runs=[run], name=ratings.name)).as_json()
    people = found["people"]
    among = shown_in("people") if people["shared"] else {}
    return Agreement(
        ratings=found["ratings"],
        # Raters are people: a card does not name them.
        reference=REFERENCES.get(found["reference"], "one rater"),
        pairs=found["n"],
        queries=found["queries"],
        rated=found["rated"],
        learned=found["learned"],
        learned_known=found["learned_known"],
        figures=tuple(_figure(name, found[key]) for key, name in shown_in("card").items() if key in found),
        people=tuple(_figure(name, people["figures"][key]) for key, name in among.items()),
    )


def _figure(name: str, found: Any) -> Figure:
    held = found if isinstance(found, dict) else {k: getattr(found, k) for k in ("value", "low", "high", "reason")}
    return Figure(name=name, **{key: held[key] for key in ("value", "low", "high", "reason")})
