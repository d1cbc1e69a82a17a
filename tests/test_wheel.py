"""The wheel, built and installed alone: it brings its words, and takes no name that is not its own."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from conftest import DOZEN, ROOT

pytestmark = pytest.mark.slow

PACKAGES = {"judge", "audit", "finetune", "mine", "retriever", "relevance_judge"}


def run(*command, folder):
    """What a command prints that sees nothing of this checkout."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment of the wheel and of what it needs; the latter is found where it lies for these tests."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    places = {str(found.locate_file("")) for found in distributions()} - {str(ROOT)}
    (site / "dependencies.pth").write_text("".join(f"{place}\n" for place in sorted(places)))
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", "--ignore-installed", wheel, folder=folder)
    return folder / "bin"


def test_it_takes_the_names_of_its_packages_and_no_other(wheel):
    names = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    assert {name.parts[0] for name in names if not name.parts[0].endswith(".dist-info")} == PACKAGES
    assert {name.parent.name for name in names if name.name == "py.typed"} == PACKAGES


@pytest.mark.parametrize("folder", ["guidelines", "prompts"])
def test_words_travel_as_data_of_the_package_that_reads_them(wheel, folder):
    held = zipfile.ZipFile(wheel)
    prefix = f"judge/words/{folder}/"
    brought = {name.removeprefix(prefix): held.read(name) for name in held.namelist() if name.startswith(prefix)}
    assert brought == {path.name: path.read_bytes() for path in (ROOT / folder).iterdir()}


SCORE = """
import relevance_judge as rj
pairs = [("lamp", {"title": f"Lamp {n}"}) for n in range(10)]
judge = rj.Judge(engine="fake")
rows = [{"query": query, "candidate_id": n, **texts} for n, (query, texts) in enumerate(pairs)]
print(rj.__file__, len(judge.score(pairs)), rj.label(rows, judge=judge, out="run").summary.status["graded"])
"""


def test_python_labels_ten_pairs_from_an_empty_folder(installed, tmp_path):
    where, scored, graded = run(installed / "python", "-c", SCORE, folder=tmp_path).split()
    assert Path(where).is_relative_to(installed.parent)
    assert (scored, graded) == ("10", "10")


def test_the_command_works_from_an_empty_folder(installed, tmp_path):
    where = run(installed / "python", "-c", "import judge; print(judge.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    judge = installed / "judge"
    assert json.loads(run(judge, "guideline", "--json", folder=tmp_path))["name"] == "three-level"
    run(judge, "guideline", "--html", "handbook.html", folder=tmp_path)
    found = json.loads(run(judge, "label", DOZEN, "--engine", "fake", "--out", "run", "--json", folder=tmp_path))
    assert found["rows"] == found["labelled"] == 12
    assert {path.name for path in tmp_path.iterdir()} == {"handbook.html", "run"}
