"""A planned run, its workers, and the labels that one process would give."""

import pyarrow.parquet as pq
import pytest

from judge.engines import Judge, Serving
from judge.engines.fake import FakeEngine
from judge.labelling.complete import complete
from judge.labelling.job import Labelling
from judge.labelling.worker import Worker, plan_run
from judge.pairs.stage import Source
from judge.run.store import Run
from judge.words.guideline import load_guideline

QUERIES, EACH = 30, 8


class OwnEngine(Judge):
    """The fake judge with an engine of the test's."""

    def __init__(self, engine):
        super().__init__("fake", Serving("fake"))
        self.engine = engine

    def open(self):
        return self.engine


def job(source, engine=None, guideline=None):
    own = engine or FakeEngine()
    if engine is None:
        own.block = 16
    return Labelling(source, guideline or load_guideline(), "fake", Serving("fake"), find=lambda: OwnEngine(own))


def worker(run, engine=None, guideline=None):
    return Worker(Run.open(run.path), job(Source(run.pairs_path), engine, guideline))


def labels(run):
    return sorted((row for part in run.parts() for row in pq.read_table(part).to_pylist()), key=lambda row: row["row"])


@pytest.fixture
def source(tmp_path):
    rows = "".join(f"query {q},{c},title {q * c}\n" for q in range(QUERIES) for c in range(EACH))
    (tmp_path / "p.csv").write_text("query,candidate_id,title\n" + rows + "query 0,0,title 0\n")
    return Source(tmp_path / "p.csv")


@pytest.fixture
def whole(source, tmp_path):
    """The labels of a run that one process made."""
    run = Run(tmp_path / "whole")
    from contextlib import nullcontext

    with run.writing():
        complete(job(source), run, lambda manifest, done: nullcontext(lambda rows: None))
    return run


@pytest.fixture
def planned_run(source, tmp_path):
    """A planned run: stretches of 56 or so of its 241 rows."""
    made = Run(tmp_path / "run")
    with made.writing():
        plan_run(made, job(source), 50, {"engine": "fake"})
    return made
