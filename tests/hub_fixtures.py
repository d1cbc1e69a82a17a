"""A local Hub, clients that speak to it, and a run to publish."""

import base64
import os
import shutil

import pytest
from conftest import in_process
from hub_server import Hub

REPO = "ann/relevance"
TOKEN = "hf_SecretOfAnnForTests"
VIEWS = ["judgments", "pairs", "triplets", "qrels", "listwise", "corpus", "queries", "top_ranked"]
# query, product, title, grade: a query whose grades are 2, 1, 0, one of 2 and 0, and one of a single product.
GRADES = [
    ("red scarf", "p1", "Red scarf", 2),
    ("red scarf", "p2", "Blue scarf", 1),
    ("red scarf", "p3", "Toaster", 0),
    ("kettle", "p4", "Steel kettle", 2),
    ("kettle", "p5", "Lamp", 0),
    ("sofa", "p6", "Sofa bed", 1),
]


@pytest.fixture
def hub():
    found = Hub()
    found.people[TOKEN] = {"name": "ann", "write": True, "orgs": ["shop"]}
    with found.running():
        yield found


@pytest.fixture
def online(hub, tmp_path, monkeypatch):
    """This process's clients speak to the local Hub, as `ann`, with caches of their own."""
    import datasets
    import huggingface_hub
    from huggingface_hub import constants

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub.url)
    monkeypatch.setattr(datasets.config, "HUB_DATASETS_URL", hub.url + "/datasets/{repo_id}/resolve/{revision}/{path}")
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", False)
    yield hub
    huggingface_hub.close_session()


@pytest.fixture(scope="session")
def imported(tmp_path_factory):
    """A run of the six grades."""
    folder = tmp_path_factory.mktemp("imported")
    lines = ["query,candidate_id,title,grade", *(",".join(map(str, row)) for row in GRADES)]
    (folder / "grades.csv").write_text("\n".join(lines) + "\n")
    assert in_process("import", folder / "grades.csv", "--out", folder / "run").code == 0
    return folder / "run"


@pytest.fixture
def run(imported, tmp_path):
    return shutil.copytree(imported, tmp_path / "run")


@pytest.fixture
def push(online, run, main):
    def call(*arguments, code=0):
        done = main("push", "run", REPO, *arguments, code=code)
        assert TOKEN not in done.out + done.err
        return done

    return call


def commit_card(hub, text, branch="main"):
    value = {"path": "README.md", "content": base64.b64encode(text.encode()).decode(), "encoding": "base64"}
    lines = [{"key": "header", "value": {"summary": "edited by hand"}}, {"key": "file", "value": value}]
    with hub.lock:
        return hub.commit(hub.repos[REPO], branch, lines)


def environment(hub, folder):
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return {**os.environ, **quiet, "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home"), "HF_TOKEN": TOKEN}
