"""A small shop in three scripts, and a run of some of its pairs."""

import csv
import json

import pytest

from judge.search.reading import read_catalogue
from mine.queries.made import MadeQuery

SHOP = [
    # id, title, category, colour, material
    ("E1", "Alpina wool scarf red", "Clothing > Scarves", "red", "wool"),
    ("E2", "Alpina wool scarf blue", "Clothing > Scarves", "blue", "wool"),
    ("E3", "Alpina cotton scarf red", "Clothing > Scarves", "red", "cotton"),
    ("E4", "Brix steel kettle 1.7 l red", "Kitchen > Kettles", "red", "steel"),
    ("E5", "Brix glass kettle 1.7 l", "Kitchen > Kettles", "", "glass"),
    ("E6", "Alpina wool scarf, red", "Clothing > Scarves", "red", "wool"),
    ("E7", "Corda silk scarf green", "Clothing > Scarves", "green", "silk"),
    ("R1", "Шарф шерстяной красный", "Одежда > Шарф", "красный", "шерсть"),
    ("R2", "Шарф шерстяной синий", "Одежда > Шарф", "синий", "шерсть"),
    ("R3", "Чайник стальной красный", "Кухня > Чайник", "красный", "сталь"),
    ("J1", "赤い ウール マフラー", "衣類 > マフラー", "赤", "ウール"),
    ("J2", "青い ウール マフラー", "衣類 > マフラー", "青", "ウール"),
    ("J3", "赤い やかん ステンレス", "台所 > やかん", "赤", "ステンレス"),
]
FIELDS = ("candidate_id", "title", "category", "colour", "material")
QUERIES = [("q1", "red wool scarf"), ("q2", "красный шарф"), ("q3", "赤いマフラー"), ("q4", "kettle 1.7 l")]


def write_csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


@pytest.fixture
def shop(tmp_path):
    """The catalogue as a file."""
    return write_csv(tmp_path / "catalogue.csv", FIELDS, SHOP)


@pytest.fixture
def seen(run_of):
    """A run that knows one good pair of each of the first three queries, and a bad one."""
    titles = {row[0]: row[1] for row in SHOP}
    pairs = [("q1", "E1", 2), ("q1", "E5", 0), ("q2", "R1", 2), ("q3", "J1", 2), ("q4", "E4", 2)]
    words = dict(QUERIES)
    rows = [
        {
            "query_id": q,
            "query": words[q],
            "candidate_id": c,
            "title": titles[c],
            "grade": g,
            "probabilities": [float(g == grade) for grade in range(3)],
            "expected_grade": float(g),
        }
        for q, c, g in pairs
    ]
    return run_of(rows, "seen")


@pytest.fixture
def mining(tmp_path, shop, seen):
    """Mine with the fake encoder."""

    from mine.mining import Mining, MiningConfig

    def make(out="mined.parquet", **options):
        config = {"encoder": "fake", "cache": tmp_path / "cache", **options}
        extra = {name: config.pop(name) for name in ("queries", "mapping", "runs", "catalogue") if name in config}
        extra = {"runs": [seen], "catalogue": shop, **extra}
        return Mining(out=tmp_path / out, config=MiningConfig(**config), **extra)

    return make


def rows_of(path):
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def catalogue(shop, guideline):
    """The same, as it is read."""
    return read_catalogue(shop, guideline, {})


def made(query, product="E1", category="scarves", tier="simple"):
    return MadeQuery(query=query, product_id=product, category=category, tier=tier, kind="attribute", writer="hand")
