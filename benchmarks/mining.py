"""How fast mining is: search, encoding, attributes and BM25, at sizes that this machine takes, per processor second.

    python -m benchmarks.mining [--products N] [--queries N] [--dimension D]

Vectors are random unit vectors: an exact search takes as long for any. Prints what was measured, and what that comes to
at a million products and 100,000 queries, marked as extrapolated: exact search and BM25's scoring grow with the product
of both, encoding and attributes with the products.
"""

import argparse
import resource
import time

import numpy as np

from judge.models.encoder import find_encoder
from judge.search.catalogue import Catalogue, Product
from judge.search.exact import blocks
from judge.words.bm25 import Bm25
from mine.attributes import learn

LARGE = 1_000_000, 100_000
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


def unit(count: int, dimension: int, seed: int) -> np.ndarray:
    """Random vectors of length 1 in fp16."""
    found = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def timed(what: str, work: object, factor: float, unit_of: str) -> None:
    """Run some work, and tell its processor seconds here and at the large size."""
    begun = time.process_time()
    count = work()  # type: ignore[operator]
    seconds = time.process_time() - begun
    print(f"| {what} | {count:,} {unit_of} | {seconds:.1f} s | {seconds * factor / 60:.1f} min |", flush=True)


def main() -> None:
    """Measure everything, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2_048)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--encode", type=int, default=1_000)
    given = parser.parse_args()
    documents, asked = unit(given.products, given.dimension, 1), unit(given.queries, given.dimension, 2)
    catalogue = products(given.products)
    titles = [product.title for product in catalogue.products]
    more = LARGE[0] / given.products
    both = more * LARGE[1] / given.queries
    print("| | measured on | processor time | 1M products × 100k queries (extrapolated) |\n|---|---|---|---|")
    timed("exact search, top 50", lambda: sum(len(p) for p, _ in blocks(asked, documents, 50)), both, "queries")
    timed("attributes", lambda: len(learn(catalogue).products), more, "products")
    index: list[Bm25] = []
    timed("BM25 index", lambda: index.append(Bm25(titles)) or len(titles), more, "products")
    queries = [" ".join(title.split()[1:3]) for title in titles[: given.queries]]
    timed("BM25 search, top 50", lambda: sum(1 for _ in index[0].top(queries, 50)), both, "queries")
    encoder = find_encoder()
    encoder.encode(titles[:64])
    factor = LARGE[0] / given.encode
    timed(f"encoding titles ({encoder.name})", lambda: len(encoder.encode(titles[: given.encode])), factor, "titles")
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    main()
