"""The report in a real browser: no error, no request, sorting, filtering, deciding; and what it looks like.

Screenshots (light, dark, phone) go to the folder `$REPORT_SHOTS`, or to pytest's own.
"""

import json
import os
from pathlib import Path

import pytest
from browser_fixtures import MARKS, UNSAID, overflow
from conftest import ROOT, in_process

from judge.run.decisions import Decisions
from judge.run.store import Run

SHOP = ROOT / "examples" / "shop"
pytestmark = MARKS


def judge(*words):
    assert in_process(*words).code == 0


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    judge(
        "label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--out", folder / "run"
    )
    judge("agree", SHOP / "ratings.csv", "--run", folder / "run", "--report", folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def browser(page, browser):
    """The browser with the report just opened."""
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(page.parent)})
    browser.get(page.as_uri())
    return browser


def column(browser, table, place):
    rows = browser.find_elements("css selector", f"#{table} tbody tr")
    return [
        row.find_elements("css selector", "th, td")[place].text.split("\n")[0] for row in rows if row.is_displayed()
    ]


def test_no_error_and_no_request(browser, page):
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    # The browser's own first tab asks for things too: those have another document.
    assert {a["request"]["url"] for a in asked if a["documentURL"] == page.as_uri()} == {page.as_uri()}
    # Even what a script would ask for is refused by the page's own policy.
    refused = browser.execute_async_script(
        "const done = arguments[0]; fetch('https://example.com/').then(() => done('sent'), () => done('refused'))"
    )
    assert refused == "refused"
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def test_a_table_sorts_both_ways_and_says_so(browser):
    head = browser.find_elements("css selector", "#rater-table thead th")[2]
    for state, reverse in (("descending", True), ("ascending", False)):
        head.find_element("tag name", "button").click()
        values = [float(text) for text in column(browser, "rater-table", 2)]
        assert values == sorted(values, reverse=reverse)
        assert head.get_attribute("aria-sort") == state


def test_a_filter_leaves_only_what_was_typed(browser):
    field = browser.find_element("id", "clause-filter")
    field.send_keys("accessory")
    assert set(column(browser, "clause-table", 0)) >= {"accessory", "misfit-accessory"}
    assert "full-match" not in column(browser, "clause-table", 0)
    assert browser.find_element("id", "clause-filter-n").text.endswith("of 12")
    field.clear()
    field.send_keys(" ")
    assert len(column(browser, "clause-table", 0)) == 12


def test_decisions_stay_in_the_page_until_they_are_saved(browser, page):
    from selenium.webdriver.support.wait import WebDriverWait

    cases = browser.find_elements("class name", "case")
    labels = {
        (q, c): g for q, c, g in Run(page.parent / "run").query("SELECT query_id, candidate_id, grade FROM labels")
    }
    shown = json.loads(cases[0].get_attribute("data-pair"))
    other = (labels[shown["query_id"], shown["candidate_id"]] + 1) % 3
    cases[0].find_element("css selector", f"input[value='{other}']").click()
    cases[0].find_element("css selector", "input[type=text]").send_keys("a substitute")
    cases[1].find_element("css selector", "input[type=text]").send_keys("=cannot tell")
    browser.find_element("id", "author").send_keys("lead")
    browser.find_element("id", "save").click()
    saved = page.parent / "decisions.jsonl"
    WebDriverWait(browser, 60).until(lambda _: saved.is_file() and saved.stat().st_size)
    judge("decide", page.parent / "run", saved)
    first, second = Decisions(page.parent / "run")
    assert (first.verdict, first.grade, first.reason, first.author) == ("change", other, "a substitute", "lead")
    assert (second.verdict, second.reason) == ("unsure", "=cannot tell")
    pairs = [json.loads(case.get_attribute("data-pair")) for case in cases[:2]]
    assert [(p["query_id"], p["candidate_id"]) for p in pairs] == [
        (d.query_id, d.candidate_id) for d in (first, second)
    ]
    assert browser.execute_script("return localStorage.length + document.cookie.length") == 0


def test_it_can_be_used_without_seeing_it(browser):
    assert browser.execute_script(UNSAID) == []
    # Queries of a segment that are too few for an interval.
    assert "no interval" in browser.find_element("id", "segment-table").text
    unnamed = "return [...document.querySelectorAll('input')].filter((i) => !i.labels.length && !i.ariaLabel).length"
    assert browser.execute_script(unnamed) == 0


CONTRAST = """
const light = (color) => {
  const parts = color.match(/[\\d.]+/g).map(Number).slice(0, 3).map((v) => (color.startsWith("color") ? v : v / 255));
  const [r, g, b] = parts.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const color = getComputedStyle(element).backgroundColor;
    if (color !== "rgba(0, 0, 0, 0)") return color;
  }
  return "rgb(255, 255, 255)";
};
const words = "p, td, th, dd, dt, li, h1, h2, h3, caption, span, a, summary, button, label";
const ratios = [...document.querySelectorAll(words)]
  .filter((element) => element.textContent.trim() && element.checkVisibility())
  .map((element) => [getComputedStyle(element).color, behind(element)].map(light))
  .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
return Math.min(...ratios);
"""


@pytest.mark.parametrize(("look", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_it_is_legible_and_fits(browser, page, look, width):
    media = {"features": [{"name": "prefers-color-scheme", "value": look}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script(CONTRAST) >= 4.5  # WCAG 2.2, AA
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    import base64

    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})["data"]
    folder = Path(os.environ.get("REPORT_SHOTS", page.parent))
    (folder / f"report-{look}-{width}.png").write_bytes(base64.b64decode(shot))


@pytest.mark.parametrize("width", [390, 320])
def test_it_fits_a_phone_with_any_font(browser, page, width):
    assert overflow(browser, page.as_uri(), width) == {}


PRINTED = """
const seen = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).length;
return {
  paper: getComputedStyle(document.body).backgroundColor,
  controls: seen("input[type=search], input[type=radio], #save, #author"),
  decided: seen(".decide"),
  cut: [...document.querySelectorAll(".scroll, figure")].filter((e) => e.scrollWidth > e.clientWidth + 1).length,
  heads: [...document.querySelectorAll("th button")].filter((b) => getComputedStyle(b).display !== "contents").length,
  wide: document.documentElement.scrollWidth,
};
"""


def test_it_prints_light_whole_and_without_its_controls(browser, page):
    # A4 with the browser's own margins is about 718 pixels wide.
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 718, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.find_element("css selector", ".case input[value='1']").click()
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": dark})
    found = browser.execute_script(PRINTED)
    # Heads of sorting tables must not be buttons on paper: those are missing where a table goes on on another page.
    assert found == {"paper": "rgb(255, 255, 255)", "controls": 0, "decided": 1, "cut": 0, "heads": 0, "wide": 718}
    assert browser.execute_script(CONTRAST) >= 4.5
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Page.printToPDF", {})
    assert browser.execute_script("return document.querySelectorAll('details[open]').length") == 0, "folded again"
