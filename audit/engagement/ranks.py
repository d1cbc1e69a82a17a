"""Whether the ranks of an engagement file count from 0 or from 1. UBI's collector counts from 0, many others from 1.

Where nothing stands at 0, ranks count from 1. Where something does, they count from 0, since hardly a search goes
without a first result; unless fewer than a tenth as many results stand at 0 as at 1: those zeros may be ranks that
were not known, and only the user can tell.
"""

from typing import Any

from audit.engagement.source import Opened
from judge.errors import InputError
from judge.records import counted

FEW = 0.1

LOWEST = 60
"""Positions below this one are counted with it: a search's clicks are kept in the bits of one number."""


def first_position(db: Any, opened: Opened, actions: tuple[str, ...], given: int | None) -> int:
    """The rank of the first result, 0 or 1: as `given`, or by what the view `raw` has at either.

    Impressions count one each, rows of counts as many as their impressions: other events have their impression's rank,
    and often 0 where it was not logged. Needs the macros `whole` and `act`.

    Raises:
        InputError: So few results stand at 0 that it cannot be told.
    """
    if given is not None or not opened.placed:
        return 1 if given is None else given
    weight, where = "1", "true"
    if opened.shape == "counts":
        weight = "greatest(coalesce(whole(impressions), 0), 0)"
    elif opened.shape != "impressions":
        weight, where = "(act(action) = 'impression')::INTEGER", f"act(action) IN {actions}"
    zeros, ones, any_zero = db.execute(f"""SELECT coalesce(sum({weight}) FILTER (rank = 0), 0),
        coalesce(sum({weight}) FILTER (rank = 1), 0), count(*) FILTER (rank = 0)
        FROM (SELECT *, whole(position) AS rank FROM raw) WHERE {where}""").fetchone()
    if not any_zero:
        return 1
    if zeros < FEW * ones:
        others = f", with {counted(any_zero, 'row')} at 0 in all" if any_zero != zeros else ""
        raise InputError(
            f"{opened.name}: {counted(int(zeros), 'impression')} at position 0 and {int(ones):,} at position 1{others}"
            ": do its ranks count from 0?",
            "if they do, give --first-position 0; --first-position 1 sets the rows at 0 aside as bad_position",
        )
    return 0
