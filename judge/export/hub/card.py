"""The card: what a run's facts say to people, as Markdown, with the metadata that the Hub reads.

Every text in it is escaped. Words of sellers, shoppers and raters are shown as they are, and are never markup, never a
link, and never a mark of ours.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from judge.export.hub.facts import Facts
from judge.export.hub.merging import Card
from judge.export.hub.staged import StagedView
from judge.export.published import PUBLISHED
from judge.export.published import views as known_views
from judge.records import counted
from judge.statistics.agreement import headline
from judge.words.folders import shipped_text
from judge.words.pages import interval, number

TAGS = ("relevance-judge", "search", "product-search", "relevance-judgments", "qrels")
TASKS = ("text-ranking", "text-classification")
SIZES = {
    1_000: "n<1K",
    10_000: "1K<n<10K",
    100_000: "10K<n<100K",
    1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M",
    100_000_000: "10M<n<100M",
    1_000_000_000: "100M<n<1B",
}
WORDS = (
    "the words of shoppers and sellers as they came: they can be wrong, rude, personal, or instructions to a model "
    "that reads them"
)
ONE_GRADE = 0.9
"""From this share of one grade on, a card says that little can be learned."""

_MARKUP = re.compile(r"[&<>\[\]*_`~|\\$@]|:(?=//|\w)|(?<=www)\.|\A[#+=-]|(?:(?<=\A\d)|(?<=\A\d\d))[.)](?=\s|\Z)", re.I)
"""What is markup within a line, makes a link of an address, or begins a heading or a list at the start of one."""


class Code(str):
    """Text that is put in as it is: our own, or of letters that are no markup."""

    __slots__ = ()


def escape(value: Any) -> str:
    """A text as Markdown shows it unchanged: one line, no markup, no HTML, no link, no character out of sight."""
    if isinstance(value, Code):
        return value
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", text)


def write_card(facts: Facts, views: Sequence[StagedView], repo: str, tag: str) -> Card:
    """Our metadata and our part of the card.

    Args:
        facts: What is known of the run.
        views: What is published.
        repo: The dataset's name, `owner/name`.
        tag: The tag that will name this version.
    """
    template = _compiled(shipped_text("guidelines", "dataset_card.md.j2"))
    figures = facts.agreement.figures if facts.agreement else ()
    body = template.render(
        loading=lambda view: _loading(view, repo, tag),
        facts=facts,
        views=views,
        splits=list(views[0].splits),
        absent=[name for name in PUBLISHED if name not in facts.written.views],
        tag=tag,
        judged=sum(facts.mix.values()),
        judge=facts.manifest.judge,
        headline=next((f for f in figures if f.name == headline().label and f.value is not None), None),
        levels=_levels(facts),
        parts=_parts(facts),
        calibration=_calibration(facts),
        limits=[limit for holds, limit in _limits(facts) if holds],
    )
    return Card(_data(facts, views), re.sub(r"\n{3,}", "\n\n", body).strip())


def _about(name: str) -> Code:
    view = known_views().get(name)
    return Code(view.help if view else "–")


def title(facts: Facts) -> str:
    """The first heading of a new card."""
    return f"Relevance judgments: {escape(facts.manifest.guideline['title'])}"


@lru_cache(maxsize=1)
def _compiled(text: str) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=escape
    )
    environment.globals.update(
        code=Code,
        slug=lambda text: re.sub(r"[^\w.-]", "", text, flags=re.ASCII),
        count=lambda n: f"{int(n):,}",
        number=number,
        percent=lambda share: "–" if share is None else f"{share:.1%}",
        interval=interval,
        short=lambda text, width: text if len(text) <= width else text[: width - 1] + "…",
        about=_about,
    )
    return environment.from_string(text)


def _loading(view: StagedView, repo: str, tag: str) -> str:
    name = re.sub(r"\W", "_", view.name)
    return f'{name} = load_dataset("{repo}", "{view.name}", revision="{tag}")'


def _levels(facts: Facts) -> list[dict[str, Any]]:
    """The grades, best first, with what is drawn of each."""
    total = sum(facts.mix.values())
    levels = []
    for place, grade in enumerate(facts.manifest.guideline["grades"]):
        pairs = facts.mix[grade["value"]]
        share = pairs / total if total else 0.0
        bar = "█" * round(share * 20) or ("▏" if pairs else "")
        levels.append({**grade, "place": place, "pairs": pairs, "share": share, "bar": bar})
    return levels[::-1]


def _parts(facts: Facts) -> dict[str, str]:
    """The fingerprint's parts and the inputs' digests; no file's name or place."""
    parts = {**facts.manifest.parts, "judge": facts.manifest.judge}
    inputs = {f"input {name}": value for name, value in facts.manifest.inputs.items() if name in ("pairs", "catalogue")}
    return {name.replace("_", " "): str(value) for name, value in {**parts, **inputs}.items() if value is not None}


def _calibration(facts: Facts) -> dict[str, Any] | None:
    """The figures that `judge calibrate` found for this run, and which of them are those of the published labels: what
    it fits makes another run, and is applied here only where the labels had gone through the same."""
    found, manifest = facts.calibration, facts.manifest
    if found is None:
        return None
    columns = {"uncalibrated": found.before} | ({"these labels": found.present} if found.present else {})
    if found.stays or found.numbers == manifest.calibration:
        here = "are the calibrated ones"
    elif found.present:
        here = "are those of these labels; the calibrated ones are not in this dataset"
    elif manifest.calibrated:
        here = "went through another calibration, with figures of its own; the calibrated ones are not in this dataset"
    else:
        here = "are the uncalibrated ones"
    return {"columns": {**columns, "calibrated": found.after}, "here": here}


def _limits(facts: Facts) -> list[tuple[bool, str]]:
    """What a reader must know, where it holds."""
    total = sum(facts.mix.values())
    most = max(facts.mix.values(), default=0) / total if total else 0.0
    ungraded = facts.summary.rows - facts.summary.status["graded"]
    undecided = facts.written.views["judgments"].undecided
    corpus = facts.written.views.get("corpus")
    reworded = corpus.reworded if corpus else 0
    sample, first = (facts.manifest.inputs.get(name) for name in ("sample", "limit"))
    return [
        (not facts.people, "The grades are a model's; people would grade some of these pairs differently: see above."),
        (facts.agreement is None and not facts.people, "They were not compared with people's grades for this card."),
        (most >= ONE_GRADE, f"{most:.0%} of the pairs have the same grade, so there is little to learn from the rest."),
        (sample is not None, f"Of the input's queries at most {sample} were labelled, drawn at random."),
        (first is not None, f"Of the input's rows at most the first {first} were labelled."),
        (ungraded > 0, f"{ungraded:,} input rows have no grade from the judge; those without a decision are left out."),
        (
            undecided > 0,
            f"{counted(undecided, 'flagged label')} without a decision yet: included with the judge's grade.",
        ),
        (
            reworded > 0,
            f"Of {counted(reworded, 'product')} with several texts, as of several locales, the corpus has the first.",
        ),
        (
            facts.manifest.values[0] > 0,
            "Every grade is above 0, which programs that read `qrels` take as relevant: say there from which grade on.",
        ),
        (True, "A pair that is missing is unjudged, not irrelevant; evaluation measures must treat it so."),
        (True, f"Queries and products are {WORDS}."),
        (True, "The grades follow the guideline above; under another guideline they would differ."),
    ]


def _data(facts: Facts, views: Sequence[StagedView]) -> dict[str, Any]:
    configs, infos = zip(*(view.metadata() for view in views), strict=True)
    rows = sum(facts.mix.values())
    data: dict[str, Any] = {
        "pretty_name": f"Relevance judgments: {facts.manifest.guideline['title']}",
        "language": list(facts.languages),
        "license": "unknown",
        "task_categories": list(TASKS),
        "tags": [*TAGS, *([] if facts.people else ["llm-as-a-judge"])],
        "annotations_creators": ["expert-generated" if facts.people else "machine-generated"],
        "size_categories": [next((name for limit, name in SIZES.items() if rows < limit), "n>1B")],
        "configs": [{**config, **({"default": True} if not i else {})} for i, config in enumerate(configs)],
        "dataset_info": list(infos),
    }
    return {key: value for key, value in data.items() if value}
