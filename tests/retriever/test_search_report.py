"""The evaluation's page: in a browser without errors or requests, at every width; and nothing of others in it obeys."""

import json
from html.parser import HTMLParser

import pytest
from browser_fixtures import UNSAID, in_browser, overflow
from conftest import ROOT, in_process

SHOP = ROOT / "examples" / "shop"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    given = ("--gold", SHOP / "grades.csv", "--catalogue", SHOP / "catalogue.csv", "--against", "bm25")
    run = SHOP / "grades.csv", "--catalogue", SHOP / "catalogue.csv", "--out", folder / "run"
    assert in_process("import", *run).code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELEVANCE_JUDGE_CACHE", str(folder / "cache"))
        told = ("--fill", folder / "run", "--fill-sample", SHOP / "grades.csv", "--report", folder / "r.html")
        assert in_process("evaluate", "fake", *given, *told).code == 0
    return folder / "r.html"


@in_browser
def test_no_error_no_request_and_nothing_too_wide(browser, page):
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert {a["request"]["url"] for a in asked if a["documentURL"] == page.as_uri()} == {page.as_uri()}
    for width in (390, 1280):
        assert overflow(browser, page.as_uri(), width) == {}
    assert browser.execute_script(UNSAID) == []


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_names_of_others_are_no_markup(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "<img src=x onerror=alert(1)>.run"
    run.write_text("Q01 Q0 P001 1 9 x\n")
    given = ("--gold", SHOP / "grades.csv", "--catalogue", SHOP / "catalogue.csv", "--report", "r.html")
    assert in_process("evaluate", run, *given).code == 0
    tags = Tags()
    tags.feed((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert {"img", "script"}.isdisjoint(tag for tag, _ in tags.found)
    assert not [name for _, given in tags.found for name in given if name.startswith("on")]
