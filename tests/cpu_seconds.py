"""CPU seconds by room, of tests and of the processes they start: a busy machine changes these less than the clock's.

PYTHONPATH=tests .venv/bin/python -m pytest -p cpu_seconds -n 2 --dist loadfile --no-loadscope-reorder
"""

import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

_BEGAN = {}
_SPENT = defaultdict(Counter)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    _BEGAN[item.nodeid] = sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown":
        report.user_properties.append(("cpu", sum(os.times()[:4]) - _BEGAN.pop(item.nodeid)))
    return report


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        room = Path(report.nodeid.partition("::")[0]).parent
        _SPENT[str(room)].update(tests=1, seconds=dict(report.user_properties).get("cpu", 0))


def pytest_terminal_summary(terminalreporter):
    rows = sorted(_SPENT.items(), key=lambda row: -row[1]["seconds"])
    total = {"tests": sum(c["tests"] for _, c in rows), "seconds": sum(c["seconds"] for _, c in rows)}
    terminalreporter.section("CPU seconds by room")
    for room, counts in [*rows, ("all", total)]:
        terminalreporter.write_line(f"| {room.removeprefix('tests/')} | {counts['tests']} | {counts['seconds']:.0f} |")
