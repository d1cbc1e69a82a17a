"""The notebook runs from top to bottom as it stands, and shows what it promises."""

import ast
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]

RUNNER = """
import ast, json, sys
names, shown = {}, []
for text in json.loads(sys.stdin.read()):
    cell = ast.parse(text)
    last = cell.body.pop() if isinstance(cell.body[-1], ast.Expr) else None
    exec(compile(cell, "cell", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
    shown.append(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value))
print(json.dumps(shown))
"""


def test_it_holds_no_output():
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_it_needs_nothing_beyond_the_package():
    taken = {
        alias.name.partition(".")[0]
        for text in CODE
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert taken - set(sys.stdlib_module_names) == {"relevance_judge"}


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(CODE),
        capture_output=True,
        text=True,
        cwd=NOTEBOOK.parent,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # progress is quiet unless asked for
    shown = dict(zip(CODE, json.loads(done.stdout), strict=True))
    by_end = {text.strip().splitlines()[-1]: html for text, html in shown.items()}
    assert by_end["scores"].count("<tr>") == 1 + 3
    assert by_end["run"].count("graded") == 1
    assert "weighted_kappa" in by_end["found"]
    for chart in ("found.chart()", "found.reliability()"):
        assert by_end[chart].startswith("<svg")
        assert by_end[chart].count("<circle") >= 5
    assert "purchased_but_low" in by_end["audit"]
    assert "records of test" in by_end["exported"]
