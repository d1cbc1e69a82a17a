"""The benchmark's page: every figure of every contestant, and a chart that is well-formed."""

from xml.etree import ElementTree

from benchmarks.report import write_report
from benchmarks.serving import Found, Measured


def test_the_page_and_the_chart_show_every_contestant_and_who_is_fastest(tmp_path):
    rows = [
        Measured("embedded", 20, [5.0, 5.2, 5.1], [0.8, 0.82, 0.81], 0, 36, 2e-6, 0),
        Measured("generate & parse", 20, [0.8, 0.9, 0.7], [0.1, 0.1, 0.1], 3, 36, None, 5),
    ]
    starts = {"embedded": 2.0, "generate & parse": 3.0}
    found = Found("a processor, 2 cores", 2, [95.0, 96.0, 97.0], {20: 60.0}, starts, {}, dict.fromkeys(starts), rows)
    write_report(found, tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| 20 | embedded | **5.10 (5.00–5.20)** | 81% | 0 of 36 | 2e-06 | 0 of 36 |" in page
    assert "| 20 | generate & parse | 0.80 (0.70–0.90) | 10% | 3 of 36 | gives none | 5 of 33 |" in page
    drawn = ElementTree.parse(tmp_path / "benchmarks.svg").getroot()
    assert "embedded: 5.10" in "".join(drawn.itertext())
