"""Whether the ranks of an engagement file count from 0 or from 1. UBI's collector counts from 0, many others from 1.

Where nothing stands at 0, ranks count from 1. Where something does, they count from 0, since hardly a search goes
without a first result; unless fewer than a tenth as many results stand at 0 as at 1: those zeros may be ranks that
were not known, and only the user can tell.
"""

from typing import Any

from audit.engagement.source import Opened
from judge.errors import InputError

FEW = 0.1


def first_position(db: Any, opened: Opened, actions: tuple[str, ...], given: int | None) -> int:
    """The rank of the first result, 0 or 1: as `given`, or by what the view `raw` has at either.

    Rows of the known actions count one each; those of counts as many as their impressions. Needs the macro `whole`.

    Raises:
        InputError: So few results stand at 0 that it cannot be told.
    """
    if given is not None:
        return given
    weight, where = "1", "true"
    if opened.shape == "counts":
        weight = "greatest(coalesce(whole(impressions), 0), 0)"
    elif opened.shape != "impressions":
        where = f"action IN {actions}"
    zeros, ones, any_zero = db.execute(f"""SELECT coalesce(sum({weight}) FILTER (rank = 0), 0),
        coalesce(sum({weight}) FILTER (rank = 1), 0), count(*) FILTER (rank = 0)
        FROM (SELECT *, whole(position) AS rank FROM raw) WHERE {where}""").fetchone()
    if not any_zero:
        return 1
    if zeros < FEW * ones:
        what = "impressions" if opened.shape == "counts" else "rows"
        raise InputError(
            f"{opened.name}: {int(zeros):,} {what} are at position 0 and {int(ones):,} at position 1: "
            "do its ranks count from 0?",
            "if they do, give --first-position 0; --first-position 1 sets the rows at 0 aside as bad_position",
        )
    return 0
