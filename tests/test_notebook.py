"""The notebook runs from top to bottom as it stands, and shows what it promises."""

import ast
import json
import sys
import tempfile

from conftest import ROOT

import relevance_judge as rj
from judge.models.shipped import SHIPPED

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


def shown_by(cells):
    """What each cell shows, run in their order as a notebook runs them."""
    names = {}
    for text in cells:
        cell = ast.parse(text)
        last = cell.body.pop() if isinstance(cell.body[-1], ast.Expr) else None
        exec(compile(cell, "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
        yield value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)


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


def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    """With the fake judge; tests/api/test_judge.py holds the scores of the shipped one."""
    named = []
    monkeypatch.setattr(rj, "Judge", lambda name, judge=rj.Judge: named.append(name) or judge(engine="fake"))
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shown = dict(zip(CODE, shown_by(CODE), strict=True))
    assert named == [SHIPPED]
    assert capsys.readouterr().err == ""  # progress is quiet unless asked for
    by_end = {text.strip().splitlines()[-1]: html for text, html in shown.items()}
    assert by_end["scores"].count("<tr>") == 1 + 3
    assert by_end["run"].count("graded") == 1
    assert "weighted_kappa" in by_end["found"]
    for chart in ("found.chart()", "found.reliability()"):
        assert by_end[chart].startswith("<svg")
        assert by_end[chart].count("<circle") >= 5
    assert "purchased_but_low" in by_end["audit"]
    assert "records of test" in by_end["exported"]
    assert by_end["mined"].count("<tr>") > 1
    assert "attribute" in by_end["made.by_kind, made.refused"]
