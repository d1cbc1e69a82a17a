"""Rankings of systems side by side: where they disagree on what to show, a judgment tells most.

A system puts a product at the top if it ranks it among the first k. Systems agree on a pair that all of them put there,
and dispute one that some do and some do not. Once judged, a pair is in one of five classes:

    agreed_relevant     at the top of every system, and graded above the lowest grade
    agreed_irrelevant   at the top of every system, and graded the lowest: what none of them sees
    disputed_2, disputed_1, disputed_0      at the top of some, by its grade: who is right, and how far
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Placed:
    """A pair, and where each system has it."""

    candidate_id: str
    ranks: tuple[int | None, ...]
    """One for each system, from 1; null where it does not rank it."""

    def disputed(self, k: int) -> bool:
        """Whether some systems put it at the top and some do not."""
        at_top = [rank is not None and rank <= k for rank in self.ranks]
        return any(at_top) and not all(at_top)


def placed(rankings: Sequence[Sequence[str]], k: int) -> list[Placed]:
    """The products at the top of some system, of what each shows for a query: the disputed first, then by their best
    rank."""
    ranks = [{key: rank for rank, key in enumerate(shown, 1)} for shown in rankings]
    keys = dict.fromkeys(key for of in ranks for key, rank in of.items() if rank <= k)
    found = [Placed(key, tuple(of.get(key) for of in ranks)) for key in keys]
    return sorted(found, key=lambda p: (not p.disputed(k), min(r for r in p.ranks if r is not None), p.candidate_id))


def dispute_class(ranks: Sequence[int | None], grade: int | None, k: int, lowest: int = 0) -> str | None:
    """The class of a pair that is at the top of some system; null where it is at none's, or has no grade."""
    at_top = [rank is not None and rank <= k for rank in ranks]
    if grade is None or not any(at_top):
        return None
    if all(at_top):
        return "agreed_relevant" if grade > lowest else "agreed_irrelevant"
    return f"disputed_{grade}"


def ranks_text(names: Sequence[str], ranks: Sequence[int | None]) -> str:
    """Ranks by system as a cell: `a=3; b=-`. A `;` in a name, which would part two systems, becomes a comma."""
    told = zip(names, ranks, strict=True)
    return "; ".join(f"{name.replace(';', ',')}={'-' if rank is None else rank}" for name, rank in told)


def read_ranks(text: str) -> list[int | None]:
    """The ranks in such a cell."""
    values = [part.rpartition("=")[2] for part in text.split("; ")]
    return [int(value) if value.isdigit() else None for value in values]
