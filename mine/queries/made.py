"""A made query, and what it was made from."""

from typing import Literal, get_args

from judge.records import Record

Tier = Literal["simple", "medium", "complex"]
"""Things that the query asks for in addition to its category: one, two, three."""
Kind = Literal["attribute", "activity", "situation", "name"]
TIERS: tuple[Tier, ...] = get_args(Tier)
KINDS: tuple[Kind, ...] = get_args(Kind)


class MadeQuery(Record):
    """One query."""

    query: str
    product_id: str
    """The product that it was made from: it should be found with it."""
    category: str
    """Its leaf category."""
    tier: Tier
    kind: Kind
    writer: str
    """`templates`, or the model that wrote it."""
