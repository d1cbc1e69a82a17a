"""Lines and pages that memory does not hold, or only just."""

import gzip
import os
import subprocess
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from judge.errors import InputError
from judge.tables.rows import Table


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.jsonl.gz", b'{"query": "lamp", "candidate_id": "1", "title": "x"}\n'),
        ("p.csv.gz", b"query,candidate_id,title\n"),
        ("p.tsv.gz", b"query\tcandidate_id\ttitle\n"),
    ],
)
def test_a_line_that_no_memory_holds_is_refused_before_it_is_read(name, text, tmp_path, monkeypatch):
    monkeypatch.setattr("judge.tables.lines.LIMIT", 2**20)
    (tmp_path / name).write_bytes(gzip.compress(text + b" " * 2**25))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"p\..*, line 2: is longer than 1 MiB"):
        list(Table(tmp_path / name).rows())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**23, "the line has 32 MiB"


def test_a_line_as_long_as_allowed_is_read(tmp_path, monkeypatch):
    line = b'{"query": "lamp"}\n'
    monkeypatch.setattr("judge.tables.lines.LIMIT", len(line))
    (tmp_path / "p.jsonl").write_bytes(line * 3)
    assert [row.values for row in Table(tmp_path / "p.jsonl").rows()] == [{"query": "lamp"}] * 3


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is bounded as Linux does it")
def test_a_page_that_unfolds_to_a_long_text_in_every_row_takes_bounded_memory(tmp_path):
    # 4,000 rows of 400,000 letters are 1.6 GB, in a file of some kilobytes.
    title = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), pa.array(["A" * 400_000]))
    table = pa.table({"query": ["red"] * 4000, "candidate_id": [f"c{i}" for i in range(4000)], "title": title})
    pq.write_table(table, tmp_path / "p.parquet", compression="zstd")
    code = """
from pathlib import Path
from judge.tables.rows import Table
rows = sum(1 for _ in Table(Path("p.parquet")).rows())
print(rows, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    rows, kibibytes = map(int, done.stdout.split())
    assert rows == 4000
    assert kibibytes < 350 * 1024
