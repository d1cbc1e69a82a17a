"""How many mined "negatives" people call relevant, by source, before and after the judge: ESCI, Chorus, Home Depot.

    python -m benchmarks.mining_proof ../shared/data OUT [--sets esci,chorus,homedepot] [--home 1000,100]

Each query has one product that is known to be of the best grade, drawn from those; nothing else is known to a miner.
What it proposes and people graded is counted: how many are of grade 1 or 2, and how many of grade 2. Next to our
sources stands sentence-transformers' `mine_hard_negatives`, given the same vectors, with margins below the known
product's score (TopK-PercPos of NV-Retriever, Moreira et al. 2024). The judge's columns are about queries alone that
the shipped judge was not trained on. Killed, it resumes: vectors, labels and finished sets are kept.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np

from benchmarks.claim_labels import judge
from benchmarks.mining_rivals import VARIANTS, rival
from benchmarks.rated_sets import read
from benchmarks.retrieval import FIELDS, rows_of
from finetune.training_set import split
from judge.models.encoder import find_encoder
from judge.models.shipped import SHIPPED, shipped_directory
from judge.records import query_key
from judge.run.store import Run
from judge.search.catalogue import Catalogue
from judge.search.encoding import encoded
from judge.search.reading import read_catalogue
from judge.statistics.shares import share_by_query
from judge.words.guideline import load_guideline
from mine.asked import Asked, Queries
from mine.attributes import learn
from mine.candidates import Found, union
from mine.copies import find_copies
from mine.rankings import placed
from mine.relations import Related
from mine.searching import by_attributes, by_vectors, by_words

TOP, SHALLOW, PER_QUERY = 50, 10, 20


@dataclass(frozen=True)
class Proposal:
    """A product that a miner proposes for a query."""

    miner: str
    query: str
    product: str


@dataclass(frozen=True)
class Rated:
    """A set: queries with people's grades, and one known product of each."""

    grades: Mapping[str, Mapping[str, int]]
    known: Mapping[str, str]
    catalogue: Catalogue
    unseen: frozenset[str]
    """Queries whose pairs the judge sees: it was not trained on them."""
    cache: Path

    @cached_property
    def asked(self) -> list[Asked]:
        """As a run would hold them."""
        return [Asked(query_key(query), query, known={key: 2}) for query, key in self.known.items()]

    def grade(self, proposal: Proposal) -> int | None:
        """People's; null where they gave none."""
        return self.grades[proposal.query].get(proposal.product)


def unseen_by_judge(data: Path) -> set[str]:
    """Queries that the shipped judge held out: its split drawn again, and checked with the counts of its record."""

    class Config:
        seed, validation, calibration = 0, 0.06, 0.12

    items = [item for name in ("esci", "chorus") for item in read(data, name)]
    part = split([query_key(item.query) for item in items], Config)  # type: ignore[arg-type]
    found = Counter(part[query_key(item.query)] for item in items)
    folder = shipped_directory(SHIPPED)
    assert folder
    if found != json.loads((folder / "judge.json").read_text())["training"]["pairs"]:
        raise SystemExit(f"{SHIPPED} was trained on another split than {dict(found)}")
    return {item.query for item in items if part[query_key(item.query)] != "train"}


def prepared(data: Path, name: str, out: Path, home: tuple[int, int]) -> Rated:
    """Read a set, and write its catalogue."""
    grades: dict[str, dict[str, int]] = {}
    texts: dict[str, dict[str, str]] = {}
    for query, key, own, grade in rows_of(data, name):
        grades.setdefault(query, {}).setdefault(key, grade)
        texts.setdefault(key, own)
    if name == "homedepot":
        chosen = sorted(grades, key=drawn)[: home[0]]
        grades = {query: grades[query] for query in chosen}
        texts = {key: texts[key] for own in grades.values() for key in own}
    out.mkdir(parents=True, exist_ok=True)
    with (out / "catalogue.csv").open("w", encoding="utf-8", newline="") as stream:
        sheet = csv.DictWriter(stream, ("candidate_id", *FIELDS))
        sheet.writeheader()
        sheet.writerows({"candidate_id": key, **own} for key, own in texts.items())
    best = {query: [key for key, grade in own.items() if grade == 2] for query, own in grades.items()}
    known = {query: min((drawn(query + key), key) for key in keys)[1] for query, keys in best.items() if keys}
    some = [*known][: home[1]] if name == "homedepot" else unseen_by_judge(data)
    catalogue = read_catalogue(out / "catalogue.csv", load_guideline(), {})
    return Rated(grades, known, catalogue, frozenset(some), out / "cache")


def drawn(text: str) -> bytes:
    """A random order that stays."""
    return blake2b(text.encode(), digest_size=8).digest()


def proposals(rated: Rated) -> Iterator[Proposal]:
    """What every miner proposes."""
    asked, catalogue, encoder = rated.asked, rated.catalogue, find_encoder()
    related = Related(learn(catalogue))
    leaf = [catalogue.products[catalogue.place[rated.known[a.query]]].leaf for a in asked]
    meant = [related.attributes.understand(a.query, [own]) for a, own in zip(asked, leaf, strict=True)]
    found: dict[str, Sequence[Sequence[Found]]] = {
        "dense": by_vectors(asked, catalogue, encoder, TOP, cache=rated.cache),
        "lexical": by_words(asked, catalogue, TOP),
        "attributes": by_attributes(asked, meant, related, TOP),
    }
    copies = find_copies(related.attributes, Queries(asked, len(asked), {}, ""), found)
    kept, _ = union(asked, found, catalogue.place, copies, PER_QUERY, None)
    by_miner: dict[str, list[tuple[int, int]]] = {
        f"{source}, first {TOP}": [(at, each.place) for at, some in enumerate(lists) for each in some]
        for source, lists in found.items()
    }
    first = {source: [[e.place for e in some][:SHALLOW] for some in found[source]] for source in ("dense", "lexical")}
    for source, lists in first.items():
        by_miner[f"{source}, first {SHALLOW}"] = [(at, place) for at, some in enumerate(lists) for place in some]
    by_miner |= {f"rankings: {name}": some for name, some in ranked(first).items()}
    for at, place in dict.fromkeys(pair for source in found for pair in by_miner[f"{source}, first {TOP}"]):
        name = related.relation(meant[at], place).name
        by_miner.setdefault(f"any of these, {name or 'relation unknown'}", []).append((at, place))
    by_miner[f"judge mine, --per-query {PER_QUERY}"] = [(c.query, c.place) for c in kept]
    titles = [product.title for product in catalogue.products]
    vectors = encoded(titles, encoder, "document", cache=rated.cache)
    words = encoded([a.query for a in asked], encoder, "query", cache=rated.cache)
    positives = [catalogue.place[rated.known[a.query]] for a in asked]
    for variant in VARIANTS:
        texts = (titles, [a.query for a in asked], positives)
        by_miner[f"mine_hard_negatives, {variant.name}"] = rival(variant, texts, (vectors, words), TOP)
    for miner, some in by_miner.items():
        for at, place in some:
            key, query = catalogue.products[place].id, asked[at].query
            if key != rated.known[query]:
                yield Proposal(miner, query, key)


def ranked(first: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, list[tuple[int, int]]]:
    """What two systems agree and disagree on at the top."""
    found: dict[str, list[tuple[int, int]]] = {"agreed": [], "disputed": []}
    for at in range(len(first["dense"])):
        for one in placed([[str(place) for place in lists[at]] for lists in first.values()], SHALLOW):
            found["disputed" if one.disputed(SHALLOW) else "agreed"].append((at, int(one.candidate_id)))
    return found


def judged(rated: Rated, found: Sequence[Proposal], out: Path) -> dict[tuple[str, str], int | None]:
    """The shipped judge's own grades of what was proposed for its unseen queries and people graded."""
    wanted = {(p.query, p.product): None for p in found if p.query in rated.unseen and rated.grade(p) is not None}
    with (out / "pairs.csv").open("w", encoding="utf-8", newline="") as stream:
        sheet = csv.writer(stream)
        sheet.writerow(("query", "candidate_id"))
        sheet.writerows(sorted(wanted))
    catalogue = ("--catalogue", out / "catalogue.csv")
    alone = ("--judge", SHIPPED, "--calibration", "plain")  # the blend was fitted on the queries of which this tells
    judge("label", out / "pairs.csv", *catalogue, *alone, "--out", out / "judged")
    sql = "SELECT p.query, l.candidate_id, l.grade FROM labels l JOIN pairs p USING (row) WHERE l.grade IS NOT NULL"
    return {(query, key): grade for query, key, grade in Run(out / "judged").query(sql)}


def lines(rated: Rated, found: Sequence[Proposal], said: Mapping[tuple[str, str], int | None]) -> Iterator[str]:
    """A line a miner, as Markdown; the first is of everything that people graded."""
    yield "| miner | proposed | graded, queries | 1 or 2 | 2 | graded, queries | 1 or 2 | judge's 0 | 1 or 2 | 2 |"
    yield "|---" * 10 + "|"
    every = [Proposal("all that people graded", q, key) for q in rated.known for key in rated.grades[q]]
    by_miner: dict[str, list[Proposal]] = {}
    for proposal in [*(p for p in every if p.product != rated.known[p.query]), *found]:
        by_miner.setdefault(proposal.miner, []).append(proposal)
    for miner, some in by_miner.items():
        graded = [p for p in some if rated.grade(p) is not None]
        cells = [miner, f"{len(some):,}", count(graded), share(rated, graded, 1), share(rated, graded, 2)]
        if not said or miner.startswith("all"):
            yield "| " + " | ".join([*cells, *["–"] * 5]) + " |"
            continue
        unseen = [p for p in graded if (p.query, p.product) in said]
        zeros = [p for p in unseen if said[p.query, p.product] == 0]
        cells += [count(unseen), share(rated, unseen, 1), count(zeros), share(rated, zeros, 1), share(rated, zeros, 2)]
        yield "| " + " | ".join(cells) + " |"


def count(some: Sequence[Proposal]) -> str:
    """Pairs and their queries."""
    return f"{len(some):,}, {len({p.query for p in some})}"


def share(rated: Rated, some: Sequence[Proposal], least: int) -> str:
    """The share of people's grades from `least` on, with its interval by query."""
    if not some:
        return "–"
    hits = np.array([(rated.grade(p) or 0) >= least for p in some])
    found = share_by_query(np.array([p.query for p in some]), hits)
    between = "" if found.interval is None else f" ({found.interval[0]:.2f} to {found.interval[1]:.2f})"
    return f"{found.value:.2f}{between}"


def main() -> None:
    """Mine every set, and print what people say of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", default="esci,chorus,homedepot")
    parser.add_argument("--home", default="1000,100", help="queries of Home Depot, and those that the judge sees")
    parser.add_argument("--no-judge", action="store_true", help="leave the judge's columns empty")
    given = parser.parse_args()
    for name in given.sets.split(","):
        out = given.out / name
        queries, seen = map(int, given.home.split(","))
        rated = prepared(given.data, name, out, (queries, seen))
        found = [*dict.fromkeys(proposals(rated))]
        said = {} if given.no_judge else judged(rated, found, out)
        products = len(rated.catalogue.products)
        print(f"\n{name}: {len(rated.known):,} queries with a product of grade 2, {products:,} products; ", end="")
        print(f"the judge saw {len(said):,} pairs\n")
        table = "\n".join(lines(rated, found, said))
        (out / "table.md").write_text(table + "\n", encoding="utf-8")
        print(table, flush=True)


if __name__ == "__main__":
    main()
