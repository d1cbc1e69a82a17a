"""The review page over HTTP, from the real command, also killed; and in a browser."""

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager

import pytest
from browser_fixtures import in_browser, overflow
from conftest import ROOT

from audit.review.sheet import read_decisions
from judge.run.decisions import Decisions
from judge.run.flags import Flags
from judge.run.store import Run

SHOP = ROOT / "examples" / "shop"


def start(*args):
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "relevance_judge.cli.main", *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture(scope="module")
def run(audited_shop, tmp_path_factory):
    return shutil.copytree(audited_shop[0], tmp_path_factory.mktemp("review") / "shop") / "run"


@contextmanager
def reviewing(run):
    """The page's server in a process of its own, and its address."""
    process = start("review", run, "--author", "Ana")
    address = re.search(r"http://\S+", process.stdout.readline()).group()
    try:
        yield process, address
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def page(run):
    with reviewing(run) as (_, address):
        yield address


def decide(run, sheet):
    opened = Run.open(run)
    Decisions(run).append(read_decisions(opened, sheet, None)[0])


def get(address, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(address, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def test_only_the_token_on_this_machine_opens_it(page):
    assert page.startswith("http://127.0.0.1:")
    status, headers, html = get(page)
    assert status == 200
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "Product search relevance" in html
    base = re.match(r"http://[^/]+", page).group()
    assert get(base + "/")[0] == 404
    assert get(base + "/guess/state")[0] == 404
    assert get(page + "state", Host="evil.example")[0] == 404
    assert get(page + "../decisions.jsonl")[0] == 404


def test_a_decision_is_on_disk_before_the_answer_even_if_the_server_is_killed(run):
    before = len(list(Decisions(run)))
    with reviewing(run) as (process, address):
        state = json.loads(get(address + "state")[2])
        item = state["item"]
        body = {key: item[key] for key in ("query_id", "candidate_id")} | {"decision": "1", "reason": "looks like it"}
        status, _, answer = get(address + "decide", body)
        process.send_signal(signal.SIGKILL)
    assert status == 200
    after = json.loads(answer)
    assert after["settled"] == state["settled"] + 1
    assert after["item"]["query_id"], "the next one follows"
    last = list(Decisions(run))[-1]
    assert len(list(Decisions(run))) == before + 1
    assert (last.grade, last.author, last.reason, last.source) == (1, "Ana", "looks like it", "review")
    assert last.label == item["grade"]


def test_nobody_decides_over_a_decision_that_they_have_not_seen(page, run):
    item = json.loads(get(page + "state")[2])["item"]
    body = {name: item[name] for name in ("query_id", "candidate_id", "decisions")} | {"decision": "1", "reason": "own"}
    sheet = run.parent / "bens.csv"
    sheet.write_text(f"query_id,candidate_id,decision,author\n{item['query_id']},{item['candidate_id']},0,Ben\n")
    decide(run, sheet)
    before = len(list(Decisions(run)))
    status, _, answer = get(page + "decide", body)
    shown = json.loads(answer)
    assert (status, len(list(Decisions(run)))) == (200, before), "it is not written"
    assert "Ben decided on this pair meanwhile" in shown["overtaken"]
    assert (shown["item"]["candidate_id"], shown["item"]["decided"]["author"]) == (item["candidate_id"], "Ben")
    # Now she has seen it.
    after = json.loads(get(page + "decide", body | {"decisions": shown["item"]["decisions"]})[2])
    assert "overtaken" not in after
    assert list(Decisions(run))[-1].author == "Ana"


def test_what_is_no_decision_is_refused_and_nothing_is_written(page, run):
    before = len(list(Decisions(run)))
    item = json.loads(get(page + "state")[2])["item"]
    pair = {key: item[key] for key in ("query_id", "candidate_id")}
    assert get(page + "decide", pair | {"decision": "9"})[0] == 400
    assert get(page + "decide", {"query_id": "x", "candidate_id": "y", "decision": "1"})[0] == 400
    assert get(page + "decide", [1])[0] == 400
    assert get(page + "decide", pair | {"decision": "1"}, **{"Content-Type": "text/plain"})[0] == 404
    assert len(list(Decisions(run))) == before


@pytest.fixture
def audit_report(run):
    return (run.parent / "audit" / "report.html").as_uri()


@in_browser
def test_the_pages_work_in_a_browser(browser, page, audit_report):
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get(page)
    progress = browser.find_element("id", "progress")
    WebDriverWait(browser, 60).until(lambda _: re.fullmatch(r"\d+ of \d+ settled, looking at \d+", progress.text))
    assert "examined" in browser.find_element("id", "evidence").text
    browser.get(audit_report)
    assert "Where shoppers looked" in browser.find_element("tag name", "body").text
    assert browser.find_elements("tag name", "svg")


def test_the_report_is_served_and_a_pair_is_found_by_its_ids(page, run):
    status, headers, html = get(page + "report")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert html == (run / "audit.html").read_text(encoding="utf-8")
    links = re.findall(r'href="\./#([^"]+)"', html)
    assert len(links) > 5
    for link in links[-3:]:
        query = link.replace("&amp;", "&")
        item = json.loads(get(f"{page}state?{query}")[2])["item"]
        assert urllib.parse.urlencode({name: item[name] for name in ("query_id", "candidate_id")}) == query
    first = json.loads(get(page + "state")[2])["place"]
    assert get(f"{page}state?query_id=x&candidate_id=y")[0] == 404, "no other pair in its place"
    for other in ("query_id=x", "place=x", "a=1&" * 20):
        assert json.loads(get(f"{page}state?{other}")[2])["place"] == first


@in_browser
def test_a_link_of_the_report_opens_the_review_at_its_flag(browser, page):
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get(page + "report")
    flag = browser.find_elements("css selector", ".flag")[-2]
    query = flag.find_element("tag name", "h3").text.split("→")[0].strip(' “”"')
    flag.find_element("link text", "Review it").click()
    WebDriverWait(browser, 60).until(lambda _: browser.find_elements("id", "query"))
    WebDriverWait(browser, 60).until(lambda _: browser.find_element("id", "query").text)
    assert browser.find_element("id", "query").text == query


@pytest.fixture
def opened(browser, audited_shop, tmp_path):
    """A run that nobody decided on yet and the browser with its first pair, which `wait` lets look at the next."""
    from selenium.webdriver.support.wait import WebDriverWait

    copy = shutil.copytree(audited_shop[0], tmp_path / "shop") / "run"

    def wait(shown):
        WebDriverWait(browser, 60).until(lambda _: shown in browser.find_element("id", "progress").text)

    with reviewing(copy) as (_, address):
        browser.get(address)
        wait("looking at 1")
        yield copy, wait


@in_browser
def test_one_press_decides_on_one_pair(browser, opened):
    run, wait = opened
    before = len(list(Decisions(run)))
    place = int(browser.find_element("id", "progress").text.split()[-1])
    for held in (False, True, True):  # as a key that is held repeats
        event = {"type": "keyDown", "key": "U", "text": "U", "autoRepeat": held}
        browser.execute_cdp_cmd("Input.dispatchKeyEvent", event)
        wait(f"looking at {place + 1}")
    # Of others that are held, such as those that turn pages, nothing is taken.
    send = "return document.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], repeat: 1, cancelable: 1}))"
    kept = {key: browser.execute_script(send, key) for key in ("u", "Enter", "PageDown")}
    assert kept == {"u": False, "Enter": False, "PageDown": True}
    # A double click: the second click comes when the next pair is there already.
    button = browser.find_element("css selector", "[data-decision='unsure']")
    for clicks in (1, 2):
        at = browser.execute_script("const r = arguments[0].getBoundingClientRect(); return [r.x + 9, r.y + 9]", button)
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": clicks}
            browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)
        wait(f"looking at {place + 2}")
    browser.find_element("id", "back").click()
    wait(f"looking at {place + 1}")
    assert len(list(Decisions(run))) == before + 2
    assert browser.find_element("id", "decided").text == "Decided before: unsure, by Ana"


@in_browser
def test_the_page_says_what_the_report_says(browser, opened):
    run, wait = opened
    grades = {grade.value: grade.name for grade in Run.open(run).manifest.policy.grades}
    flag = Flags(run).read()[0]
    browser.get(browser.current_url + f"#query_id={flag.query_id}&candidate_id={flag.candidate_id}")
    browser.refresh()
    wait("looking at")
    label, evidence = (browser.find_element("id", name).text for name in ("label", "evidence"))
    assert label.startswith(f"{flag.grade} {grades[flag.grade]}")
    likeliest = f"{flag.suggested_grade} {grades[flag.suggested_grade]}"
    assert evidence.endswith(f"Chance that the label is wrong: over 99%, likeliest grade: {likeliest}.")


@in_browser
@pytest.mark.parametrize("width", [390, 320])
def test_the_pages_fit_a_phone_with_any_font(browser, page, audit_report, width):
    assert overflow(browser, page, width) == {}
    assert overflow(browser, audit_report, width) == {}
