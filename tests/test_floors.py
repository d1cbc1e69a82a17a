"""The floor plan: folders are rooms, a file imports from floors below and from its own room, and importing is free."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = (
    ("judge",),  # its own files: the vocabulary, and what every room stands on
    ("judge.tables", "judge.words", "judge.statistics"),
    ("judge.models", "judge.pairs", "judge.run"),
    ("judge.engines", "judge.calibration", "judge.ratings", "judge.search"),
    ("judge.labelling", "judge.export"),
    ("audit", "finetune", "mine", "retriever"),  # they meet on disk
    ("relevance_judge",),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
PACKAGES = tuple(sorted({room.partition(".")[0] for room in FLOOR}))
WINGS = {
    ("audit.diff", "audit.agreement"),  # segments of the pairs
}
"""Which wing of the audit may import which other."""
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
    "sentence_transformers",
}


def modules(root: Path):
    """Name and file of every module of the packages."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path):
    """Every module, or name out of a module, that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str:
    """The room that a module, or a name out of one, belongs to."""
    while name not in FLOOR:
        name = name.rpartition(".")[0]
    return name


def wing_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def broken(root: Path) -> list[str]:
    """Imports that the plan forbids."""
    found = []
    for module, path in modules(root):
        here = room_of(module)
        for name in imports(path):
            if name.partition(".")[0] not in PACKAGES:
                continue
            there = room_of(name)
            if here != there and FLOOR[there] >= FLOOR[here]:
                found.append(f"{module} (floor {FLOOR[here]}) imports {name} (floor {FLOOR[there]})")
            wings = wing_of(module), wing_of(name)
            if here == there == "audit" and wings[0] != wings[1] and wings not in WINGS:
                found.append(f"{module} imports {name} of another wing")
    return found


MODULES = dict(modules(ROOT))


def test_a_file_imports_only_from_floors_below_and_from_its_own_room():
    assert broken(ROOT) == []


def test_every_folder_of_the_judge_is_a_room_with_a_floor():
    folders = {f"judge.{path.parent.name}" for path in (ROOT / "judge").glob("*/__init__.py")}
    assert folders <= set(FLOOR)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("judge/records.py", "from judge.tables.rows import Table"),  # upward
        ("judge/words/prompt.py", "from judge.tables import values"),  # sideways, between rooms
        ("judge/run/store.py", "from judge.labelling.begin import begin_run"),
        ("judge/export/ledger.py", "import judge.labelling.trace"),
        ("audit/review/queue.py", "from finetune.job import finetune"),  # sideways, between siblings
        ("audit/probes/probe.py", "from audit.agreement import segments"),  # sideways, between wings
        ("mine/mining.py", "from finetune.job import finetune"),
        ("retriever/search.py", "from mine.rankings import placed"),
        ("judge/search/nearest.py", "from judge.ratings.reader import Ratings"),
        ("finetune/job.py", "from relevance_judge.cli.output import table"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path, file, line):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(f"def late():\n    {line}\n", encoding="utf-8")
    assert len(broken(tmp_path)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("judge/run/store.py", "from judge.words.guideline import Guideline"),
        ("judge/run/store.py", "from judge.run import manifest"),
        ("audit/diff/shifted.py", "from audit.agreement.segments import groups"),
        ("retriever/search.py", "from judge.search.nearest import nearest"),
        ("relevance_judge/cli/label.py", "from judge.labelling.job import label"),
    ],
)
def test_imports_that_the_plan_allows_are_none_of_it(tmp_path, file, line):
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(f"{line}\n", encoding="utf-8")
    assert broken(tmp_path) == []


def test_benchmarks_import_nothing_of_the_command_line():
    taken = {name for path in (ROOT / "benchmarks").glob("*.py") for name in imports(path)}
    assert not {name for name in taken if name.partition(".")[0] == "relevance_judge"}


def test_the_vocabulary_needs_pydantic_and_the_standard_library_only():
    allowed = set(sys.stdlib_module_names) | {"pydantic"}
    for module in ("judge.records", "judge.errors"):
        assert {name.partition(".")[0] for name in imports(MODULES[module])} <= allowed


def test_there_is_no_import_cycle():
    edges = {}
    for module, path in MODULES.items():
        taken = {name if name in MODULES else name.rpartition(".")[0] for name in imports(path)}
        edges[module] = (taken & set(MODULES)) - {module}
    done: set[str] = set()
    while len(done) < len(edges):
        free = {m for m, needs in edges.items() if m not in done and needs <= done}
        assert free, f"a cycle among {sorted(set(edges) - done)}"
        done |= free


def test_importing_every_module_loads_nothing_heavy():
    code = f"import sys, {', '.join(MODULES)}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert found.stdout.split() == []


def arrows(root: Path, package: str) -> tuple[set[str], set[tuple[str, str]]]:
    """The rooms of a package, a loose file being one of its own, and who imports whom among them."""
    inside = {name: path for name, path in modules(root) if name.partition(".")[0] == package}
    rooms = {".".join(name.split(".")[:2]) for name in inside} - {package}
    taken = {(".".join(m.split(".")[:2]), ".".join(n.split(".")[:2])) for m, p in inside.items() for n in imports(p)}
    return rooms, {(a, b) for a, b in taken if a != b and {a, b} <= rooms}


if __name__ == "__main__":
    for package in ("judge", "audit", "finetune"):
        rooms, found = arrows(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT, package)
        back = sum((b, a) in found for a, b in found) // 2
        counts = f"{len(rooms)} rooms, {len(found)} arrows, {back} pairs of rooms that import each other"
        sys.stdout.write(f"{package}: {counts}\n")
