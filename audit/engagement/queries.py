"""Queries: who clicks nothing, what says too little to audit, and how the labelled sample differs from traffic."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from audit.engagement.labelled import Labelled
from judge.text import word_pattern
from judge.words.split import stem

KINDS = ("category", "product_name", "one_attribute", "several_attributes", "unknown")
ZERO_CLICK = 0.5
POPULAR = 0.5
"""Popular queries are the fewest that make up this share of the searches."""
THIN_CLICKS = 10
"""Clicks below which a query's engagement says too little to audit its labels."""
_SMALL = frozenset(
    (
        *("a", "an", "and", "by", "for", "from", "in", "of", "on", "the", "to", "with"),
        *("de", "der", "die", "für", "mit", "und", "la", "le", "pour"),
    )
)


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One query of the events; fields are null where the events do not say."""

    query_id: str | None
    """The run's; null for a query that is not in it."""
    query: str
    kind: str
    searches: int
    zero_click: float | None
    """Share of its searches without a click."""
    clicks: int
    popular: bool
    promoted: bool | None
    labelled_pairs: int
    thin: bool
    weight: float | None
    """Its share of traffic over its share of labelled pairs, both among the labelled queries."""


def query_rows(db: Any, labelled: Labelled) -> list[QueryRow]:
    """All queries of the events, most searched first."""
    pairs: dict[str, int] = {}
    for query_id in labelled.query_id:
        pairs[query_id] = pairs.get(query_id, 0) + 1
    kinds = QueryKinds.of(labelled)
    # Several spellings are one query, whether the events or the run have them: its searches count once.
    found = db.execute("""SELECT arg_max(coalesce(k.words, k.text), q.searches) AS query, m.ids,
            min(nullif(trim(k.kind), '')), bool_or(k.promoted), sum(q.searches)::BIGINT AS searches,
            sum(q.clicked)::BIGINT, sum(q.clicks)::BIGINT
        FROM queries q JOIN query_keys k USING (q)
        LEFT JOIN (SELECT q, list(query_id ORDER BY query_id) AS ids FROM matched GROUP BY q) m USING (q)
        GROUP BY m.ids, CASE WHEN m.ids IS NULL THEN q.q END
        ORDER BY searches DESC, query, m.ids""").fetchall()
    total = sum(row[4] for row in found)
    ours = sum(row[4] for row in found if row[1] is not None)
    sample = sum(pairs[query_id] for query_id in {query_id for row in found for query_id in row[1] or ()})
    rows, before = [], 0
    for text, ids, kind, promoted, searches, clicked, clicks in found:
        first = ids[0] if ids else None
        count = sum(pairs[each] for each in ids or ())
        rows.append(
            QueryRow(
                query_id=first,
                query=text,
                kind=kind or kinds.guess(text),
                searches=searches,
                zero_click=None if clicked is None or not searches else 1 - clicked / searches,
                clicks=clicks or 0,
                popular=before < POPULAR * total,
                promoted=promoted,
                labelled_pairs=count,
                thin=(clicks or 0) < THIN_CLICKS,
                weight=(searches / ours) / (count / sample) if count and ours else None,
            )
        )
        before += searches
    return rows


@dataclass(frozen=True, slots=True)
class QueryKinds:
    """Guesses a query's kind from the words of the run's own candidates."""

    brands: Set[str]
    categories: Set[str]
    queries: Set[str]
    """Words of the run's queries."""

    @classmethod
    def of(cls, labelled: Labelled) -> "QueryKinds":
        """From a run's candidates, and the queries that they were judged for."""
        words = {word for text in set(labelled.query) for word in _stems(text)}
        return cls(_words(labelled, "brand"), _words(labelled, "category"), words)

    def guess(self, text: str) -> str:
        """The kind of a query, whether it is in the run or not.

        A brand's word or a word with a digit makes a product name; else the words that are of no category count as
        attributes. It is `unknown` without candidates' texts, and where the run knows none of the words.
        """
        words = _stems(text)
        if not self.categories or not words or not {*words} & (self.brands | self.categories | self.queries):
            return "unknown"
        if any(word in self.brands or any(c.isdigit() for c in word) for word in words):
            return "product_name"
        extra = sum(word not in self.categories for word in words)
        return "category" if extra == 0 else "one_attribute" if extra == 1 else "several_attributes"


def _stems(text: str) -> list[str]:
    return [stem(word) for word in word_pattern().findall(text.lower().replace("_", " ")) if word not in _SMALL]


def _words(labelled: Labelled, field: str) -> set[str]:
    return {word for text in {c.get(field, "") for c in labelled.candidate} for word in _stems(text)}


def zero_click_summary(rows: Sequence[QueryRow]) -> Mapping[str, Any]:
    """Shares of popular and promoted queries that mostly end without a click, by kind; null if unknown."""
    known = [row for row in rows if row.zero_click is not None]
    popular = [row for row in known if row.popular]
    promoted = [row for row in known if row.promoted]
    groups = {kind: [row for row in popular if row.kind == kind] for kind in _kinds(popular)}
    return {
        "threshold": ZERO_CLICK,
        "reason": None if known else "counts do not tell single searches: give events or impressions",
        "popular": _share(popular),
        "promoted": _share(promoted),
        "all": _share(known),
        "by_kind": {kind: _share(group) for kind, group in groups.items()},
    }


def _kinds(rows: Sequence[QueryRow]) -> list[str]:
    """The kinds that occur: those that we guess, then those that the file alone names."""
    there = {row.kind for row in rows}
    return [kind for kind in KINDS if kind in there] + sorted(there - set(KINDS))


def _share(rows: Sequence[QueryRow]) -> dict[str, Any]:
    above = sum((row.zero_click or 0) > ZERO_CLICK for row in rows)
    searches = sum(row.searches for row in rows)
    silent = sum(row.searches * (row.zero_click or 0) for row in rows)
    return {
        "queries": len(rows),
        "above": above,
        "share": above / len(rows) if rows else None,
        "searches": searches,
        "zero_click_rate": silent / searches if searches else None,
    }


def traffic_mix(rows: Sequence[QueryRow]) -> Mapping[str, Any]:
    """How the labelled queries differ from traffic: shares of all searches and of labelled pairs by kind."""
    total = sum(row.searches for row in rows)
    ours = [row for row in rows if row.labelled_pairs]
    pairs = sum(row.labelled_pairs for row in ours)
    return {
        "queries": len(rows),
        "labelled_queries": len(ours),
        "labelled_share_of_searches": sum(row.searches for row in ours) / total if total else None,
        "thin_labelled_queries": sum(row.thin for row in ours),
        "by_kind": {
            kind: {
                "share_of_searches": sum(r.searches for r in rows if r.kind == kind) / max(total, 1),
                "share_of_labelled_pairs": sum(r.labelled_pairs for r in ours if r.kind == kind) / max(pairs, 1),
            }
            for kind in _kinds(rows)
        },
    }
