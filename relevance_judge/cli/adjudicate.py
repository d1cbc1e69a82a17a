"""`judge adjudicate`: another judge looks at flagged labels again."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
from click import Option

from judge.records import counted
from judge.text import candidate_name
from relevance_judge.cli.interrupts import stoppable
from relevance_judge.cli.options import RatingParams, flagged_run_argument, json_option
from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.params import file, takes
from relevance_judge.cli.serving import EngineParams
from relevance_judge.cli.stdin import input_file
from relevance_judge.progress import progress
from relevance_judge.serving import read_serving

if TYPE_CHECKING:
    from audit.review.adjudicate import Adjudicated, Outcome
    from audit.review.trust import RatedPairs
    from judge.ratings.layout import RatingsLayout
    from judge.run.store import Run

MEANING = {
    "suggested_change": "against the label, as the evidence is",
    "label_repeated": "repeat the label",
    "other_way": "against both the label and the evidence",
    "no_grade": "without a grade",
}
SHOWN = 30
"""Decisions that are listed."""


@dataclass(frozen=True)
class DecidingParams:
    """From which chance on the judge decides, and how it is measured."""

    sure: Annotated[
        float,
        Option(
            ["--sure"],
            metavar="CHANCE",
            type=click.FloatRange(0.5, 1, min_open=True),
            default=0.95,
            help="Decide a label where one grade has at least this chance; 1 decides none.",
        ),
    ]
    ratings: Annotated[
        Path | None,
        file("--ratings", "FILE", "People's grades of pairs of the run: the judge is measured by them."),
    ]


@click.command()
@flagged_run_argument
@click.option(
    "--with",
    "judge",
    metavar="MODEL",
    required=True,
    help="A judge other than the run's; as for `judge label`.",
)
@takes(EngineParams)
@takes(DecidingParams)
@takes(RatingParams)
@json_option
def adjudicate(
    how: RatingParams, terms: DecidingParams, asked: EngineParams, run: Path, judge: str, json: bool
) -> None:
    """Have another judge decide flagged labels that are sure. Sure is what all evidence together says.

    Weighed are label and engagement, the judge's answer as far as it agreed with people (`--ratings`, or their
    decisions so far), and the product's category. Other labels get its opinion, and stay in the queue for people.

    \b
    Example:
      judge adjudicate runs/monday --with Qwen/Qwen3-4B --ratings ratings.csv
    """
    from audit.review.adjudicate import adjudicate as decide
    from audit.review.second import Second, second_judge
    from judge.engines.kinds import find_engine
    from judge.run.store import Run

    opened = Run.open(run)
    guideline, judge_config = second_judge(opened, judge, chat=find_engine(asked.engine).in_words)
    serving = read_serving(asked.engine, asked.url, asked.engine_config, None, judge_config.adapter)
    rated = _rated(opened, terms.ratings, how.layout()) if terms.ratings else None
    second = Second(guideline, judge_config, serving)
    with stoppable("the same command asks nothing again that was answered"):
        watch = partial(progress, "judging again")
        found = decide(opened, second, sure=terms.sure, rated=rated, watch=watch)
    show_json(_as_json(found)) if json else _show(found)


def _rated(run: "Run", ratings: Path, layout: "RatingsLayout") -> "RatedPairs":
    from audit.review.trust import find_rated
    from judge.ratings.panel import read_panel
    from judge.ratings.remembered import settle_layout

    guideline = run.manifest.policy
    with input_file(ratings) as (path, name):
        settled = settle_layout(layout, path, [run], guideline)
        return find_rated(run, read_panel(path, settled, guideline.values, name))


def _as_json(found: "Adjudicated") -> dict[str, Any]:
    from audit.review.queue import Stance

    verdicts, stances = _counts(found)
    trust = found.reliability
    return {
        "opinions": verdicts["opinion"],
        **{stance: stances[stance] for stance in Stance},
        "changed": verdicts["change"],
        "kept": verdicts["keep"],
        "reliability": trust
        and {"confusion": trust.confusion.tolist(), "rated": trust.rated, "decided": trust.decided},
        "pairs": [outcome.as_json() for outcome in found.outcomes],
    }


def _counts(found: "Adjudicated") -> tuple[Counter[str], Counter[str | None]]:
    """Pairs by verdict, and those with an opinion alone by how it stands to the rest."""
    verdicts = Counter(str(outcome.decision.verdict) for outcome in found.outcomes)
    stances = Counter(outcome.item.stance for outcome in found.outcomes if not outcome.decision.settles)
    return verdicts, Counter({stance and str(stance): count for stance, count in stances.items()})


def _show(found: "Adjudicated") -> None:
    from audit.review.queue import Stance

    verdicts, stances = _counts(found)
    trust = found.reliability
    if trust is None:
        show("no flagged label is open")
        return
    agreed = ", ".join(f"{chance:.0%}" for chance in trust.confusion.diagonal())
    known = [f"{counted(trust.rated, 'rated pair')}"] * bool(trust.rated)
    known += [f"{counted(trust.decided, 'decision')} of people"] * bool(trust.decided)
    basis = "by " + " and ".join(known) if known else "assumed: no ratings (--ratings) or decisions tell"
    show(f"the judge gives people's grade to {agreed} of the pairs of each grade, ascending ({basis})")
    decided = [outcome for outcome in found.outcomes if outcome.decision.settles]
    if decided:
        head = ("query", "candidate", "label", "label and engagement", "judge", "category", "chance")
        show()
        show_table([_row(outcome) for outcome in decided[:SHOWN]], head, right=(5, 6))
        if len(decided) > SHOWN:
            show(f"and {len(decided) - SHOWN:,} more: --json lists all")
        show()
    show(f"{counted(len(decided), 'label')} decided: {verdicts['change']:,} changed, {verdicts['keep']:,} kept")
    listed = ", ".join(f"{stances[stance]:,} {MEANING[stance]}" for stance in Stance if stances[stance])
    show(f"{counted(verdicts['opinion'], 'opinion')} of the judge" + (f": {listed}" if listed else ""))
    if verdicts["opinion"]:
        show("for people to decide on, the likeliest grade first: `judge review` or `judge queue`")


def _row(outcome: "Outcome") -> tuple[str, ...]:
    """A decision and what led to it."""
    item, decision = outcome.item, outcome.decision
    chances = decision.posterior or {}
    best = decision.likeliest
    by_evidence = dict(zip(chances, outcome.evidence, strict=True))
    return (
        item.query[:30],
        (candidate_name(item.candidate) or item.candidate_id)[:40],
        f"{item.grade} kept" if best == item.grade else f"{item.grade} → {best}",
        ", ".join(f"{grade}: {chance:.0%}" for grade, chance in by_evidence.items()),
        "–" if decision.said_grade is None else str(decision.said_grade),
        "–" if outcome.fit is None else f"fits {outcome.fit:.0%}",
        "" if best is None else f"{chances[best]:.1%}",
    )
