"""Texts that are nearly the same, joined into clusters whose name depends on the texts alone.

First the same words: case, accents, punctuation, order and repeats of words do not count. Then nearly the same letters:
letter trigrams of the words, MinHash (Broder 1997, "On the resemblance and containment of documents") with locality
sensitive hashing to find candidates, their true Jaccard similarity to accept them, connected components to join them. A
cluster is named after its member with the smallest hash, so neither the order of the input nor copies of a text matter.

A chain of small steps can join texts that have little in common: a cluster with more than a `GIANT` share of all texts
is taken apart and joined again under stricter similarity, at last by the same words alone.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.records import query_key
from judge.sql import another
from judge.words.forms import NORMALISATION, canonical, one_letter_off, query_names
from judge.words.normalise import BATCH, keyed_by_id

ALIKE = (0.8, 0.9)
"""Jaccard similarity from which texts are nearly the same; the second within giant clusters."""
GIANT = 0.05
GIANT_LEAST = 20
"""A cluster is a giant from this share of all texts on, and this many."""
BANDS, ROWS = 8, 4
"""Two texts of similarity 0.8 share a band with probability 1 − (1 − 0.8⁴)⁸ = 0.985, of 0.3 with 0.06."""
_draw = np.random.default_rng(20261121)
_FACTORS = _draw.integers(1, 2**32, BANDS * ROWS, dtype=np.uint32) | np.uint32(1)
_SHIFTS = _draw.integers(0, 2**32, BANDS * ROWS, dtype=np.uint32)

Ints = npt.NDArray[np.int64]
Edges = tuple[Ints, Ints, npt.NDArray[np.float64]]
"""Two texts' numbers and their similarity, each of shape (E,)."""


def query_groups(queries: Sequence[str]) -> list[str]:
    """For each query text the smallest `query_key` among the texts of the same query: one name for one query.

    Texts are of one query where they have the same words, plural endings aside, or the same letters, blanks aside.
    """
    keys = {text: query_key(text) for text in set(queries)}
    texts = sorted(keys, key=lambda text: (keys[text], text))
    first: dict[str, int] = {}
    pairs = [(first.setdefault(name, at), at) for at, text in enumerate(texts) for name in query_names(text)]
    roots = _smallest(len(texts), *np.array(pairs, dtype=np.int64).reshape(-1, 2).T)
    named = {text: keys[texts[root]] for text, root in zip(texts, roots.tolist(), strict=True)}
    return [named[text] for text in queries]


def trigrams(text: str) -> frozenset[bytes]:
    """The letter trigrams (of UTF-8 bytes) of a canonical text's words, word ends marked."""
    raw = f" {text} ".encode()
    return frozenset(raw[i : i + 3] for i in range(len(raw) - 2) if raw[i + 1] != 32)


def alike(one: str, other: str) -> float:
    """Jaccard similarity of two canonical texts' trigrams, in [0, 1]."""
    a, b = trigrams(one), trigrams(other)
    return len(a & b) / len(a | b) if a or b else 1.0


def bands(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """One hash for each band of each canonical text, shape (texts, `BANDS`): equal where the band's minima are."""
    # Blanks enough behind the last one for it to have a trigram, even where it is empty.
    raw = np.frombuffer((" " + "  ".join(texts) + "   ").encode(), dtype=np.uint8).astype(np.uint32)
    grams = raw[:-2] << 16 | raw[1:-1] << 8 | raw[2:]
    lengths = np.array([len(text.encode()) + 2 for text in texts])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    # A trigram around a space, or over the end of a text, is none: it gets the largest hash.
    nothing = raw[1:-1] == 32
    last = np.uint32(2**32 - 1)
    grams = (grams * np.uint32(2654435761)) ^ (grams >> np.uint32(7))
    out = np.zeros((len(texts), BANDS), dtype=np.uint64)
    for number, (factor, shift) in enumerate(zip(_FACTORS, _SHIFTS, strict=True)):
        hashed = grams * factor + shift
        hashed ^= hashed >> np.uint32(15)
        hashed[nothing] = last
        least = np.minimum.reduceat(hashed, starts).astype(np.uint64)
        band = number // ROWS
        out[:, band] = (out[:, band] * np.uint64(0x9E3779B97F4A7C15)) ^ least ^ (least << np.uint64(29))
    return out


def cluster(db: Any, source: str, name: str, version: int = NORMALISATION, *, queries: bool = False) -> None:
    """Make the table `name` of columns `id, key`: each text's cluster, named by the canonical text of one member.

    Args:
        db: A DuckDB connection.
        source: SQL of columns `id, text`; each id once.
        name: The table to make.
        version: Of the rule that says which texts belong together; a split stays what it was under it.
        queries: Whether the texts are queries, which are also joined as `query_groups` and `one_letter_off` say.
    """
    import pyarrow as pa

    keyed_by_id(db, source, "said", partial(canonical, version=version))
    # Numbered by hash: the smallest number of a cluster is its representative.
    db.execute("""CREATE OR REPLACE TABLE keys AS
        SELECT (row_number() OVER (ORDER BY md5(key), key) - 1)::INTEGER AS number, key
        FROM (SELECT DISTINCT key FROM said)""")
    size = db.execute("SELECT count(*) FROM keys").fetchone()[0]
    edges = [_similar(db), *(_same_query(db, source) if queries and version > 2 else ())]
    roots = joined(size, *map(np.concatenate, zip(*edges, strict=True)))
    _insert(db, None, pa.table({"number": pa.array(np.arange(size)), "root": pa.array(roots)}), "roots")
    db.execute(f"""CREATE OR REPLACE TABLE {name} AS
        SELECT s.id, r.key FROM said s JOIN keys k USING (key) JOIN roots n USING (number) JOIN keys r
        ON r.number = n.root""")
    db.execute("DROP TABLE said; DROP TABLE keys; DROP TABLE roots")


def _similar(db: Any) -> Edges:
    """Pairs of numbers whose texts are alike by the laxest measure, with their similarity."""
    import pyarrow as pa

    db.execute("CREATE OR REPLACE TABLE banded (band UBIGINT, number INTEGER)")
    reader = another(db).sql("SELECT number, key FROM keys ORDER BY number").to_arrow_reader(BATCH)
    for batch in reader:
        hashes = bands(batch.column(1).to_pylist())
        mixed = hashes ^ (np.arange(BANDS, dtype=np.uint64) << np.uint64(59))
        numbers = np.repeat(batch.column(0).to_numpy(), BANDS)
        _insert(db, "banded", pa.table({"band": pa.array(mixed.ravel()), "number": pa.array(numbers)}))
    # Within a bucket each text is compared with its first and with the one before it.
    found = another(db).sql("""
        WITH near AS (SELECT number, min(number) OVER bucket AS first, lag(number) OVER bucket AS before
            FROM banded WINDOW bucket AS (PARTITION BY band ORDER BY number)),
        edges AS (SELECT first AS a, number AS b FROM near WHERE first < number
            UNION SELECT before, number FROM near WHERE before < number)
        SELECT e.a, e.b, x.key, y.key FROM edges e JOIN keys x ON x.number = e.a JOIN keys y ON y.number = e.b""")
    kept: list[tuple[int, int, float]] = []
    for batch in found.to_arrow_reader(BATCH):
        for a, b, one, other in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            similarity = alike(one, other)
            if similarity >= ALIKE[0]:
                kept.append((a, b, similarity))
    db.execute("DROP TABLE banded")
    ends = np.array([pair[:2] for pair in kept], dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1], np.array([pair[2] for pair in kept], dtype=np.float64)


def _same_query(db: Any, source: str) -> Iterator[Edges]:
    """Pairs of numbers whose texts are of one query but for plurals and blanks, and but for one letter."""
    import pyarrow as pa

    for names, similarity in ((query_names, 1.0), (one_letter_off, ALIKE[0])):
        db.execute("CREATE OR REPLACE TABLE named (name UBIGINT, key VARCHAR)")
        for batch in another(db).sql(f"SELECT DISTINCT text FROM ({source})").to_arrow_reader(BATCH):
            texts = [text or "" for text in batch.column(0).to_pylist()]
            found = [(name, canonical(text)) for text in texts for name in names(text)]
            columns = zip(*found, strict=True) if found else ([], [])
            rows = pa.table(dict(zip(("name", "key"), (pa.array(each, pa.string()) for each in columns), strict=True)))
            db.register("_incoming", rows)
            db.execute("INSERT INTO named SELECT DISTINCT hash(name), key FROM _incoming")
            db.unregister("_incoming")
        ends = db.execute("""SELECT DISTINCT min(number) OVER (PARTITION BY name) AS a, number AS b
            FROM named JOIN keys USING (key) QUALIFY a < b""").fetchnumpy()
        db.execute("DROP TABLE named")
        yield (*(ends[end].astype(np.int64) for end in "ab"), np.full(len(ends["a"]), similarity))


def joined(size: int, a: Ints, b: Ints, similarity: npt.NDArray[np.float64]) -> Ints:
    """The root (smallest member) of each of `size` texts, once all alike are joined and giants taken apart."""
    roots = np.arange(size, dtype=np.int64)
    loose = np.ones(size, dtype=bool)
    for least in ALIKE:
        use = (similarity >= least) & loose[a] & loose[b]
        roots[loose] = _smallest(size, a[use], b[use])[loose]
        counts = np.bincount(roots, minlength=size)
        loose = (counts >= max(GIANT_LEAST, GIANT * size))[roots]
        if not loose.any():
            return roots
    roots[loose] = np.arange(size)[loose]
    return roots


def _smallest(size: int, a: Ints, b: Ints) -> Ints:
    """For each of `size` numbers the smallest that edges of `a` to `b` join it to, shape (size,)."""
    from scipy.sparse import coo_array  # type: ignore[import-untyped, unused-ignore]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped, unused-ignore]

    _, part = connected_components(coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(size, size)), directed=False)
    _, first = np.unique(part, return_index=True)
    return np.asarray(first[part], dtype=np.int64)


def _insert(db: Any, table: str | None, rows: Any, new: str = "") -> None:
    db.register("_incoming", rows)
    db.execute(f"INSERT INTO {table} SELECT * FROM _incoming" if table else f"CREATE TABLE {new} AS FROM _incoming")
    db.unregister("_incoming")
