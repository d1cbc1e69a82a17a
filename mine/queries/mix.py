"""What a set of queries is made of, compared with a real log's, and how made ones are chosen to come near it.

Made queries stray from what shoppers type: IKEA's asked for 12.5 categories on average where real ones asked for 1.7.
So what is made is counted next to the log, chosen to have its lengths, and capped as a share of both.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from statistics import mean

from judge.errors import InputError
from judge.records import Record
from mine.attributes import Attributes
from mine.queries.made import TIERS, MadeQuery

LENGTHS = ("1", "2", "3", "4", "5+")


class Mix(Record):
    """What queries are made of."""

    queries: int
    words: float
    """The mean number of words."""
    lengths: Mapping[str, float]
    """Shares by number of words, as blanks part them."""
    kinds: Mapping[str, float]
    """Shares by what is understood: `category`, `attributes`, `both`, `neither`."""
    categories: float | None
    """The mean number of leaf categories that a query may mean, of those that mean one; null where none does."""


def mix_of(queries: Sequence[str], attributes: Attributes) -> Mix:
    """The mix of some queries.

    Raises:
        InputError: There is none.
    """
    if not queries:
        raise InputError("there is no query to tell a mix of", "give a log with queries")
    meant = [attributes.understand(query) for query in queries]
    kinds = Counter(_kind(bool(each.leaves), bool(each.wanted or each.unwanted)) for each in meant)
    leaves = [len(each.leaves) for each in meant if each.leaves]
    return Mix(
        queries=len(queries),
        words=round(mean(len(query.split()) for query in queries), 3),
        lengths=_shares(Counter(length_of(query) for query in queries), LENGTHS),
        kinds=_shares(kinds, ("category", "attributes", "both", "neither")),
        categories=round(mean(leaves), 3) if leaves else None,
    )


def length_of(query: str) -> str:
    """Its class of lengths."""
    return LENGTHS[min(max(len(query.split()), 1), 5) - 1]


def _kind(category: bool, attributes: bool) -> str:
    return "both" if category and attributes else "category" if category else "attributes" if attributes else "neither"


def _shares(counts: Counter[str], names: Sequence[str]) -> dict[str, float]:
    return {name: round(counts[name] / max(counts.total(), 1), 4) for name in names}


def steered(
    made: Sequence[MadeQuery], per_category: int, tiers: Mapping[str, float], lengths: Mapping[str, float] | None
) -> list[MadeQuery]:
    """At most so many queries of each category; over all of them tiers in these shares, a tier's lengths as a log's.

    A tier that has too few leaves its places empty: a share is never met with another tier's queries.
    """
    by_category: dict[str, dict[str, list[MadeQuery]]] = defaultdict(lambda: defaultdict(list))
    for each in made:
        by_category[each.category][each.tier].append(each)
    places: Counter[str] = Counter()
    taken: dict[str, Counter[str]] = defaultdict(Counter)
    found: list[MadeQuery] = []
    for category in sorted(by_category):
        rooms: Counter[str] = Counter()
        for _ in range(per_category):
            # The tier that lacks the most, with the categories before: a few places each are shared as well.
            tier = max(TIERS, key=lambda each: tiers.get(each, 0) * (places.total() + 1) - places[each])
            rooms[tier] += 1
            places[tier] += 1
        for tier in TIERS:
            some = by_category[category][tier]
            some.sort(key=lambda each: blake2b(each.query.encode("utf-8", "replace"), digest_size=8).digest())
            room = rooms[tier]
            wanted = {name: share * places[tier] for name, share in lengths.items()} if lengths else {}
            found += _by_length(some, room, wanted, taken[tier]) if lengths else some[:room]
    return found


def _by_length(
    some: Sequence[MadeQuery], room: int, wanted: Mapping[str, float], taken: Counter[str]
) -> list[MadeQuery]:
    """The queries that bring the lengths, of which some are taken, nearest to what is wanted, one after the other."""
    left: dict[str, list[MadeQuery]] = defaultdict(list)
    for each in some:
        left[length_of(each.query)].append(each)
    found: list[MadeQuery] = []
    while len(found) < room:
        # The length that lacks the most of its share, of those that the log has and that are left.
        lack = {name: wanted[name] - taken[name] for name in left if left[name] and wanted.get(name)}
        if not lack:
            break
        name = max(sorted(lack), key=lambda each: lack[each])
        found.append(left[name].pop(0))
        taken[name] += 1
    return found


def capped(made: Sequence[MadeQuery], real: int, share: float) -> list[MadeQuery]:
    """So many made queries that they are at most this share of both; categories keep their shares. Without a log, all.

    Of 100 real ones and a share of .2, 25 may be made: 25 / 125.
    """
    # A share such as .12 is a hair less in binary: what comes out just below a whole number is that number.
    room = int(share * real / (1 - share) + 1e-6) if share < 1 and real else len(made)
    if len(made) <= room:
        return list(made)
    turn: Counter[str] = Counter()
    order = []
    # In a random order that stays: which categories, where not all have a place, and of one, which tiers and kinds.
    drawn = sorted(range(len(made)), key=lambda at: blake2b(made[at].query.encode("utf-8", "replace")).digest())
    for place, at in enumerate(drawn):
        order.append((turn[made[at].category], place, at))
        turn[made[at].category] += 1
    return [made[at] for at in sorted(at for *_, at in sorted(order)[:room])]
