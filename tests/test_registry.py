"""Adding one format, measure, engine or flag type is adding its file: each is planted in a folder, and found at work.

The files are those that CONTRIBUTING.md shows.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

import judge.engines.kinds
import judge.export.formats
import judge.run.flag_types
import judge.statistics.agreement
from judge.registry import registered

PACKAGES = {
    "format": judge.export.formats,
    "measure": judge.statistics.agreement,
    "engine": judge.engines.kinds,
    "flag type": judge.run.flag_types,
}
EXAMPLES = dict(
    re.findall(r"\*\*A[n]? ([a-z ]+)\.\*\*.*?```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.S)
)
ROWS = "query,candidate_id,title\nlamp,a,Lamp\nlamp,b,Sofa\ndesk,c,Desk\n"


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Put the example of a kind beside the package's own modules."""

    def plant(kind):
        package, folder = PACKAGES[kind], tmp_path / "more"
        folder.mkdir()
        (folder / "planted.py").write_text(EXAMPLES[kind], encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])

    yield plant
    for package in PACKAGES.values():
        sys.modules.pop(f"{package.__name__}.planted", None)
        vars(package).pop("planted", None)


def test_each_kind_has_a_short_example():
    assert set(EXAMPLES) == set(PACKAGES)
    assert all(len([line for line in text.splitlines() if line.strip()]) <= 24 for text in EXAMPLES.values())


def test_a_format(planted, main, tmp_path):
    planted("format")
    (tmp_path / "pairs.csv").write_text(ROWS)
    main("label", "pairs.csv", "--engine", "fake", "--out", "run")
    main("export", "run", "--to", "shouted", "--out", "out.txt")
    [form] = [form for name, form in judge.export.formats.formats().items() if name == "shouted"]
    assert (tmp_path / "out.txt").read_text().startswith("LAMP")
    assert {(row.query, row.candidate_id) for row in form.read(tmp_path / "out.txt")} == {
        ("LAMP", "a"),
        ("LAMP", "b"),
        ("DESK", "c"),
    }
    assert "shouted" in judge.export.formats.format_help()


def test_a_measure(planted, main, tmp_path):
    planted("measure")
    (tmp_path / "r.csv").write_text("query,candidate_id,ann,ben\nlamp,a,2,2\nlamp,b,0,1\ndesk,c,1,1\ndesk,d,0,2\n")
    said = main("agree", "r.csv", "--raters", "ann,ben", "--json").json
    assert said["error_rate"]["value"] == 0.5  # two of four pairs differ
    assert "error rate" in main("agree", "r.csv", "--raters", "ann,ben", "--report", "r.html").out
    assert "error rate" in (tmp_path / "r.html").read_text()


def test_an_engine(planted, main, tmp_path):
    planted("engine")
    (tmp_path / "pairs.csv").write_text(ROWS)
    (tmp_path / "e.yaml").write_text("constant:\n  place: 1\n")
    main("label", "pairs.csv", "--engine", "constant", "--engine-config", "e.yaml", "--out", "run")
    assert main("status", "run", "--json").json["grades"]["1"] == 3
    assert main("label", "pairs.csv", "--engine", "constant", "--url", "http://x", "--out", "r", code=2)


def test_a_flag_type(planted, main, tmp_path):
    planted("flag type")
    (tmp_path / "g.csv").write_text("query,candidate_id,title,grade\nlamp,a,Lamp,2\nlamp,b,Sofa,0\n")
    main("import", "g.csv", "--out", "run")
    events = "query,candidate_id,position,impressions,clicks\nlamp,a,1,1000,1\nlamp,b,2,1000,900\n"
    (tmp_path / "e.csv").write_text(events)
    found = main("audit", "run", "e.csv", "--out", "audit", "--fdr", "0.5", "--json").json
    assert "any_doubt" in found["flags"]
    assert "clicked, and probably another grade" in (tmp_path / "audit" / "report.html").read_text()


def test_two_of_one_name_are_refused(planted):
    planted("format")
    again = Path(judge.export.formats.__path__[-1]) / "again.py"
    again.write_text(EXAMPLES["format"].replace("shouted", "trec"), encoding="utf-8")
    with pytest.raises(ValueError, match="trec"):
        judge.export.formats.formats()
    sys.modules.pop("judge.export.formats.again", None)


def test_names_are_tested_nowhere_else():
    """No engine is told by its name."""
    found = [
        str(path)
        for folder in ("judge", "audit", "finetune", "relevance_judge")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"engine (?:==|!=|in \(|not in \()", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_tables_of_the_docs_are_current():
    code = (
        "import sys, json; sys.path.insert(0, 'docs'); import write_tables; "
        "sys.stdout.write(json.dumps({p.name: t for p, t in write_tables.pages().items()}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=True)
    for name, text in json.loads(done.stdout).items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, "python docs/write_tables.py"


def test_places_in_lists_are_theirs_alone():
    for package in PACKAGES.values():
        name = next(name for name in ("Format", "Measure", "EngineKind", "FlagType") if hasattr(package, name))
        kind = getattr(package, name)
        orders = [item.order for item in registered(package.__name__, kind).values()]
        assert len(set(orders)) == len(orders)
        assert orders == sorted(orders)
