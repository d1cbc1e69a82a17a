"""The two development sets as rated pairs on three levels: read where they lie, dealt into folds by query.

    python benchmarks/rated_sets.py ../shared/data runs/development.jsonl

writes all pairs of both as one file for `judge finetune --raters rater_1,rater_2,rater_3`.
"""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VALUES = (0, 1, 2)
ESCI = {"E": 2, "S": 1, "C": 1, "I": 0}
CHORUS = {"3": 2, "2": 1, "1": 1, "0": 0}
TEXTS = {
    "esci": {
        "title": "title",
        "brand": "brand",
        "category": "category",
        "colour": "color",
        "description": "bullet_points",
    },
    "chorus": {
        "title": "title",
        "brand": "supplier",
        "category": "attr_t_product_type",
        "colour": "attr_t_product_colour",
        "description": "short_description",
    },
}
RATERS = ("rater_1", "rater_2", "rater_3")


@dataclass(frozen=True)
class Item:
    """One rated pair."""

    query: str
    candidate_id: str
    texts: Mapping[str, str]
    """The candidate's, under the guideline's field names."""
    grade: int
    """ESCI's label; Chorus's adjudicated grade."""
    raters: Mapping[str, int]
    """Each rater's grade, where the set has them."""

    def row(self) -> dict[str, object]:
        """As a row of a ratings file: its raters, or its grade as the only rater's."""
        identity = {"query": self.query, "candidate_id": self.candidate_id}
        return {**identity, **self.texts, **(self.raters or {RATERS[0]: self.grade})}


def read(folder: Path, name: str) -> list[Item]:
    """All pairs of `esci` or `chorus` in `folder`."""
    with (folder / name / "products.jsonl").open(encoding="utf-8") as stream:
        products = {str(p.get("product_id") or p["id"]): p for p in map(json.loads, stream)}
    found = []
    with (folder / name / ("judgments.csv" if name == "esci" else "ratings.csv")).open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            product = products[row["product_id"]]
            texts = {ours: _text(product.get(theirs)) for ours, theirs in TEXTS[name].items()}
            given = {ours: text for ours, text in texts.items() if text}
            if name == "esci":
                grade, raters = ESCI[row["esci_label"]], {}
            else:
                grade = CHORUS[row["adjudicated"]]
                raters = {rater: CHORUS[row[rater]] for rater in RATERS if row[rater]}
            found.append(Item(row["query"], row["product_id"], given, grade, raters))
    return found


def folds(items: Sequence[Item], count: int, seed: int) -> Iterator[tuple[list[Item], list[Item]]]:
    """(train, test) for each fold; every query is in exactly one test part. `count` 1: one split, 80 to 20."""
    queries = sorted({item.query for item in items})
    order = np.random.default_rng(seed).permutation(len(queries))
    part = {queries[at]: index % (5 if count == 1 else count) for index, at in enumerate(order)}
    for fold in range(count):
        yield [i for i in items if part[i.query] != fold], [i for i in items if part[i.query] == fold]


def write_ratings(items: Sequence[Item], path: Path) -> None:
    """A JSON Lines file that `judge finetune --raters rater_1,rater_2,rater_3` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item.row(), ensure_ascii=False) + "\n" for item in items), encoding="utf-8")


def _text(value: object) -> str:
    return " > ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


if __name__ == "__main__":
    data, out = map(Path, sys.argv[1:])
    write_ratings([item for name in TEXTS for item in read(data, name)], out)
