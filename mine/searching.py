"""What each source proposes for each query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import InputError
from judge.models.encoder import Encoder
from judge.search.catalogue import Catalogue
from judge.search.nearest import Progress, nearest, quiet
from judge.search.rankings import Ranking
from judge.tables.ids import whole_id
from judge.words.bm25 import Bm25
from mine.asked import Asked
from mine.attributes import Understood
from mine.candidates import Candidate, Found
from mine.rankings import Placed, placed, ranks_text
from mine.relations import Related


def by_vectors(
    queries: Sequence[Asked],
    catalogue: Catalogue,
    encoder: Encoder,
    k: int,
    *,
    cache: Path | None = None,
    progress: Progress = quiet,
) -> list[list[Found]]:
    """The nearest products by the cosine of query and title. Vectors and finished blocks of the search are kept under
    their digests, so that a killed search resumes.

    Raises:
        ModelError: The encoder fails.
    """
    titles, asked = [p.title for p in catalogue.products], [a.query for a in queries]
    return [_listed(*row) for row in nearest(asked, titles, encoder, k, cache=cache, progress=progress)]


def by_words(queries: Sequence[Asked], catalogue: Catalogue, k: int) -> list[list[Found]]:
    """The best products by BM25 over all of their texts."""
    index = Bm25([product.text for product in catalogue.products])
    return [_listed(places, scores) for places, scores in index.top([asked.query for asked in queries], k)]


def by_attributes(
    queries: Sequence[Asked], understood: Sequence[Understood], related: Related, k: int
) -> list[list[Found]]:
    """Products whose relation to what a query asks for is known."""
    return [
        [Found(at, rank, None) for rank, at in enumerate(related.proposals(asked.query_id, meant, k), 1)]
        for asked, meant in zip(queries, understood, strict=True)
    ]


@dataclass(frozen=True)
class Shown:
    """What systems show at the top, by query."""

    found: Sequence[Sequence[Found]]
    places: Sequence[Mapping[int, Placed]]
    """A product's place in the catalogue to where each system has it."""
    strange: int
    """What they show that is no product of the catalogue."""
    other_queries: int = 0
    """Queries that they rank for, and that were not asked."""

    def cell(self, names: Sequence[str], candidate: Candidate) -> str | None:
        """A candidate's ranks by system; null where no system shows it."""
        pair = self.places[candidate.query].get(candidate.place) if self.places else None
        return ranks_text(names, pair.ranks) if pair else None


def by_rankings(queries: Sequence[Asked], rankings: Sequence[Ranking], catalogue: Catalogue, k: int) -> Shown:
    """What systems show at the top, the disputed first.

    Raises:
        InputError: The rankings have none of the queries.
    """
    lists: list[list[Found]] = []
    places: list[Mapping[int, Placed]] = []
    strange = 0
    for asked in queries:
        shown = placed([_named(ranking, asked.query_id, catalogue) for ranking in rankings], k)
        known = {catalogue.place[p.candidate_id]: p for p in shown if p.candidate_id in catalogue.place}
        strange += len(shown) - len(known)
        lists.append([Found(at, rank, None) for rank, at in enumerate(known, 1)])
        places.append(known)
    if not any(lists):
        ours, theirs = queries[0].query_id, next(iter(rankings[0].by_query))
        raise InputError(
            f"the rankings have no query and product of these: {theirs!r} there, {ours!r} here",
            "rank for the queries by their query_id, and the catalogue's products by their candidate_id",
        )
    others = set().union(*(ranking.others(asked.query_id for asked in queries) for ranking in rankings))
    return Shown(lists, places, strange, len(others))


def _named(ranking: Ranking, query_id: str, catalogue: Catalogue) -> list[str]:
    """What a system shows, by the catalogue's ids where it has the product."""
    names = [name for name, _ in ranking.shown(query_id)]
    places = catalogue.find_all(names, ranking.name)
    return [whole_id(name) if at is None else catalogue.products[at].id for name, at in zip(names, places, strict=True)]


def _listed(places: Any, scores: Any) -> list[Found]:
    return [Found(int(at), rank, float(score)) for rank, (at, score) in enumerate(zip(places, scores, strict=True), 1)]
