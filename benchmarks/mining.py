"""How fast mining is: search, encoding, attributes and BM25, in processor time, and how much memory it takes.

    python -m benchmarks.mining                                    every part, small: minutes
    python -m benchmarks.mining --parts exact --products 1000000 --queries 100000       the whole size, half an hour

Searches give the 50 best. Vectors are random unit vectors in a memory map of fp16: an exact search takes as long for
any. Prints what was measured, and what that comes to at a million products and 100,000 queries (extrapolated where less
was run): exact search and BM25's scoring grow with the product of both, encoding and attributes with the products. What
an HNSW index finds again is measured on clustered vectors, as those of texts are.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from judge.models.encoder import find_encoder
from judge.search.approximate import BLOCK as ADDED
from judge.search.approximate import new_index
from judge.search.catalogue import Catalogue, Product
from judge.search.exact import blocks
from judge.words.bm25 import Bm25
from mine.attributes import learn

LARGE = 1_000_000, 100_000
TOP = 50
ROWS = 65_536
"""Vectors that are drawn at a time."""
PARTS = ("exact", "index", "attributes", "bm25", "encode")
KINDS = ("kettle", "scarf", "boot", "lamp", "chair", "jacket", "mug", "pan", "speaker", "backpack")
COLOURS = ("red", "blue", "green", "black", "white", "teal", "grey", "pink")
MATERIALS = ("wool", "steel", "cotton", "leather", "wood", "glass")


def products(count: int) -> Catalogue:
    """So many made-up products of 200 leaf categories."""
    draw = np.random.default_rng(0)
    names = [f"{chr(97 + n % 26)}or{chr(97 + n // 26 % 26)}a" for n in range(500)]
    made = []
    for at in range(count):
        kind, group, size = KINDS[draw.integers(len(KINDS))], draw.integers(20), draw.integers(1, 60)
        colour, material = COLOURS[draw.integers(len(COLOURS))], MATERIALS[draw.integers(len(MATERIALS))]
        name = names[draw.integers(len(names))].title()
        title = f"{name} {material} {kind} {size} cm {colour}"
        made.append(Product(f"P{at}", {"title": title, "category": f"Shop > {kind}s > {kind}s {group}"}, {}))
    return Catalogue("made up", made, count)


def unit(path: Path, count: int, dimension: int, seed: int, centres: int = 0) -> Any:
    """Random vectors of length 1 as a memory map of fp16; about so many centres, unless that is 0."""
    draw = np.random.default_rng(seed)
    middles = np.random.default_rng(0).standard_normal((centres, dimension)).astype(np.float32)
    found = np.memmap(path, np.float16, "w+", shape=(count, dimension))
    for start in range(0, count, ROWS):
        rows = draw.standard_normal((min(ROWS, count - start), dimension), np.float32)
        if centres:
            rows = middles[draw.integers(centres, size=len(rows))] + rows / 2
        found[start : start + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    found.flush()
    return np.memmap(path, np.float16, "r", shape=(count, dimension))


def timed(what: str, work: Callable[[], int], factor: float, unit_of: str) -> None:
    """Run some work, and tell its processor seconds here and at the large size."""
    begun, wall = time.process_time(), time.perf_counter()
    count = work()
    seconds, wall = time.process_time() - begun, time.perf_counter() - wall
    large = f"{seconds * factor / 60:.1f} min" + ("" if factor == 1 else " (extrapolated)")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"| {what} | {count:,} {unit_of} | {seconds:.1f} s | {wall:.1f} s | {large} | {memory:.1f} GB |", flush=True)


def indexed(documents: Any, asked: Any, more: float) -> None:
    """An HNSW index: built, searched, and what it finds of what an exact search does."""
    index, places = new_index(documents.shape[1]), np.arange(len(documents))

    def build() -> int:
        for start in range(0, len(documents), ADDED):
            index.add(places[start : start + ADDED], np.asarray(documents[start : start + ADDED]))
        return len(documents)

    found: list[Any] = []
    timed("HNSW index", build, more, "products")
    of_queries = LARGE[1] / len(asked)
    timed(
        "HNSW search", lambda: len([found.append(index.search(row, TOP).keys) for row in asked]), of_queries, "queries"
    )
    exact = np.concatenate([block for block, _ in blocks(asked, documents, TOP)])
    again = np.mean([len(set(a) & set(b)) / TOP for a, b in zip(found, exact.tolist(), strict=True)])
    print(f"\nHNSW finds {again:.4f} of the {TOP} nearest of {len(documents):,} ({len(asked):,} queries)\n", flush=True)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2_048)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--encode", type=int, default=1_000, help="titles to encode")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    more = LARGE[0] / given.products
    both = more * LARGE[1] / given.queries
    print("| | measured on | processor time | wall | 1M products × 100k queries | peak memory so far |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if "exact" in given.parts:
            documents = unit(Path(folder) / "documents", given.products, given.dimension, 1)
            asked = unit(Path(folder) / "queries", given.queries, given.dimension, 2)
            timed("exact search", lambda: sum(len(p) for p, _ in blocks(asked, documents, TOP)), both, "queries")
        if "index" in given.parts:
            centres = max(1, given.products // 100)
            documents = unit(Path(folder) / "clustered", given.products, given.dimension, 1, centres)
            indexed(documents, unit(Path(folder) / "near", given.queries, given.dimension, 2, centres), more)
    if {"attributes", "bm25", "encode"} & set(given.parts):
        texts(given, more, both)


def texts(given: argparse.Namespace, more: float, both: float) -> None:
    """What reads words."""
    catalogue = products(given.products)
    titles = [product.title for product in catalogue.products]
    if "attributes" in given.parts:
        timed("attributes", lambda: len(learn(catalogue).products), more, "products")
    if "bm25" in given.parts:
        index: list[Bm25] = []
        timed("BM25 index", lambda: index.append(Bm25(titles)) or len(titles), more, "products")
        queries = [" ".join(title.split()[1:3]) for title in titles[: given.queries]]
        timed("BM25 search", lambda: sum(1 for _ in index[0].top(queries, TOP)), both, "queries")
    if "encode" in given.parts:
        encoder = find_encoder()
        encoder.encode(titles[:64])
        factor = LARGE[0] / given.encode
        timed(
            f"encoding titles ({encoder.name})", lambda: len(encoder.encode(titles[: given.encode])), factor, "titles"
        )


if __name__ == "__main__":
    main()
