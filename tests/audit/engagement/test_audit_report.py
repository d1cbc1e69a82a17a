"""What the report says of a flag in words, next to what products of both grades get; and the page in a browser."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from browser_fixtures import UNSAID, in_browser
from conftest import ROOT

from audit.engagement.usual import in_words
from judge.records import Flag

SHOP = ROOT / "examples" / "shop"
GRADES = SimpleNamespace(grades=[SimpleNamespace(value=v, name=n) for v, n in ((0, "irrelevant"), (3, "relevant"))])
FLAG = {
    "row": 1,
    "query_id": "q",
    "query": "lamp",
    "candidate_id": "c",
    "candidate": {},
    "grade": 3,
    "p_wrong": 0.9,
    "impressions": 220,
    "examined_impressions": 38.2,
    "clicks": 5,
    "examined_clicks": 5.0,
    "expected_clicks": 19.2,
    "expected_low": 12,
    "expected_high": 27,
    "carts": 0,
    "purchases": 0,
    "type": "ignored_but_relevant",
    "strength": 1.0,
    "q_value": 0.1,
    "suggested_grade": 0,
    "suggested_action": "ask people",
}


def gets(clicks, carts=(np.nan, np.nan), purchases=(np.nan, np.nan)):
    return {name: np.array(each) for name, each in (("clicks", clicks), ("carts", carts), ("purchases", purchases))}


def test_a_flag_in_words_by_hand():
    said = in_words(Flag(**FLAG), gets((1.6, 19.2)), GRADES)
    assert said == (
        "Shown 220 times, about 38 seen: 5 clicks, where relevant products get 19 (12 to 27) and irrelevant ones 1.6."
    )
    # The other way about, with carts; purchases that nobody makes and nobody would are left out.
    high = Flag(**{**FLAG, "grade": 0, "suggested_grade": 3, "clicks": 30, "examined_clicks": 21.0, "carts": 1})
    said = in_words(high, gets((1.6, 19.2), (0.5, 4.0), (0.1, 0.9)), GRADES)
    assert said == (
        "Shown 220 times, about 38 seen: 30 clicks (21 beyond trust in the place), where irrelevant products get 1.6 "
        "(12 to 27) and relevant ones 19; 1 cart (0.5 and 4)."
    )
    # Nothing was learned, and all was seen.
    plain = Flag(**{**FLAG, "examined_impressions": 220.0, "expected_low": None, "expected_high": None})
    assert in_words(plain, gets((np.nan, np.nan)), GRADES) == "Shown 220 times: 5 clicks."


@pytest.fixture(scope="module")
def report(audited_shop):
    return (audited_shop[0] / "audit" / "report.html").as_uri()


@in_browser
def test_flags_are_filtered_by_type_and_by_words(browser, report):
    browser.get(report)

    def shown():
        return [flag for flag in browser.find_elements("css selector", ".flag") if flag.is_displayed()]

    every = len(shown())
    assert every > 5
    assert not [link for link in browser.find_elements("css selector", ".go") if link.is_displayed()], "from a file"
    browser.find_element("css selector", "input[value=ignored_but_relevant]").click()
    assert 0 < len(shown()) < every
    for box in browser.find_elements("css selector", ".filter input:checked"):
        box.click()
    assert shown() == []
    browser.find_element("css selector", "input[value=ignored_but_relevant]").click()
    ignored = len(shown())
    assert all("ignored_but_relevant" in flag.get_attribute("data-types") for flag in shown())
    words = shown()[0].find_element("tag name", "h3").text
    browser.find_element("id", "words").send_keys(words.split("→")[1].strip()[:20])
    assert 0 < len(shown()) < ignored
    assert browser.find_element("id", "shown").text.startswith(f"{len(shown())} of ")
    assert not browser.get_log("browser"), "nothing is blocked by the page's own policy"
    asked = [
        entry["message"] for entry in browser.get_log("performance") if "Network.requestWillBeSent" in entry["message"]
    ]
    assert all("file://" in message for message in asked)


@in_browser
def test_it_can_be_read_without_seeing_it(browser, report):
    browser.get(report)
    assert browser.execute_script(UNSAID) == []
    # A command to copy, of one piece.
    assert browser.find_element("css selector", "h1 + p code").text.startswith("judge review ")


@in_browser
def test_a_text_from_right_to_left_stays_in_its_place(browser, audited_shop, tmp_path):
    page = (audited_shop[0] / "audit" / "report.html").read_text(encoding="utf-8")
    turned = re.sub(r"<h3><q>.*?</q> → <bdi>.*?</bdi>", "<h3><q>حذاء \u202e</q> → <bdi>حذاء رجالي 42</bdi>", page)
    (tmp_path / "r.html").write_text(turned, encoding="utf-8")
    browser.get((tmp_path / "r.html").as_uri())
    places = "const x = (e) => document.querySelector(`.flag ${e}`).getBoundingClientRect();"
    query, title = browser.execute_script(f"{places} return [x('q').right, x('bdi').left]")
    assert query < title, "the arrow leads from the query to the product"
