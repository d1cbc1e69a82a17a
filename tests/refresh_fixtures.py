"""Files of pairs to label, the labels of a run, and the pairs that the fake judge was asked about."""

import csv

import pyarrow.parquet as pq
import pytest

from judge.engines.fake import FakeEngine
from judge.run.store import Run

QUERIES, EACH = 40, 10
NAMES = ("row", "query_id", "candidate_id", "status", "grade", "probabilities", "expected_grade", "reason")


@pytest.fixture
def asked(monkeypatch):
    """The pairs that the fake engine was asked about, one entry for each."""
    found = []
    score = FakeEngine.score

    def counting(self, prompts):
        found.extend(prompts)
        return score(self, prompts)

    monkeypatch.setattr(FakeEngine, "score", counting)
    return found


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["query", "candidate_id", "title"])
        writer.writeheader()
        writer.writerows(rows)


def rows_of(queries=QUERIES, each=EACH):
    return [
        {"query": f"query {q}", "candidate_id": f"c{c}", "title": f"title {q} {c}" + " more" * (c % 3)}
        for q in range(queries)
        for c in range(each)
    ]


def labels(path):
    rows = [row for part in Run(path).parts() for row in pq.read_table(part).to_pylist()]
    return sorted(({name: row[name] for name in NAMES} for row in rows), key=lambda row: row["row"])
