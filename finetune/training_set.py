"""Rated pairs to examples: split by query, weighed, rendered and tokenised once, and dealt into batches of like length.

Which pair is in which part, and in which batch of which epoch, follows from the seed and the queries' texts alone.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from finetune.adversarial import add_adversarial_text, query_noise
from finetune.config import LoraConfig
from finetune.synthetic_pairs import MADE, make_pairs
from judge.errors import InputError
from judge.ratings.rated import Rated
from judge.records import Pair
from judge.run.seen import NOTHING, Seen, product_key, query_keys
from judge.words.guideline import Guideline
from judge.words.prompt import PromptBuilder
from judge.words.similar import query_groups

Floats = npt.NDArray[np.float64]

POOL = 16
"""Batches that are cut together from pairs sorted by length: more saves padding, fewer mixes better."""

BLOCK = 1000
"""Pairs that are rendered and tokenised at once."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One pair as the network sees it."""

    query: str
    """The key of the query's text."""
    tokens: tuple[int, ...]
    """What comes behind the run's shared segment."""
    shares: tuple[float, ...]
    """The target: one share for each grade."""
    weight: float = 1.0


@dataclass(frozen=True)
class TrainingSet:
    """Everything to learn from and to be tested on. No query is in two parts; a product can be."""

    shared: tuple[int, ...]
    labels: tuple[int, ...]
    train: Sequence[TrainingExample]
    validation: Sequence[TrainingExample]
    calibration: Sequence[TrainingExample]
    texts: Sequence[Pair] = ()
    """The pairs of `calibration`, in its order."""
    synthetic: Sequence[TrainingExample] = ()
    """Seen once, before the rest."""
    seen_products: int = 0
    """Held-out pairs whose product is in a training pair, too, under another query, or was in one of the start's."""
    kept: int = 0
    """Queries that were dealt for training, and are held out because the start held them out."""
    seen: Seen = NOTHING
    """What the start and this training have seen."""


def split(
    queries: Sequence[str], config: LoraConfig, held: Collection[str] = (), learned: Collection[str] = ()
) -> dict[str, str]:
    """Each query's part: `train`, `validation` or `calibration`; those of `learned` are for training alone, and of the
    others those of `held` are not for it.

    Raises:
        InputError: There are too few queries for parts that share none.
    """
    names = sorted(set(queries))
    drawn = [names[i] for i in np.random.default_rng(config.seed).permutation(len(names))]
    sizes = {
        part: max(1, round(share * len(names))) if share else 0
        for part, share in (("validation", config.validation), ("calibration", config.calibration))
    }
    if sum(sizes.values()) >= len(names):
        raise InputError(
            f"the ratings are of {len(names)} {'query' if len(names) == 1 else 'queries'}: too few to learn from some "
            "and be tested on others",
            "rate pairs of more queries; a judge trained on one query learns nothing about others",
        )
    parts = dict.fromkeys(drawn, "train")
    parts |= dict.fromkeys(drawn[: sizes["validation"]], "validation")
    parts |= dict.fromkeys(drawn[sizes["validation"] : sum(sizes.values())], "calibration")
    spare = "calibration" if sizes["calibration"] else "validation"
    parts |= {name: spare for name in held if parts[name] == "train"}
    parts |= dict.fromkeys(learned, "train")
    for part, other in (("validation", "calibration"), ("calibration", "validation")):
        if sizes[part] and part not in parts.values():
            rest = [name for name in drawn if parts[name] == other]
            if len(rest) < 2:
                raise InputError(
                    "nearly every query of the ratings was learned from by the judge that this goes on from: too few "
                    "are left to be tested on",
                    "rate pairs of more queries, or start from the base: --from none",
                )
            parts |= dict.fromkeys(rest[: len(rest) // 2], part)
    if "train" not in parts.values():
        raise InputError(
            "each query of the ratings was held out of the training that this goes on from",
            "rate pairs of more queries, or start from the base: --from none",
        )
    return parts


GIVEN = 0.01
"""A share below this is no rater's: posteriors of Dawid-Skene are never quite 0."""


def check_grades(shares: Floats, guideline: Guideline, least: int) -> None:
    """Refuse training pairs, shares of shape (N, K), in which a grade is hardly found.

    Raises:
        InputError: One has fewer than `least` pairs.
    """
    for grade, count in zip(guideline.grades, (shares > GIVEN).sum(axis=0).tolist(), strict=True):
        if count < least:
            raise InputError(
                f"grade {grade.value} ({grade.name}) has {count} training pairs, and at least {least} are needed",
                "rate more pairs that deserve it, merge grades with --grades, or lower least_per_grade in --config",
            )


def weights(shares: Floats, queries: Sequence[str], config: LoraConfig) -> Floats:
    """How much each pair counts, shape (N,), mean 1: rarer grades and shorter queries up, as far as asked for."""
    found = shares @ np.power(np.maximum(shares.mean(axis=0), 1e-9), -config.balance_grades)
    _, index, sizes = np.unique(np.asarray(queries), return_inverse=True, return_counts=True)
    found = found * np.power(sizes[index].astype(np.float64), -config.balance_queries)
    return np.asarray(found / found.mean())


def deal(
    rated: Sequence[Rated], shares: Floats, guideline: Guideline, config: LoraConfig, seen: Seen = NOTHING
) -> tuple[list[str], npt.NDArray[np.str_]]:
    """The query and the part of each rated pair, whose targets are `shares` of shape (N, K).

    What an earlier training held out, as `seen` says, stays held out, and what it learned from is not held out. A query
    of which it did both, in two spellings, is one that it learned from.

    Raises:
        InputError: There are too few queries, or too few training pairs of a grade.
    """
    # By words: a query that goes by several ids or spellings would else be learnt and tested on.
    queries = query_groups([item.pair.query for item in rated])
    keys = {item.pair.query: query_keys(item.pair.query) for item in rated}
    held, learned = (
        {query for query, item in zip(queries, rated, strict=True) if not before.isdisjoint(keys[item.pair.query])}
        for before in (set(seen.held_out), set(seen.learned))
    )
    parts = split(queries, config, held, learned)
    part = np.array([parts[query] for query in queries])
    check_grades(shares[part == "train"], guideline, config.least_per_grade)
    return queries, part


def build_lessons(
    rated: Sequence[Rated], shares: Floats, builder: PromptBuilder, config: LoraConfig, seen: Seen = NOTHING
) -> TrainingSet:
    """Split, check, weigh and tokenise rated pairs, whose targets are `shares` of shape (N, K).

    Raises:
        InputError: As `deal`; or there is nothing to make synthetic pairs of.
    """
    queries, part = deal(rated, shares, builder.guideline, config, seen)
    inside = part == "train"
    heavy = np.ones(len(rated))
    heavy[inside] = weights(shares[inside], [q for q, there in zip(queries, inside, strict=True) if there], config)
    learned = [item for item, there in zip(rated, inside, strict=True) if there]
    attacked = add_adversarial_text(learned, builder.guideline, config.adversarial, config.seed)
    shown = iter(query_noise(attacked, config.query_noise, config.seed))
    read = [next(shown) if there else item for item, there in zip(rated, inside, strict=True)]
    examples = [
        TrainingExample(query, tokens, tuple(share), float(weight))
        for query, tokens, share, weight in zip(queries, _tokens(read, builder), shares.tolist(), heavy, strict=True)
    ]
    chosen = {
        name: [example for example, there in zip(examples, part == name, strict=True) if there]
        for name in ("train", "validation", "calibration")
    }
    held = [item.pair.candidate_id for item, there in zip(rated, inside, strict=True) if not there]
    out = {*held}
    unseen = [item for item in learned if item.pair.candidate_id not in out]
    made = make_pairs(unseen, builder.guideline, config.synthetic_pairs, config.seed) if config.synthetic_pairs else []
    values = builder.guideline.values
    synthetic = [
        TrainingExample(MADE, tokens, tuple(float(m.votes[MADE] == value) for value in values))
        for m, tokens in zip(made, _tokens(made, builder), strict=True)
    ]
    parts = (chosen["train"], chosen["validation"], chosen["calibration"])
    texts = [item.pair for item, where in zip(rated, part, strict=True) if where == "calibration"]
    alone = TrainingSet(builder.shared, builder.labels, *parts, texts, synthetic)
    return replace(alone, **_overlap(rated, queries, inside, config, seen))


def _overlap(
    rated: Sequence[Rated], queries: Sequence[str], inside: npt.NDArray[np.bool_], config: LoraConfig, seen: Seen
) -> dict[str, Any]:
    """What held-out pairs share with training pairs, of this training and of those before it."""
    held = [item for item, there in zip(rated, inside, strict=True) if not there]
    learned = [item for item, there in zip(rated, inside, strict=True) if there]
    ids, texts, before = (
        {i.pair.candidate_id for i in learned},
        {product_key(i.pair) for i in learned},
        {*seen.products},
    )
    dealt = split(queries, config)
    unseen, taught = (
        {key for query in {item.pair.query for item in part} for key in query_keys(query)} for part in (held, learned)
    )
    return {
        "seen_products": sum(i.pair.candidate_id in ids or product_key(i.pair) in before for i in held),
        "kept": sum(dealt[q] == "train" for q in {q for q, there in zip(queries, inside, strict=True) if not there}),
        "seen": seen.joined(unseen, taught, texts),
    }


def _tokens(rated: Sequence[Rated], builder: PromptBuilder) -> Iterator[tuple[int, ...]]:
    """What comes behind the run's shared segment of each pair, a block at a time: prompts hold far more than that."""
    for start in range(0, len(rated), BLOCK):
        for prompt in builder.build([item.pair for item in rated[start : start + BLOCK]]):
            yield (*prompt.query, *prompt.candidate)


def batches(examples: Sequence[TrainingExample], size: int, seed: tuple[int, ...]) -> list[list[TrainingExample]]:
    """All examples once, in batches of `size` and of like length, in an order drawn by the seed."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(examples))
    found: list[list[TrainingExample]] = []
    for start in range(0, len(order), size * POOL):
        pool = sorted((examples[i] for i in order[start : start + size * POOL]), key=lambda e: len(e.tokens))
        found += [pool[i : i + size] for i in range(0, len(pool), size)]
    return [found[i] for i in rng.permutation(len(found))]


def pieces(examples: Sequence[TrainingExample], tokens: int) -> Iterator[list[TrainingExample]]:
    """Examples sorted by length, in pieces that have at most `tokens` tokens once padded, or one example."""
    piece: list[TrainingExample] = []
    for example in sorted(examples, key=lambda e: len(e.tokens)):
        if piece and (len(piece) + 1) * len(example.tokens) > tokens:
            yield piece
            piece = []
        piece.append(example)
    if piece:
        yield piece
