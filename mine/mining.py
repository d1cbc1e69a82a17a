"""A mining from runs and a catalogue to a file of pairs that `judge label` takes, with what became of every candidate.

OUT.parquet             query_id, query, locale, candidate_id, and where each pair comes from; the account inside
OUT.json                the account
OUT.understood.csv      what was understood of each query
OUT.sample.csv          a random sample of the pairs for people to grade, without what any system says of them
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from judge import __version__
from judge.errors import InputError
from judge.files import new_file, now
from judge.fingerprint import Fingerprint, digest
from judge.models.encoder import EMBEDDED_ENCODER, Encoder, find_encoder
from judge.pairs.origin import SOURCES
from judge.pairs.query_rows import QUERY_NAMES
from judge.ratings.remembered import fitting_columns
from judge.run.store import Run
from judge.search.catalogue import Catalogue
from judge.search.locales import LOCALE, QueryLocales, from_file, from_run
from judge.search.nearest import Progress, quiet
from judge.search.rankings import Ranking, read_ranking
from judge.search.reading import product_columns, read_catalogue
from judge.words.guideline import Guideline
from mine.account import MiningAccount, check_same, of_catalogue, of_queries
from mine.asked import Queries, read_queries
from mine.attributes import Attributes, Understood, learn
from mine.candidates import Found, outranks, union
from mine.copies import find_copies
from mine.relations import Related
from mine.searching import Shown, by_attributes, by_rankings, by_vectors, by_words
from mine.writing import KINDS, Mined, check_companions, write_mined

UNRELATED = "unknown"
"""In place of a relation where none is known."""


@dataclass(frozen=True)
class MiningConfig:
    """How to mine."""

    sources: Sequence[str] = ("dense", "lexical", "attributes")
    """Of `SOURCES`, in the order in which they take turns; `rankings` is one wherever `rankings` names files."""
    encoder: str = EMBEDDED_ENCODER
    top: int = 50
    """What a source proposes for a query, at most; and the depth at which rankings are compared."""
    per_query: int = 20
    budget: int | None = None
    """Pairs in all."""
    rankings: Sequence[Path] = ()
    """TREC runs of two systems or more."""
    sample: int = 200
    """Pairs of the sample for people; 0 for none."""
    seed: int = 0
    skip_bad_rows: bool = False
    encoding: str | None = None
    """Of the catalogue and the queries, unless they are UTF-8."""
    cache: Path | None = None
    """Where vectors are kept."""

    def check(self) -> None:
        """Refuse options that cannot be.

        Raises:
            InputError: One cannot.
        """
        if unknown := [name for name in self.sources if name not in SOURCES]:
            raise InputError(f"--from {unknown[0]}: there is no such source", f"name some of {', '.join(SOURCES)}")
        if not self.sources and not self.rankings:
            raise InputError("--from: names no source", f"name some of {', '.join(SOURCES)}")
        if len(self.rankings) == 1:
            raise InputError("--run: one system disagrees with nobody", "give two rankings or more")
        if "rankings" in self.sources and not self.rankings:
            raise InputError("--from rankings: there are none", "give them with --run FILE --run FILE")
        for name in ("top", "per_query", "sample", *(["budget"] if self.budget is not None else [])):
            if getattr(self, name) < (0 if name == "sample" else 1):
                raise InputError(
                    f"--{name.replace('_', '-')} {getattr(self, name)}: is not a number of pairs", "give 1 or more"
                )

    @property
    def ordered(self) -> tuple[str, ...]:
        """The sources, each once."""
        more = ["rankings"] if self.rankings else []
        return tuple(dict.fromkeys([*self.sources, *more]))


@dataclass(frozen=True)
class Mining:
    """A job: what to mine for, in what.

    Attributes:
        runs: Runs of judged pairs, which are not mined again. The first one's guideline says which fields count.
        catalogue: The products.
        out: The file to write, `.parquet`.
        queries: More queries, in place of the runs' own.
    """

    runs: Sequence[Run]
    catalogue: Path
    out: Path
    config: MiningConfig = MiningConfig()
    queries: Path | None = None
    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    """What messages call `catalogue` and `queries`."""

    def run(self, progress: Progress = quiet, *, overwrite: bool = False) -> MiningAccount:
        """Mine; or, where that was done before, say what it came to.

        Raises:
            InputError: A file or option cannot be used, or something else lies at `out`.
            ModelError: The encoder cannot be found or loaded.
            RunError: A run is damaged.
        """
        self.config.check()
        if self.out.suffix != ".parquet":
            raise InputError(f"--out {self.out}: is not named .parquet", f"name it {self.out.with_suffix('.parquet')}")
        if overwrite or not self.out.exists():
            check_companions(self.out, KINDS, [self.catalogue, self.queries, *self.config.rankings], MiningAccount)
        rankings = [read_ranking(path) for path in self.config.rankings]
        if len({r.name for r in rankings}) < len(rankings):
            raise InputError("--run: two rankings go by one name", "give the files different names")
        catalogue, queries, encoder = self._catalogue, self._queries, self._encoder
        parts = self._parts(catalogue, queries, encoder, rankings)
        there = None if overwrite else check_same(self.out, parts)
        if there:
            return there
        with new_file(self.out, overwrite=overwrite) as partial:
            return self._mine(parts, rankings, progress, partial)

    @cached_property
    def guideline(self) -> Guideline:
        """The first run's."""
        return self.runs[0].manifest.policy

    @cached_property
    def _columns(self) -> dict[str, Sequence[str]]:
        """The catalogue's columns: what the user said, and what the runs' input was read with."""
        ours = product_columns(self.mapping, self.guideline, QUERY_NAMES)
        names = ["candidate_id", LOCALE, *sorted(f.name for f in self.guideline.fields)]
        return {**ours, **fitting_columns(self.runs, [self.catalogue], names, ours, self.config.encoding)}

    @cached_property
    def _catalogue(self) -> Catalogue:
        how, name, columns, asked = self.config, self.names.get("catalogue"), self._columns, self._locales
        skip, encoding = how.skip_bad_rows, how.encoding
        return read_catalogue(
            self.catalogue, self.guideline, columns, skip_bad_rows=skip, name=name, encoding=encoding, asked=asked
        )

    def _locales(self) -> QueryLocales:
        of = [each.locale for each in self._asked.asked]
        if self.queries:
            return from_file(self.queries, self.names.get("queries"), self.mapping, of)
        return from_run(self.runs[0].path, self.mapping, of)

    @cached_property
    def _queries(self) -> Queries:
        return self._asked.named(self._catalogue)

    @cached_property
    def _asked(self) -> Queries:
        how, name = self.config, self.names.get("queries")
        mapping = dict(self.mapping)
        if self.queries:
            mapping |= fitting_columns(self.runs, [self.queries], QUERY_NAMES, mapping, how.encoding)
        return read_queries(
            self.runs, self.queries, mapping, skip_bad_rows=how.skip_bad_rows, name=name, encoding=how.encoding
        )

    @cached_property
    def _encoder(self) -> Encoder | None:
        return find_encoder(self.config.encoder) if "dense" in self.config.ordered else None

    def _parts(
        self, catalogue: Catalogue, queries: Queries, encoder: Encoder | None, rankings: Sequence[Ranking]
    ) -> dict[str, str | None]:
        config = self.config
        parts: dict[str, str | int | None] = {
            "runs": ", ".join(run.manifest.fingerprint for run in self.runs),
            "catalogue": catalogue.digest,
            "queries": queries.digest,
            "encoder": f"{encoder.name} {encoder.digest[:16]}" if encoder else None,
            "rankings": digest([[r.name, dict(r.by_query)] for r in rankings])[:16] if rankings else None,
            "sources": ", ".join(config.ordered),
            **{name: getattr(config, name) for name in ("top", "per_query", "budget", "sample", "seed")},
            "toolkit": __version__,
        }
        return dict(Fingerprint.of(parts).parts)

    def _mine(
        self, parts: Mapping[str, str | None], rankings: Sequence[Ranking], progress: Progress, partial: Path
    ) -> MiningAccount:
        catalogue, queries, config = self._catalogue, self._queries, self.config
        attributes = learn(catalogue)
        related = Related(attributes)
        understood = [self._understood(attributes, at) for at in range(len(queries.asked))]
        proposals: dict[str, Sequence[Sequence[Found]]] = {}
        shown = Shown([], [], 0)
        for source in config.ordered:
            if source == "dense":
                assert self._encoder
                proposals[source] = by_vectors(
                    queries.asked, catalogue, self._encoder, config.top, cache=config.cache, progress=progress
                )
            elif source == "lexical":
                proposals[source] = by_words(queries.asked, catalogue, config.top)
            elif source == "attributes":
                proposals[source] = by_attributes(queries.asked, understood, related, config.top)
            else:
                shown = by_rankings(queries.asked, rankings, catalogue, config.top)
                proposals[source] = shown.found
        copies = find_copies(attributes, queries, proposals)
        kept, left_out = union(queries.asked, proposals, catalogue.place, copies, config.per_query, config.budget)
        relations = [related.relation(understood[c.query], c.place) for c in kept]
        account = MiningAccount(
            toolkit=__version__,
            created=now(),
            parts=parts,
            fingerprint=Fingerprint(parts=parts).value,
            map=self._columns,
            catalogue=of_catalogue(attributes),
            queries=of_queries(catalogue, queries, understood, kept),
            proposals={source: sum(map(len, lists)) for source, lists in proposals.items()},
            not_in_catalogue=shown.strange,
            other_queries=shown.other_queries,
            kept=len(kept),
            left_out=dict(sorted(left_out.items())),
            kept_by_source=dict(Counter(c.source for c in kept)),
            kept_by_relation=dict(sorted(Counter(r.name or UNRELATED for r in relations).items())),
        )
        systems = [shown.cell([r.name for r in rankings], c) for c in kept]
        fields = [f.name for f in self.guideline.fields]
        ahead = outranks(queries.asked, proposals, catalogue.place, kept, self.guideline.values[-1])
        told = (queries.asked, catalogue.products, fields, kept, relations, systems, ahead, understood)
        write_mined(self.out, partial, account, Mined(*told, config.sample, config.seed))
        return account

    def _understood(self, attributes: Attributes, at: int) -> Understood:
        asked, products = self._queries.asked[at], self._catalogue
        best = self.guideline.values[-1]
        good = [products.place[key] for key, grade in asked.known.items() if grade == best and key in products.place]
        return attributes.understand(asked.query, [products.products[place].leaf for place in good])
