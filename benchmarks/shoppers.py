"""Simulated shoppers over graded pairs, by a click model that the auditor does not have.

They read downwards (DBN): an examined result is clicked if it attracts, or out of trust in its position; a clicked one
satisfies by its grade and ends the search; otherwise they go on, or abandon at any point. What attracts is the grade,
the query's own taste, and popularity, which is not relevance. Traffic is uneven; rankings vary a little from search to
search. Nothing here imports the auditor.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit

SHOWN = 10


@dataclass(frozen=True)
class World:
    """What shoppers are like. Logits unless said otherwise; a tuple has one entry a grade."""

    attract: tuple[float, ...] = (-3.6, -2.2, -0.9)
    satisfy: tuple[float, ...] = (0.15, 0.45, 0.7)  # chances
    cart: tuple[float, ...] = (-3.4, -2.2, -1.0)
    buy: tuple[float, ...] = (-1.0, -0.4, 0.2)
    taste: float = 0.5  # how much queries differ
    popularity: float = 0.6
    whim: float = 0.4  # how much pairs' cart rates differ
    persistence: float = 0.9  # chance
    abandon: float = 0.04  # chance at each position
    trust: float = 0.08  # chance at the first position
    trust_decay: float = 0.7
    shuffle: float = 0.8
    seed: int = 1


@dataclass(frozen=True)
class Truth:
    """Pairs of shape (Q, C), row by query: the true grade, and what shoppers see in it."""

    grade: np.ndarray
    attract: np.ndarray
    """Logit of attractiveness."""
    cart: np.ndarray
    """Logit of P(cart | click)."""
    taste: np.ndarray
    """Shape (Q,)."""
    popularity: np.ndarray


def make_truth(world: World, grade: np.ndarray) -> Truth:
    """Shoppers' tastes laid over grades of shape (Q, C)."""
    rng = np.random.default_rng(world.seed)
    taste = rng.normal(0, world.taste, len(grade))
    popularity = rng.normal(0, world.popularity, grade.shape)
    attract = np.array(world.attract)[grade] + taste[:, None] + popularity
    cart = np.array(world.cart)[grade] + rng.normal(0, world.whim, grade.shape)
    return Truth(grade, attract, cart, taste, popularity)


def search(world: World, truth: Truth, query: int, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """`count` searches of one query: arrays of the results shown (`candidate, position, clicked, cart, purchase`)."""
    grade, attract = truth.grade[query], expit(truth.attract[query])
    depth = min(SHOWN, len(grade))
    # The ranking knows something of the grade and of popularity, and varies.
    score = 0.5 * grade + truth.popularity[query] + rng.normal(0, 0.5, len(grade))
    ranked = np.argsort(-(score + rng.normal(0, world.shuffle, (count, len(grade)))), axis=1)[:, :depth]
    clicked, cart, buy = (np.zeros((count, depth), dtype=bool) for _ in range(3))
    reading = np.ones(count, dtype=bool)
    for place in range(depth):
        item = ranked[:, place]
        drawn = attract[item]
        trust = world.trust * world.trust_decay**place
        hit = reading & (rng.random(count) < drawn + trust * (1 - drawn))
        clicked[:, place] = hit
        cart[:, place] = hit & (rng.random(count) < expit(truth.cart[query, item]))
        buy[:, place] = cart[:, place] & (rng.random(count) < expit(np.array(world.buy)[grade[item]]))
        fed = hit & (rng.random(count) < np.array(world.satisfy)[grade[item]])
        on = world.persistence * (1 - world.abandon)
        reading &= ~fed & (rng.random(count) < on)
    place = np.broadcast_to(np.arange(1, depth + 1), ranked.shape)
    number = np.repeat(np.arange(count), depth)
    flat = {"candidate": ranked, "position": place, "clicked": clicked, "cart": cart, "purchase": buy}
    return {"number": number} | {name: values.ravel() for name, values in flat.items()}


def traffic(truth: Truth, median: int, rng: np.random.Generator) -> np.ndarray:
    """Searches of each query, uneven, so that the median pair is shown about `median` times."""
    queries, candidates = truth.grade.shape
    weight = rng.lognormal(0, 1.0, queries)
    # Half of the pairs are shown more often than the mean would say; 1.5 was found by trying.
    per_query = 1.5 * median * candidates / min(SHOWN, candidates)
    return np.maximum(20, weight / np.median(weight) * per_query).astype(int)


def write_shown(
    world: World, truth: Truth, searches: np.ndarray, names: tuple[list[str], list[list[str]]], out: Path
) -> int:
    """An impression table in Parquet (`search_id, query, candidate_id, position, clicked, add_to_cart, purchase`)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    queries, candidates = names
    rng = np.random.default_rng(world.seed + 1)
    writer, start, rows = None, 0, 0
    for query, count in enumerate(searches):
        found = search(world, truth, query, int(count), rng)
        table = pa.table(
            {
                "search_id": found["number"] + start,
                "query": pa.DictionaryArray.from_arrays(
                    np.zeros(len(found["number"]), dtype=np.int32), [queries[query]]
                ),
                "candidate_id": pa.DictionaryArray.from_arrays(found["candidate"].astype(np.int32), candidates[query]),
                "position": found["position"].astype(np.int32),
                "clicked": found["clicked"].astype(np.int8),
                "add_to_cart": found["cart"].astype(np.int8),
                "purchase": found["purchase"].astype(np.int8),
            }
        )
        start, rows = start + int(count), rows + table.num_rows
        writer = writer or pq.ParquetWriter(out, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()
    return rows
