"""The floor plan: a file imports only from floors below, and importing any of it loads nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "judge.records": 0,
    "judge.errors": 0,
    "judge": 0,
    "judge.fingerprint": 1,
    "judge.guideline": 1,
    "judge.files": 1,
    "judge.cells": 1,
    "judge.text": 1,
    "judge.labels": 1,
    "judge.heads": 1,
    "judge.delimited": 1,
    "judge.line_count": 1,
    "judge.lines": 1,
    "judge.sql": 1,
    "judge.settings": 1,
    "judge.parquet": 1,
    "judge.parts": 1,
    "judge.manifest": 1,
    "judge.rows": 1,
    "judge.scale": 1,
    "judge.columns": 1,
    "judge.intake": 1,
    "judge.staging": 1,
    "judge.store": 1,
    "judge.handover": 1,
    "judge.decisions": 1,
    "judge.consensus": 1,
    "judge.overlap": 1,
    "judge.shipped": 1,
    "judge.gguf": 1,
    "judge.pairs": 2,
    "judge.tokenizer": 2,
    "judge.prompt": 2,
    "judge.embedded": 2,
    "judge.model": 2,
    "judge.engines": 2,
    "judge.calibrate": 3,
    "judge.abstain": 3,
    "judge.chart": 3,
    "judge.adapter": 3,
    "judge.label": 3,
    "judge.job": 3,
    "judge.parity": 3,
    "judge.asked": 3,
    "judge.trace": 3,
    "judge.importing": 3,
    "judge.summary": 3,
    "judge.export": 3,
    "judge.handbook": 3,
    "judge.hub": 3,
    "audit": 4,
    "finetune": 4,
    "mine": 4,
    "retriever": 4,
    "cli": 5,
}
PACKAGES = ("judge", "audit", "finetune", "mine", "retriever", "cli")
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "vllm",
    "ray",
    "datasets",
    "huggingface_hub",
    "duckdb",
    "pyarrow",
    "sklearn",
    "cleanlab",
}


def floor_of(module: str) -> int:
    while module not in FLOORS:
        module = module.rpartition(".")[0]
    return FLOORS[module]


def modules():
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


MODULES = dict(modules())


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_only_from_its_floor_or_below(module):
    for name in imports(MODULES[module]):
        if name.partition(".")[0] not in PACKAGES:
            continue
        assert floor_of(name) <= floor_of(module), f"{module} (floor {floor_of(module)}) imports {name}"
        if floor_of(module) == floor_of(name) == 4:
            assert name.partition(".")[0] == module.partition(".")[0], f"siblings meet on disk: {module} imports {name}"


def test_floor_0_needs_pydantic_and_the_standard_library_only():
    allowed = set(sys.stdlib_module_names) | {"pydantic"}
    for module in ("judge.records", "judge.errors"):
        assert {name.partition(".")[0] for name in imports(MODULES[module])} <= allowed


def test_there_is_no_import_cycle():
    edges = {m: {n for n in imports(p) if n in MODULES and n != m} for m, p in MODULES.items()}
    done: set[str] = set()
    while len(done) < len(edges):
        free = {m for m, needs in edges.items() if m not in done and needs <= done}
        assert free, f"a cycle among {sorted(set(edges) - done)}"
        done |= free


def test_importing_every_module_loads_nothing_heavy():
    code = f"import sys, {', '.join(MODULES)}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.split() == []
