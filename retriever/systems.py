"""Systems that rank a catalogue's products for queries: BM25, an encoder, or a TREC run that another program wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from judge.errors import InputError
from judge.fingerprint import file_digest
from judge.models.encoder import Encoder, TransformerEncoder, find_encoder
from judge.run.seen import NOTHING, Seen
from judge.search.catalogue import Catalogue
from judge.search.encoding import encoded
from judge.search.nearest import Progress, nearest, quiet
from judge.search.rankings import FORMAT, name_of, read_ranking
from judge.words.bm25 import Bm25
from retriever.late_search import LateModel, find_late, is_late
from retriever.queries import SearchQuery
from retriever.ranked import EMPTY, Floats, Ints, Ranked, RankedList
from retriever.trained import is_trained, seen_by

BM25 = "bm25"
SUFFIX = ".run"
"""How a TREC run's name ends."""
DEPTH = 1000
"""Results of a query that are evaluated: a list of judged products alone reaches further down."""
TEXTS = ("auto", "title", "all")
"""What an encoder reads of a product: its title, or all of its fields as training sets have them; by itself all fields
where it was trained by `judge train`, else the title."""
SHORTLIST = 200
"""Products of a query that a late-interaction model re-ranks, at least."""


@dataclass(frozen=True)
class Searcher:
    """A catalogue, and how to search it.

    Attributes:
        catalogue: The products.
        text: Of `TEXTS`: what encoders read of a product. BM25 reads all fields.
        approximate: Whether encoders search an HNSW index, which may miss a few of the nearest.
        cache: Where vectors are kept; the user's cache folder unless given.
        shortlist: The system whose first products late-interaction models re-rank; all products unless given.
    """

    catalogue: Catalogue
    text: str = "auto"
    approximate: bool = False
    cache: Path | None = None
    progress: Progress = quiet
    shortlist: str | None = None

    def rank(
        self, system: str, queries: Sequence[SearchQuery], top: int, judged: Sequence[Ints] | None = None
    ) -> Ranked:
        """The best products for every query.

        Args:
            system: `bm25`, a file of a TREC run, a folder of an encoder or of a late-interaction model, an encoder's
                name on the Hub, `minilm-l6` or `fake`.
            queries: What to search for.
            top: Products of a query, at most.
            judged: For each query, places of products whose scores are wanted too.

        Raises:
            InputError: A run cannot be read, has none of the queries, or the disk has no room.
            ModelError: There is no such encoder, or it fails.
        """
        if is_run(system):
            return self._of_run(Path(system), queries, top, judged)
        if system == BM25:
            return self._by_words(queries, top, judged)
        if late := find_late(system, self.cache):
            return self._by_tokens(late, queries, top, judged)
        return self._by_vectors(find_encoder(system), queries, top, judged)

    def seen(self, system: str) -> Seen | None:
        """What a system learned from; null where nothing says so, as of a run."""
        if is_run(system):
            return None
        if system == BM25:
            return NOTHING
        folder = Path(system).expanduser() if is_late(system) else getattr(find_encoder(system), "directory", None)
        return seen_by(folder) if folder else NOTHING

    def names(self, systems: Sequence[str]) -> list[str]:
        """What systems are called in figures and runs; none of them searches before all are found.

        A run's file goes by its stem, by its name where another system has that, and else by its path.

        Raises:
            InputError: A run's file is not there.
            ModelError: There is no such encoder.
        """
        names = [_name(system) for system in systems]
        for longer in (lambda path: path.name, str):
            names = [
                longer(Path(system)) if is_run(system) and names.count(name) > 1 else name
                for system, name in zip(systems, names, strict=True)
            ]
        return names

    def texts(self, encoder: Encoder) -> tuple[str, list[str]]:
        """What an encoder reads of each product, and which of `TEXTS` that is."""
        return self._texts(encoder.directory if isinstance(encoder, TransformerEncoder) else None)

    def _texts(self, folder: Path | None) -> tuple[str, list[str]]:
        text = self.text
        if text == "auto":
            # By its files: of the Hub, or by a name like ~/model, a trained one is no other.
            text = "all" if folder and is_trained(folder) else "title"
        return text, [product.text if text == "all" else product.title for product in self.catalogue.products]

    @cached_property
    def _index(self) -> Bm25:
        return Bm25([product.text for product in self.catalogue.products])

    def _by_words(self, queries: Sequence[SearchQuery], top: int, judged: Sequence[Ints] | None) -> Ranked:
        depth = top if judged is None else len(self.catalogue.products)
        lists, scored = [], []
        for at, (places, scores) in enumerate(self._index.top([query.words for query in queries], depth)):
            lists.append(RankedList(places[:top], scores[:top]))
            if judged is not None:
                # A product that shares no word with the query has the score 0.
                scored.append(_scores_at(judged[at], places, scores, 0.0))
        return Ranked(BM25, lists, judged=scored)

    def _by_vectors(
        self, encoder: Encoder, queries: Sequence[SearchQuery], top: int, judged: Sequence[Ints] | None
    ) -> Ranked:
        words = [query.words for query in queries]
        text, texts = self.texts(encoder)
        if self.approximate:
            from judge.search.approximate import nearest_by_index

            found = nearest_by_index(words, texts, encoder, top, cache=self.cache, progress=self.progress)
        else:
            found = nearest(words, texts, encoder, top, cache=self.cache, progress=self.progress)
        scored = []
        if judged is not None:
            documents = encoded(texts, encoder, "document", cache=self.cache)
            asked = encoded(words, encoder, "query", cache=self.cache)
            scored = [
                np.asarray(documents[places], np.float32) @ np.asarray(asked[at], np.float32)
                for at, places in enumerate(judged)
            ]
        parts = {"encoder": f"{encoder.name} {encoder.digest[:16]}", "text": text}
        if self.approximate:
            parts["index"] = "HNSW"
        return Ranked(_called(encoder), [RankedList(*row) for row in found], parts, judged=scored)

    def _by_tokens(
        self, model: LateModel, queries: Sequence[SearchQuery], top: int, judged: Sequence[Ints] | None
    ) -> Ranked:
        """By late interaction: all products, or those of a shortlist alone, each scored exactly."""
        name, words = model.start.name, [query.words for query in queries]
        if self.approximate:
            raise InputError(f"--approximate: {name} has no index", "leave it out, or give --shortlist SYSTEM")
        text, texts = self._texts(model.start.directory)
        parts = {"encoder": f"{name} {model.start.digest[:16]}", "text": text}
        places = np.arange(len(texts))
        short: list[Ints] | None = None
        if self.shortlist:
            first = self.rank(self.shortlist, queries, max(top, SHORTLIST))
            short = [np.sort(one.places) for one in first.lists]
            places = np.unique(np.concatenate([*short, *(judged or ()), EMPTY.places]))
            parts["shortlist"] = f"{first.name} {max(top, SHORTLIST)}"
        tell = lambda done: self.progress("encode", done, len(places))  # noqa: E731
        lists, scored = [], []
        rows = (row for table in model.scores(words, [texts[at] for at in places], tell) for row in table)
        for at, row in enumerate(rows):
            own = np.searchsorted(places, short[at]) if short is not None else np.arange(len(places))
            best = own[np.argsort(-row[own], kind="stable")[:top]]
            lists.append(RankedList(places[best], row[best]))
            if judged is not None:
                scored.append(row[np.searchsorted(places, judged[at])])
        return Ranked(name, lists, parts, judged=scored)

    def _of_run(self, path: Path, queries: Sequence[SearchQuery], top: int, judged: Sequence[Ints] | None) -> Ranked:
        ranking = read_ranking(path)
        lists, scored, strange, met = [], [], 0, False
        for at, query in enumerate(queries):
            shown = ranking.shown(query.id)
            met = met or bool(shown)
            stand = self.catalogue.find_all([name for name, _ in shown], str(path))
            known = [(place, score) for place, (_, score) in zip(stand, shown, strict=True) if place is not None]
            strange += len(shown) - len(known)
            places, scores = (
                (np.array(column) for column in zip(*known, strict=True)) if known else (EMPTY.places, EMPTY.scores)
            )
            whole = RankedList(places.astype(np.int64), scores.astype(np.float32))
            lists.append(whole.top(top))
            if judged is not None:
                scored.append(_scores_at(judged[at], whole.places, whole.scores, np.nan))
        if not met:
            theirs = next(iter(ranking.by_query))
            raise InputError(
                f"{path}: ranks for none of the queries: {theirs!r} there, {queries[0].id!r} here",
                "rank for the queries by their query_id",
            )
        if not any(len(one.places) for one in lists):
            raise InputError(
                f"{path}: shows no product of {self.catalogue.name}", "name products by their candidate_id"
            )
        others = frozenset(ranking.others(query.id for query in queries))
        return Ranked(ranking.name, lists, {"run": file_digest(path)[:16]}, strange, others, scored)


def is_run(system: str) -> bool:
    """Whether a system is a file of a run, and no model."""
    path = Path(system)
    return system.removesuffix(".gz").endswith(SUFFIX) or (path.is_file() and system != BM25)


def _name(system: str) -> str:
    if system == BM25:
        return BM25
    if not is_run(system):
        if is_late(system):
            return Path(system).expanduser().resolve().name
        return _called(find_encoder(system, f"{BM25}, a TREC run, "))
    if not Path(system).is_file():
        raise InputError(f"{system}: cannot be read (no such file)", f"give a TREC run: {FORMAT}")
    return name_of(Path(system))


def _called(encoder: Encoder) -> str:
    """A folder's own name, of `.` too; else the name by which it was found."""
    folder = Path(encoder.name).expanduser()
    return folder.resolve().name if folder.is_dir() else encoder.name


def _scores_at(wanted: Ints, places: Ints, scores: Floats, otherwise: float) -> Floats:
    """The scores of some places, each of which the list has once or not at all."""
    found = np.full(len(wanted), otherwise, np.float32)
    if len(places):
        order = np.argsort(places)
        at = np.minimum(np.searchsorted(places[order], wanted), len(places) - 1)
        hit = places[order][at] == wanted
        found[hit] = scores[order][at[hit]]
    return found
