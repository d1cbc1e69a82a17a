"""The model card: where a model comes from, what it learned from, and what is not known of it.

Numbers and names alone: no word of a query or a product stands in it, and names are escaped.
"""

import re
from collections.abc import Iterator
from typing import Any

from judge.export.hub.card import escape
from judge.records import counted
from judge.words.pages import interval, number
from retriever.trained import Data, HeldOut, Trained

LOSSES = {
    "supcon": "graded supervised contrastive loss (after Khosla et al. 2020)",
    "circle": "multi-class circle loss (after Sun et al. 2020)",
    "mnrl": "multiple negatives ranking loss (Henderson et al. 2017), labelled documents left out of the negatives",
    "cosent": "CoSENT loss (Huang et al. 2024)",
}
TAGS = ("sentence-transformers", "relevance-judge", "search", "product-search")


def write_card(trained: Trained) -> str:
    """The text of `README.md`, with the metadata that the Hub reads."""
    import yaml

    head = yaml.safe_dump(_metadata(trained), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + "\n".join(_body(trained)) + "\n"


def _metadata(trained: Trained) -> dict[str, Any]:
    base = {"base_model": trained.base} if trained.base else {}
    return {
        "library_name": "sentence-transformers",
        "pipeline_tag": "text-ranking" if trained.late else "sentence-similarity",
        "tags": [*TAGS, *(["late-interaction"] if trained.late else [])],
        **base,
    }


def _body(trained: Trained) -> Iterator[str]:
    kind = "MultiVectorEncoder" if trained.late else "SentenceTransformer"
    yield "# A retriever trained on relevance judgments"
    yield ""
    yield "Queries and products as vectors" + (", one for each token, compared by MaxSim." if trained.late else ".")
    yield ""
    yield f"```python\nfrom sentence_transformers import {kind}\n"
    yield f'model = {kind}("this folder, or its name on the Hub")\n```'
    yield ""
    yield "## Lineage"
    yield ""
    for place, step in enumerate((*trained.lineage, trained.ancestor), 1):
        # Those before were read from a folder that can be anybody's.
        loss = f"{LOSSES.get(step.loss) or escape(step.loss)}{', late interaction' if step.late else ''}"
        start = f"{escape(step.start)} (`{_short(step.start_digest)}`)"
        yield f"{place}. From {start}: {loss}, on the set `{_short(step.data)}`."
    yield ""
    yield from _learned(trained.data)
    yield from _training(trained)
    if trained.held_out:
        yield from _held_out(trained.held_out)
    yield "## Limits"
    yield ""
    yield from (f"- {limit}" for limit in _limits(trained))


def _learned(data: Data) -> Iterator[str]:
    yield "## What it learned from"
    yield ""
    yield f"{data.queries:,} queries with {sum(data.grades.values()):,} judged documents."
    yield ""
    yield "| grade | documents |\n|---|---|"
    for grade, count in sorted(data.grades.items(), reverse=True):
        yield f"| {grade} | {count:,} |"
    yield ""
    for why, count in data.unused.items():
        yield f"- {count:,} queries taught nothing: {why}."
    if data.hard:
        told = " and ".join(counted(count, name.replace("_", " ")) for name, count in data.hard.items())
        yield f"- Of the documents, mining found {told}."
    if data.contradicted:
        yield f"- {data.contradicted:,} pairs have two grades that contradict each other, and were ignored."
    yield ""


def _training(trained: Trained) -> Iterator[str]:
    yield "## Training"
    yield ""
    config = trained.config
    layers = f"top layers that learned: {config['layers']}" if config["layers"] else "the whole model learned"
    size = f"up to {config['queries']} queries with up to {config['documents']} documents each"
    yield f"{trained.steps:,} steps of {size}; {layers} ({trained.weights:,} weights); seed {config['seed']}."
    yield ""
    losses = ", ".join(f"{loss:.4f}" for loss in trained.losses)
    yield f"Mean training loss by epoch: {losses}. It says how well the training set was learned, no more."
    if config["misspell"]:
        yield f"\n{config['misspell']:.0%} of the queries had one typing error."
    if trained.targets is not None:
        places = ", ".join(f"{grade} at {place:.3f}" for grade, place in trained.targets.items())
        yield f"\nThe loss moves scores towards a place for each grade: {places}."
    yield ""


def _short(digest: str) -> str:
    return re.sub("[^0-9a-f]", "", digest)[:12]


def _held_out(found: HeldOut) -> Iterator[str]:
    yield "## On queries that it did not learn from"
    yield ""
    yield f"{found.queries:,} queries of the split {escape(found.split)}, {found.pairs:,} judged documents."
    yield "NDCG@10 over the judged documents alone, with intervals of 95% from queries drawn again:"
    yield ""
    yield "| | NDCG@10 |\n|---|---|"
    for name, figure in (("its start", found.start), ("this model", found.trained), ("difference", found.difference)):
        yield f"| {name} | {number(figure.value)} ({interval(figure)}) |"
    yield ""
    if found.learned:
        yield f"{found.learned:,} more queries of the split are left out: it, or a model before it, learned from them."
    elif found.learned is None:
        yield "It is not known which queries the models before it learned from: these may be among them."
    yield f"Against its start: {found.verdict}. Its products can be in the training set under other queries."
    yield ""


def _limits(trained: Trained) -> Iterator[str]:
    if trained.held_out is None:
        yield "Nothing is measured here on queries that it did not learn from: compare it with its start and with BM25."
    else:
        yield "What nobody judged is not in the figures above, nor is BM25: `judge evaluate` has both."
    yield "Whoever judged the pairs decided what is relevant; their errors are learned too."
    yield "It knows the catalogue and the languages of its training set and its start, and no others."
    if trained.config["unjudged"] == "negative" and trained.loss in ("supcon", "mnrl"):
        yield "Documents of other queries that nobody judged were taken for negatives; some of them are relevant."
    yield "The licences of the model it started from and of the training data apply."
