"""A search from a catalogue and queries to a TREC run: one system, or several as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from judge import __version__
from judge.errors import InputError
from judge.files import now
from judge.pairs.query_rows import QUERY_NAMES
from judge.places import check_writable
from judge.records import Record, counted
from judge.search.catalogue import Catalogue
from judge.search.locales import QueryLocales, from_file
from judge.search.nearest import Progress, quiet
from judge.search.reading import product_columns, read_catalogue
from judge.words.guideline import Guideline
from retriever.late_search import is_late
from retriever.queries import SearchQueries, read_queries
from retriever.ranked import Ranked, fuse, is_one_word, mix, write_run
from retriever.systems import TEXTS, Searcher

TORN = "id with white space"
DEEP = 100
"""Results of each system that are fused, at least."""


@dataclass(frozen=True)
class SearchConfig:
    """How to search."""

    top: int = 100
    """Results of a query, at most."""
    fuse: Sequence[str] = ()
    """Systems to fuse with, each named as the first."""
    weight: float | None = None
    """Of the first system's scores against the other's; ranks are fused unless given."""
    text: str = "auto"
    """Of `retriever.systems.TEXTS`."""
    approximate: bool = False
    shortlist: str | None = None
    """The system whose first products late-interaction models re-rank; they score all products unless given."""
    skip_bad_rows: bool = False
    encoding: str | None = None
    cache: Path | None = None

    def check(self) -> None:
        """Refuse options that cannot be.

        Raises:
            InputError: One cannot.
        """
        if self.top < 1:
            raise InputError(f"--top {self.top}: is not a number of results", "give 1 or more")
        if self.text not in TEXTS:
            raise InputError(f"--text {self.text}: is not known", f"name one of {', '.join(TEXTS)}")
        if self.weight is not None and (len(self.fuse) != 1 or not 0 <= self.weight <= 1):
            raise InputError(
                f"--weight {self.weight}: weighs the scores of two systems", "give one --fuse SYSTEM, and 0 to 1"
            )


class SearchAccount(Record):
    """What a search came to."""

    toolkit: str
    created: str
    """ISO 8601, UTC."""
    name: str
    """The system's, as the run has it."""
    parts: Mapping[str, str]
    """What the results depend on, by name."""
    products: Mapping[str, int]
    """`rows`, `used`, and the rows set aside by reason."""
    queries: Mapping[str, int]
    """The same of the queries."""
    results: int
    """Lines of the run."""
    without_results: int
    """Queries that it has no line for."""
    not_in_catalogue: int
    """Results of runs that are no product of the catalogue, and left out."""
    other_queries: int
    """Queries of runs that were not asked, and left out."""


@dataclass(frozen=True)
class Search:
    """A job: what to search for, in what, with what.

    Attributes:
        system: As `Searcher.rank` takes it.
        catalogue: The products.
        queries: A file with `query`, perhaps with `query_id`.
        guideline: Which fields a product has.
    """

    system: str
    catalogue: Path
    queries: Path
    guideline: Guideline
    config: SearchConfig = SearchConfig()
    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """What messages call `catalogue` and `queries`."""
    progress: Progress = quiet

    def run(self, out: Path, *, overwrite: bool = False) -> SearchAccount:
        """Search, and write the run. Vectors are kept: killed, it resumes.

        Raises:
            InputError: A file or an option cannot be used, or something lies at `out`.
            ModelError: The encoder cannot be found or loaded.
        """
        if out.exists() and not overwrite:
            raise InputError(f"{out}: is already there", "choose another file, or replace it with --overwrite")
        check_writable(out.parent)
        ids = [query.id for query in self.asked.queries]
        products = [product.id for product in self.products.products]
        ranked = self.ranked
        lines = write_run(ranked, ids, products, out, overwrite=overwrite)
        return SearchAccount(
            toolkit=__version__,
            created=now(),
            name=ranked.name,
            parts={"catalogue": self.products.digest[:16], **ranked.parts},
            products={"rows": self.products.rows, "used": len(self.products.products), **self.products.set_aside},
            queries={"rows": self.asked.rows, "used": len(self.asked.queries), **self.asked.set_aside},
            results=lines,
            without_results=sum(not len(one.places) for one in ranked.lists),
            not_in_catalogue=ranked.strange,
            other_queries=len(ranked.other_queries),
        )

    @cached_property
    def ranked(self) -> Ranked:
        """The results."""
        config = self.config
        config.check()
        how = config.text, config.approximate, config.cache, self.progress, config.shortlist
        searcher = Searcher(self.products, *how)
        depth = max(config.top, DEEP) if config.fuse else config.top
        asked = (self.system, *config.fuse)
        searcher.names(asked)
        if config.shortlist:
            searcher.names([config.shortlist])
            if is_late(config.shortlist) or not any(is_late(name) for name in asked):
                fix = "name BM25, an encoder or a run, or leave it out"
                raise InputError("--shortlist: is another system's, for a late-interaction model to re-rank", fix)
        systems = [searcher.rank(name, self.asked.queries, depth) for name in asked]
        if config.weight is not None:
            return mix(systems[0], systems[1], config.weight, config.top)
        return fuse(systems, config.top) if len(systems) > 1 else systems[0]

    @cached_property
    def catalogue_columns(self) -> dict[str, Sequence[str]]:
        """The user's columns of the catalogue; the others are of the queries.

        Raises:
            InputError: A name is none of ours.
        """
        return product_columns(self.mapping, self.guideline, QUERY_NAMES)

    @cached_property
    def products(self) -> Catalogue:
        """The catalogue: the products that a run can name.

        Raises:
            InputError: It cannot be used, or an id of it holds white space, which is not to be skipped.
        """
        found = self._read_catalogue()
        torn = [product.id for product in found.products if not is_one_word(product.id)]
        if torn and not (self.config.skip_bad_rows and len(torn) < len(found.products)):
            some = counted(len(torn), "id")
            raise InputError(
                f"{found.name}, field 'candidate_id': white space, which separates a run's columns, is in {some}, such "
                f"as {torn[0]!r}",
                "give ids without white space, or leave these products out with --skip-bad-rows",
            )
        kept = [product for product in found.products if is_one_word(product.id)]
        return replace(found, products=kept, set_aside={**found.set_aside, **({TORN: len(torn)} if torn else {})})

    def _read_catalogue(self) -> Catalogue:
        return read_catalogue(
            self.catalogue,
            self.guideline,
            self.catalogue_columns,
            skip_bad_rows=self.config.skip_bad_rows,
            name=self.names.get("catalogue"),
            encoding=self.config.encoding,
            asked=self._locales,
        )

    def _locales(self) -> QueryLocales:
        of = [query.locale for query in self.asked.queries]
        return from_file(self.queries, self.names.get("queries"), self.mapping, of)

    @cached_property
    def asked(self) -> SearchQueries:
        """The queries that a run can name.

        Raises:
            InputError: The file cannot be used, or an id of it holds white space, which is not to be skipped.
        """
        found = self._read_queries()
        torn = [query for query in found.queries if not is_one_word(query.id)]
        if torn and not (self.config.skip_bad_rows and len(torn) < len(found.queries)):
            raise InputError(
                f"{found.name}, row {torn[0].row}, field 'query_id': white space, which separates a run's columns, is "
                f"in {counted(len(torn), 'id')}, first in {torn[0].id!r}",
                "give ids without white space"
                + ("" if len(torn) == len(found.queries) else ", or leave these queries out with --skip-bad-rows"),
            )
        kept = [query for query in found.queries if is_one_word(query.id)]
        return replace(found, queries=kept, set_aside={**found.set_aside, **({TORN: len(torn)} if torn else {})})

    def _read_queries(self) -> SearchQueries:
        return read_queries(
            self.queries,
            self.mapping,
            skip_bad_rows=self.config.skip_bad_rows,
            name=self.names.get("queries"),
            encoding=self.config.encoding,
        )
