"""One browser for all tests of HTML pages, and what makes a page wider than the screen."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --window-size=1280,1000"
)

MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
    # The driver's sockets are closed by the garbage collector, which is no fault of the page.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def in_browser(test):
    """Mark a test that needs the browser."""
    for mark in MARKS:
        test = mark(test)
    return test


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """The browser, started once."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver):
    """That browser with an empty page and empty logs, in the default size and colours."""
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.get("about:blank")
    for log in ("browser", "performance"):
        driver.get_log(log)
    return driver


# What other machines and readers bring: fonts half as wide again as ours, larger letters, words without an end.
BROUGHT = {
    "as it is": "",
    "a monospaced font": "* { font-family: monospace !important; }",
    "wide letters": "* { letter-spacing: .15em !important; }",
    "large letters": ":root { font-size: 150% !important; }",
}

OVERFLOW = """
const [style, long] = arguments, sheet = new CSSStyleSheet();
sheet.replaceSync(style);  // which no policy of the page forbids, unlike an element
document.adoptedStyleSheets = [sheet];
document.querySelectorAll("details").forEach((e) => { e.open = true; });
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (long && texts.nextNode()) {
  const inside = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || inside.closest("script, style, svg, .range")) continue;
  texts.currentNode.data += "w".repeat(99);
}
const name = (e) => `${e.tagName}.${e.getAttribute("class")}: ${e.textContent.trim().slice(0, 40)}`;
const seen = [...document.querySelectorAll("body, body *")].filter((e) => e.checkVisibility());
const wider = seen.filter((e) => !e.ownerSVGElement && !(e instanceof SVGElement)
  && getComputedStyle(e).overflowX === "visible" && getComputedStyle(e).display !== "inline"
  && e.scrollWidth > e.clientWidth + 1);
const cut = seen.filter((e) => {
  if (e.tagName !== "text") return false;
  const { x, width } = e.getBBox(), room = e.ownerSVGElement.viewBox.baseVal.width;
  return x < -1 || x + width > room + 1;
});
const page = document.documentElement;
// What stands above a table is read without scrolling, however wide the table.
const captions = seen.filter((e) => e.tagName === "CAPTION" && e.clientWidth > page.clientWidth);
const found = [...wider, ...cut, ...captions].map(name);
return [...(page.scrollWidth > page.clientWidth ? ["the page"] : []), ...found];
"""


# Charts without words for who does not see them, tables that nothing names, and cells of no row or column.
UNSAID = """
const wrong = [["svg", (e) => e.querySelector("title") && e.querySelector("desc")?.textContent.trim()],
  ["table", (e) => e.caption?.textContent.trim()], ["th", (e) => e.scope && e.textContent.trim()],
  ["tbody tr", (e) => e.querySelector("th")]];
const unsaid = ([what, said]) => [...document.querySelectorAll(what)].filter((e) => !said(e));
return wrong.flatMap(unsaid).map((e) => e.outerHTML);
"""


def overflow(driver, address, width):
    """What is wider than its box on a screen of so many pixels, for each thing of `BROUGHT` and for long words."""
    from selenium.webdriver.support.wait import WebDriverWait

    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(address)
    WebDriverWait(driver, 60).until(lambda _: driver.find_element("tag name", "h1").text)  # the review's comes late
    found = {brought: driver.execute_script(OVERFLOW, style, False) for brought, style in BROUGHT.items()}
    found["long words"] = driver.execute_script(OVERFLOW, "", True)
    return {brought: names[:5] for brought, names in found.items() if names}
