"""What a mining came to: every candidate kept or counted under one reason. It travels in the mined file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from judge.errors import InputError
from judge.fingerprint import Fingerprint
from judge.pairs.origin import ACCOUNT
from judge.records import Record
from judge.search.catalogue import Catalogue
from judge.words.normalise import same_words
from mine.asked import Queries
from mine.attributes import Attributes, Understood
from mine.candidates import Candidate


class MiningAccount(Record):
    """What `mine.json` holds."""

    format: int = 1
    toolkit: str
    created: str
    """ISO 8601, UTC."""
    parts: Mapping[str, str | None]
    """What the mined file depends on, by name: runs, catalogue, queries, encoder and options."""
    fingerprint: str
    """The first 16 hex digits of the digest over the parts."""
    map: Mapping[str, Sequence[str]] = {}
    """Our names to the columns that the catalogue was read by, where they are other than ours."""
    catalogue: Mapping[str, Any]
    """Its `rows`, `products`, and rows that are none by reason in `set_aside`."""
    queries: Mapping[str, Any]
    """`rows`, those mined for as `asked`, the others in `set_aside`; of those mined for, how many have no candidate,
    equal a product's title, and are understood."""
    proposals: Mapping[str, int]
    """What each source proposed."""
    not_in_catalogue: int = 0
    """What rankings show that is no product of the catalogue."""
    other_queries: int = 0
    """Queries of rankings that were not mined for."""
    kept: int
    """Rows of the mined file."""
    left_out: Mapping[str, int]
    """Proposals that are none of these, by reason; with `kept` they add up to all proposals."""
    kept_by_source: Mapping[str, int]
    """Rows by the source that ranks them best."""
    kept_by_relation: Mapping[str, int]

    @model_validator(mode="after")
    def _adds_up(self) -> "MiningAccount":
        if sum(self.proposals.values()) != self.kept + sum(self.left_out.values()):
            raise ValueError(f"{sum(self.proposals.values())} proposals do not add up")
        for counts in (self.kept_by_source, self.kept_by_relation):
            if sum(counts.values()) != self.kept:
                raise ValueError(f"{self.kept} kept do not add up")
        for side, used in ((self.catalogue, "products"), (self.queries, "asked")):
            if side["rows"] != side[used] + sum(side["set_aside"].values()):
                raise ValueError(f"{side['rows']} rows do not add up")
        return self


def read_account(path: Path) -> MiningAccount | None:
    """The account inside a mined file; null where the file is another's, or no Parquet."""
    import pyarrow.parquet as pq

    try:
        raw = (pq.read_schema(path).metadata or {}).get(ACCOUNT)
        return MiningAccount.model_validate_json(raw) if raw else None
    except (OSError, ValueError, ValidationError):
        return None


def check_same(path: Path, parts: Mapping[str, str | None]) -> MiningAccount | None:
    """The account of a file that was mined from the same; null where there is no file.

    Raises:
        InputError: Something else lies there, or it was mined from something else; the message says what differs.
    """
    if not path.exists():
        return None
    account = read_account(path)
    if account is None:
        raise InputError(f"{path}: is already there", "choose another --out, or replace it with --overwrite")
    if lines := Fingerprint(parts=account.parts).differences(Fingerprint(parts=parts)):
        raise InputError(
            f"{path}: was mined from something else; what differs: {'; '.join(lines)}",
            "choose another --out, or replace it with --overwrite",
        )
    return account


def as_json(account: MiningAccount) -> str:
    """The account as indented JSON."""
    return json.dumps(account.model_dump(mode="json"), indent=2, ensure_ascii=False)


def of_catalogue(attributes: Attributes) -> dict[str, Any]:
    """An account's `catalogue`."""
    catalogue = attributes.catalogue
    return {
        "rows": catalogue.rows,
        "products": len(catalogue.products),
        "set_aside": dict(catalogue.set_aside),
        "without_category": sum(not product.leaf for product in catalogue.products),
        "without_attributes": sum(not values for values in attributes.products),
    }


def of_queries(
    catalogue: Catalogue, queries: Queries, understood: Sequence[Understood], kept: Sequence[Candidate]
) -> dict[str, Any]:
    """An account's `queries`."""
    titles = {same_words(product.title) for product in catalogue.products}
    return {
        "rows": queries.rows,
        "asked": len(queries.asked),
        "set_aside": dict(queries.set_aside),
        "without_candidates": len(queries.asked) - len({c.query for c in kept}),
        "equal_to_a_title": sum(same_words(asked.query) in titles for asked in queries.asked),
        "understood": sum(bool(meant.leaves and (meant.wanted or meant.unwanted)) for meant in understood),
    }
