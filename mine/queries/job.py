"""A catalogue in, a file of accepted queries out, with what became of every query that was made."""

import csv
import io
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import model_validator

from judge.errors import InputError
from judge.files import dump_json, new_file, write_whole
from judge.pairs.query_rows import QUERY_NAMES
from judge.records import Record, query_key
from judge.search.reading import product_columns, read_catalogue, without_category
from judge.tables.values import MADE, inert
from judge.words.guideline import Guideline
from mine.asked import Queries, read_queries
from mine.attributes import Attributes, learn
from mine.queries.accept import accept
from mine.queries.made import KINDS, TIERS, MadeQuery
from mine.queries.mix import Mix, capped, mix_of, steered
from mine.queries.templates import template_queries
from mine.queries.written import UNUSABLE, Writer, forms_of
from mine.writing import check_companions, companion

SPARE = 4
"""Queries made for each that is wanted: many are refused, and lengths are chosen among the rest."""
BEYOND = "beyond what was asked for"
CAPPED = "beyond --share"
TIER_SHARES: Mapping[str, float] = {"simple": 0.3, "medium": 0.35, "complex": 0.35}


@dataclass(frozen=True)
class QueriesConfig:
    """What to make."""

    per_category: int = 50
    tiers: Mapping[str, float] = field(default_factory=lambda: dict(TIER_SHARES))
    kinds: Sequence[str] = KINDS
    share: float = 0.5
    """Made queries are at most this share of them and the log's together."""
    seed: int = 0
    skip_bad_rows: bool = False
    encoding: str | None = None
    """Of all files that are read, unless they are UTF-8."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            InputError: An option cannot be.
        """
        if self.per_category < 1:
            raise InputError(f"--per-category {self.per_category}: is not a number of queries", "give 1 or more")
        if set(self.tiers) - set(TIERS) or abs(sum(self.tiers.values()) - 1) > 1e-6 or min(self.tiers.values()) < 0:
            raise InputError("--tiers: are not shares that sum to 1", f"write {','.join(f'{t}=…' for t in TIERS)}")
        if not self.kinds or (strange := [kind for kind in self.kinds if kind not in KINDS]):
            named = f" {strange[0]}: there is no such kind" if self.kinds else ": names no kind"
            raise InputError(f"--kinds{named}", f"name some of {', '.join(KINDS)}")
        if not 0 < self.share <= 1:
            raise InputError(f"--share {self.share}: is not above 0 and up to 1", "give a share, such as 0.3")


class QueriesAccount(Record):
    """What making queries came to."""

    made: int
    written: int
    """Queries in the file."""
    refused: Mapping[str, int]
    """Those that are not in it, by reason; with `written` they add up to `made`."""
    by_tier: Mapping[str, int]
    by_kind: Mapping[str, int]
    categories: int
    """Leaf categories that have one."""
    catalogue: Mapping[str, Any] = {}
    """Its `rows`, `products`, and rows that are none by reason in `set_aside`."""
    like: Mapping[str, Any] | None = None
    """The log's `rows`, `queries`, and rows that are none by reason in `set_aside`; null without a log."""
    held_out: Mapping[str, Any] | None = None
    """The same of the held-out queries."""
    share: float | None
    """Made queries among them and the log's; null without a log."""
    mix: Mix | None
    """Of what was written; null where nothing was."""
    log: Mix | None
    """Of the log; null without one."""

    @model_validator(mode="after")
    def _adds_up(self) -> "QueriesAccount":
        if self.made != self.written + sum(self.refused.values()):
            raise ValueError(f"{self.made} made queries do not add up")
        return self


@dataclass(frozen=True)
class QueriesJob:
    """What to make queries of, and what to compare them with."""

    catalogue: Path
    out: Path
    guideline: Guideline
    config: QueriesConfig = QueriesConfig()
    like: Path | None = None
    """A log of real queries: a column `query`."""
    held_out: Path | None = None
    """Queries that no training may see."""
    writer: Writer | None = None
    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def run(self, *, overwrite: bool = False) -> QueriesAccount:
        """Make, accept and choose queries, and write them with their account next to them.

        Raises:
            InputError: A file or option cannot be used, or the catalogue has no categories.
            EngineError: The writer does not answer.
        """
        self.config.check()
        check_companions(self.out, ["json"], [self.catalogue, self.like, self.held_out], QueriesAccount)
        ours = product_columns(self.mapping, self.guideline, QUERY_NAMES)
        skip, encoding = self.config.skip_bad_rows, self.config.encoding
        catalogue = read_catalogue(self.catalogue, self.guideline, ours, skip_bad_rows=skip, encoding=encoding)
        like, barred = self._queries(self.like), self._queries(self.held_out)
        log, held_out = ([asked.query for asked in each.asked] if each else [] for each in (like, barred))
        attributes = learn(catalogue)
        if not attributes.by_leaf:
            raise InputError(f"{catalogue.name}: no product has a category", without_category(self.guideline))
        with new_file(self.out, overwrite=overwrite) as partial:
            made, unusable = self._make(attributes)
            taken, refused = accept(made, catalogue, held_out)
            refused[UNUSABLE] += unusable
            log_mix = mix_of(log, attributes) if log else None
            chosen = steered(taken, self.config.per_category, self.config.tiers, log_mix.lengths if log_mix else None)
            kept = capped(chosen, len(log), self.config.share)
            refused[BEYOND] += len(taken) - len(chosen)
            refused[CAPPED] += len(chosen) - len(kept)
            account = QueriesAccount(
                made=len(made) + unusable,
                written=len(kept),
                refused=dict(sorted((+refused).items())),
                by_tier=dict(Counter(each.tier for each in kept)),
                by_kind=dict(Counter(each.kind for each in kept)),
                categories=len({each.category for each in kept}),
                catalogue={"rows": catalogue.rows, "products": len(catalogue.products)}
                | {"set_aside": dict(catalogue.set_aside)},
                like=_counts(like),
                held_out=_counts(barred),
                share=round(len(kept) / (len(kept) + len(log)), 4) if log else None,
                mix=mix_of([each.query for each in kept], attributes) if kept else None,
                log=log_mix,
            )
            write_whole(companion(self.out, "json"), dump_json(account.model_dump(mode="json")).encode())
            partial.write_bytes(_sheet(kept))
        return account

    def _make(self, attributes: Attributes) -> tuple[list[MadeQuery], int]:
        """The queries, and how many a writer was asked for in vain."""
        draw = random.Random(self.config.seed)  # noqa: S311 nothing is kept secret with it
        wanted, unusable = self.config.per_category * SPARE, 0
        made: list[MadeQuery] = []
        for leaf in sorted(attributes.by_leaf):
            if self.writer:
                forms = [(kind, tier) for kind, tier in forms_of(12) if kind in self.config.kinds]
                places = list(attributes.by_leaf[leaf])
                for _ in range(-(-wanted // len(forms))):
                    written, lost = self.writer.write(attributes.catalogue.products[draw.choice(places)], forms)
                    made += written
                    unusable += lost
            else:
                made += template_queries(attributes, leaf, wanted, draw, self.config.kinds)
        return made, unusable

    def _queries(self, file: Path | None) -> Queries | None:
        if file is None:
            return None
        how = self.config
        return read_queries([], file, self.mapping, skip_bad_rows=how.skip_bad_rows, encoding=how.encoding)


def _counts(queries: Queries | None) -> dict[str, Any] | None:
    if queries is None:
        return None
    return {"rows": queries.rows, "queries": len(queries.asked), "set_aside": dict(queries.set_aside)}


def _sheet(kept: Sequence[MadeQuery]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(MADE)
    for each in kept:
        cells = (query_key(each.query), each.query, each.category, each.tier, each.kind, each.product_id, each.writer)
        writer.writerow([inert(cell) for cell in cells])
    return stream.getvalue().encode("utf-8", "replace")
