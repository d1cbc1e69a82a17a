"""What a fine-tuned judge has seen, and those before it: next to its `judge.json`, and in the runs that it labels.

Figures and calibrations on queries that a judge learned from say nothing of others. A run keeps what its judge has
seen, so that whoever rates its pairs is told, wherever the judge lies by then.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path

from judge.documents import Kind, load
from judge.errors import ModelError
from judge.files import dump_json, write_whole
from judge.records import Pair, Record
from judge.run.store import Run
from judge.words.forms import query_names
from judge.words.normalise import same_words
from judge.words.similar import query_groups

SEEN = "seen.json"


class Seen(Record):
    """What `seen.json` holds: no text, but digests that say whether a text is one of these."""

    held_out: tuple[str, ...] = ()
    """`query_keys` of queries that no training of the lineage saw; earlier versions noted `words_key` alone."""
    learned: tuple[str, ...] = ()
    """The same of queries that one of them learned from."""
    products: tuple[str, ...] = ()
    """Of the candidates' texts that one of them saw."""
    unknown: bool = False
    """Whether a judge of the lineage, or one of several that graded together, does not say what it saw."""

    def joined(self, held_out: Iterable[str], learned: Iterable[str], products: Iterable[str]) -> "Seen":
        """With those of one more training."""
        return Seen(
            held_out=tuple(sorted({*self.held_out, *held_out})),
            learned=tuple(sorted({*self.learned, *learned})),
            products=tuple(sorted({*self.products, *products})),
            unknown=self.unknown,
        )

    def learned_from(self, queries: Sequence[str]) -> list[bool]:
        """Of each query whether it, in whatever spelling, was learned from: see `judge.words.similar.query_groups`."""
        known = {*self.learned}
        if not known:
            return [False] * len(queries)
        groups = query_groups(queries)
        texts = dict(zip(queries, groups, strict=True))
        taken = {group for query, group in texts.items() if not known.isdisjoint(query_keys(query))}
        return [group in taken for group in groups]


NOTHING = Seen()


def words_key(query: str) -> str:
    """The digest of a query's words."""
    return _short(same_words(query))


def query_keys(query: str) -> set[str]:
    """The digests of a query's words and of what it shares with other spellings of it: two texts that are one query
    have one of them in common."""
    return {words_key(query), *map(_short, query_names(query))}


def product_key(pair: Pair) -> str:
    """The digest of a candidate's texts."""
    return _short("\x1f".join(f"{name}\x1e{same_words(text)}" for name, text in sorted(pair.candidate.items()) if text))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_seen(directory: Path) -> Seen | None:
    """What the judge of a directory, or of a run, has seen; null where it was not noted.

    Raises:
        ModelError: The file is damaged.
    """
    path = directory / SEEN
    return load(path, Seen, Kind("copy the whole directory again", ModelError)) if path.is_file() else None


def learned_known(run: Run) -> bool:
    """Whether a run says of every query whether its judge learned from it; without `seen.json`, where none did."""
    seen = read_seen(run.path)
    return not (seen.unknown if seen else run.manifest.fine_tuned)


def keep_seen(run: Path, sources: Iterable[Path], *, unknown: bool = False) -> None:
    """Note in a run that was made of others what the judges of any of them have seen; `unknown` says that one of them
    has seen more than it says."""
    found = [seen for seen in map(read_seen, sources) if seen]
    if found:
        whole = reduce(lambda one, more: one.joined(more.held_out, more.learned, more.products), found)
        write_seen(run, whole.model_copy(update={"unknown": unknown or any(seen.unknown for seen in found)}))


def write_seen(directory: Path, seen: Seen) -> None:
    """Note it, whole or not at all."""
    told = seen.model_dump(mode="json", exclude=None if seen.unknown else {"unknown"})
    write_whole(directory / SEEN, dump_json(told).encode())
