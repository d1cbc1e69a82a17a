"""`import relevance_judge` costs nothing, and says what there is."""

import io
import pydoc
import subprocess
import sys

import pytest
from conftest import ROOT

import relevance_judge as rj

HEAVY = ("torch", "transformers", "duckdb", "pyarrow", "pandas", "scipy", "datasets", "click", "numpy", "pydantic")


def loaded(code):
    """Which heavy modules a process has after some code."""
    code += f"\nimport sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout.split()


def test_importing_it_loads_nothing_heavy():
    assert loaded("import relevance_judge as rj; dir(rj); rj.__doc__") == []


def test_taking_every_name_loads_no_library_of_models_or_tables():
    found = loaded("import relevance_judge as rj; [getattr(rj, name) for name in rj.__all__]")
    assert set(found) <= {"numpy", "scipy", "pydantic"}


def test_every_name_is_there_and_documented():
    assert set(rj.__all__) <= set(dir(rj))
    for name in rj.__all__:
        assert pydoc.getdoc(getattr(rj, name)), name
    with pytest.raises(AttributeError, match="no attribute 'lable'"):
        _ = rj.lable


def test_help_shows_functions_and_classes():
    page = io.StringIO()
    pydoc.Helper(output=page)(rj)
    for name in rj.__all__:
        assert name in page.getvalue()


def test_every_error_is_of_one_tree():
    errors = {name for name in rj.__all__ if name.endswith("Error")}
    assert errors == {"JudgeError", "InputError", "RunError", "ModelError", "EngineError", "HubError"}
    assert all(issubclass(getattr(rj, name), rj.JudgeError) for name in errors)


def test_docs_are_current():
    code = "import sys; sys.path.insert(0, 'docs'); import write_api; sys.stdout.write(write_api.document())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    fix = "python docs/write_api.py"
    made = done.stdout.decode()
    assert made == (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), fix
    assert "- ` " not in made, "a line that goes on is no parameter, whatever colon it has"


SCRIPT = """
import numpy as np
import numpy.typing as npt

import relevance_judge as rj

judge = rj.Judge("shop-135m", max_noise=0.1)
scores = judge.score([("wool scarf", {"title": "Merino scarf"}), ("lamp", "Desk lamp")])
chances: npt.NDArray[np.float64] = scores.probabilities
grade: int | None = scores[0].grade
rows = [{"query": "lamp", "candidate_id": "1", "title": "Lamp"}]
run: rj.Run = rj.label(rows, judge=judge, out="runs/monday", map={"candidate_id": "sku"})
found = rj.agree(run, "ratings.csv", rating="label", grades={"E": 2, "S": 1, "I": 0})
interval: tuple[float, float] | None = found["weighted_kappa"].interval
flags: tuple[rj.Flag, ...] = rj.audit(run, "events.parquet", fdr=0.05).flags
exported = run.export("triplets", splits={"train": 0.9, "test": 0.1}, min_confidence=0.6)
records: int = exported.records["train"]
try:
    rj.finetune("ratings.csv", out="ours", raters=["ann", "ben"], config={"epochs": 2}).judge().score([("a", "b")])
except rj.EngineError as error:
    print(error.message, error.hint)
"""
WRONG = {
    "rj.plan('pairs.csv')": "call-arg",  # where to?
    "rj.agree('run', 'ratings.csv', ratting='label')": "call-arg",
    "rj.Judge('shop-135m').score([('lamp', 7)])": "list-item",
    "rj.export('run', 'trec', splits='train=1')": "arg-type",
}


@pytest.mark.slow
def test_a_users_script_passes_the_strictest_type_check(tmp_path):
    """With the cache of `make check`, whose settings these are: without it mypy reads numpy and more for a minute."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text(SCRIPT + "\n".join(WRONG))
    settings = ("--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache")
    command = [sys.executable, "-m", "mypy", *settings, "--strict", "--ignore-missing-imports", "script.py", "wrong.py"]
    environment = {"MYPYPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment).stdout
    assert "script.py:" not in found, found
    for line, kind in enumerate(WRONG.values(), SCRIPT.count("\n") + 1):
        assert f"wrong.py:{line}: error" in found, found
        assert f"[{kind}]" in found
    assert f"Found {len(WRONG)} errors in 1 file (checked 2 source files)" in found
