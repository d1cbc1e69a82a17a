"""Where nothing can be written, a command says so before it works: an hour of work would be lost otherwise."""

import ctypes
import os
import resource
import sys
from contextlib import contextmanager
from shutil import copytree

import pytest
from conftest import ROOT, in_process
from finetune_fixtures import write_rated

from judge.errors import InputError
from judge.places import check_writable
from judge.run.store import Run
from relevance_judge.calibrating import maker_of

SHOP = ROOT / "examples" / "shop"
LINUX_VERSION_3 = 0x20080522
"""Of the capabilities' record, <linux/capability.h>."""


class Stop(BaseException):
    """Work has begun."""


@pytest.fixture
def ordinary():
    """Permissions hold for this process, also where it runs as root."""
    if os.geteuid():
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root may write everywhere")
    libc = ctypes.CDLL(None, use_errno=True)
    # The header is a version and a process; then two times the effective, permitted and inheritable capabilities.
    header, before = (ctypes.c_uint32 * 2)(LINUX_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, before) == 0
    none = (ctypes.c_uint32 * 6)(0, before[1], before[2], 0, before[4], before[5])
    assert libc.capset(header, none) == 0
    yield
    assert libc.capset(header, before) == 0


@contextmanager
def read_only(folder):
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def test_a_folder_is_tried_where_it_is_or_would_be_and_nothing_is_left_there(tmp_path, ordinary):
    check_writable(tmp_path, tmp_path / "new" / "deep")
    assert not [*tmp_path.iterdir()]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/in: cannot be written \(Not a directory\)"):
        check_writable(tmp_path / "file" / "in")
    closed = tmp_path / "closed"
    closed.mkdir()
    with read_only(closed):
        for folder in (closed, closed / "new"):
            with pytest.raises(InputError, match=r"closed.*: cannot be written \(Permission denied\)") as refused:
                check_writable(tmp_path, folder, fix="write elsewhere")
            assert refused.value.hint == "write elsewhere"
    with pytest.raises(InputError, match="begins with ~"):
        check_writable(tmp_path.__class__("~/out"))


def test_below_a_folder_that_nobody_may_enter_and_behind_a_link_to_nothing_is_no_place(tmp_path, ordinary):
    shut, link = tmp_path / "shut", tmp_path / "link"
    shut.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    shut.chmod(0)
    try:
        with pytest.raises(InputError, match=r"shut/new/deep: cannot be written \(Permission denied\)"):
            check_writable(shut / "new" / "deep")
    finally:
        shut.chmod(0o755)
    with pytest.raises(InputError, match="link/new: cannot be written"):
        check_writable(link / "new")
    with pytest.raises(InputError, match=r"cannot be written \(File name too long\)"):
        check_writable(tmp_path / ("x" * 300) / "new")


def test_a_folder_in_which_files_are_made_but_not_filled_is_refused(tmp_path):
    """As on a full disk; here it is a limit on the size of files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            check_writable(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def closed(tmp_path, ordinary):
    """A folder in which nothing can be written."""
    folder = tmp_path / "closed"
    folder.mkdir()
    with read_only(folder):
        yield folder


NAMES = (
    "audit diff search evaluate report agree mine queries aggregate calibrate export train finetune merge label import"
)


@pytest.fixture
def commands(tmp_path, audited_shop):
    """The commands that work long, up to their `--out` or another option of a file that they write."""
    run, catalogue = audited_shop[0] / "run", ("--catalogue", SHOP / "catalogue.csv")
    asked = ("--queries", SHOP / "queries.csv")
    return {
        "audit": ("audit", run, SHOP / "engagement.csv", "--overwrite", "--out"),
        "diff": ("diff", run, run, "--out"),
        "search": ("search", "bm25", *catalogue, *asked, "--out"),
        "evaluate": ("evaluate", "bm25", *catalogue, "--gold", SHOP / "grades.csv", "--holes"),
        "report": ("evaluate", "bm25", *catalogue, "--gold", SHOP / "grades.csv", "--report"),
        "agree": ("agree", SHOP / "grades.csv", "--run", run, "--report"),
        "mine": ("mine", run, *catalogue, *asked, "--from", "lexical", "--out"),
        "queries": ("queries", *catalogue, "--out"),
        "aggregate": ("aggregate", SHOP / "ratings.csv", "--out"),
        "calibrate": ("calibrate", run, SHOP / "grades.csv", "--out"),
        "export": ("export", run, "--to", "jsonl", "--out"),
        "train": ("train", tmp_path / "set", "--out"),
        "finetune": ("finetune", write_rated(tmp_path / "rated.csv"), "--out"),
        "merge": ("finetune", tmp_path / "rated.csv", "--out", tmp_path / "adapter", "--merge"),
        "label": ("label", SHOP / "pairs.csv", *catalogue, "--engine", "fake", "--out"),
        "import": ("import", SHOP / "grades.csv", *catalogue, "--out"),
    }


BEGUN = (
    "judge.tables.rows.Table.rows",
    "judge.run.store.Run.database",
    "audit.engagement.auditing.connect",
    "audit.diff.diff.open_sides",
    "retriever.job.prepare",
    "finetune.job.prepare",
)
"""Where the work of each begins: all rows of a file are read."""
ENDINGS = {"mine": ".parquet", "report": ".html", "agree": ".html", "export": ".jsonl"}
FOLDERS = ("audit", "train", "finetune", "merge", "label", "import")


def outcome(monkeypatch, command, out):
    """What a command comes to that is stopped where its work begins."""

    def begin(*_, **__):
        raise Stop

    with monkeypatch.context() as patched:
        for place in BEGUN:
            patched.setattr(place, begin)
        return in_process(*command, out)


@pytest.mark.parametrize("name", NAMES.split())
def test_what_cannot_be_written_is_refused_before_any_work(commands, closed, tmp_path, monkeypatch, name):
    file = "x" if name in FOLDERS else "x" + ENDINGS.get(name, ".csv")
    found = outcome(monkeypatch, commands[name], closed / file)
    assert found.code == 2
    assert str(closed) in found.err
    assert "cannot be written" in found.err
    assert "fix: " in found.err
    # Elsewhere the same command would have begun.
    with pytest.raises(Stop):
        outcome(monkeypatch, commands[name], tmp_path / file)


def test_an_audit_of_a_run_that_cannot_be_written_is_refused_before_the_events_are_read(
    audited_shop, tmp_path, monkeypatch, ordinary
):
    run = tmp_path / "run"
    copytree(audited_shop[0] / "run", run)
    with read_only(run):
        command = ("audit", run, SHOP / "engagement.csv", "--overwrite", "--out")
        found = outcome(monkeypatch, command, tmp_path / "audit")
    assert found.code == 2
    assert f"{run}: cannot be written (Permission denied)" in found.err
    assert not (tmp_path / "audit").exists()


def test_a_run_that_can_keep_no_sample_and_no_decision_is_refused_before_its_queue_is_read(
    audited_shop, tmp_path, monkeypatch, ordinary
):
    run = tmp_path / "run"
    copytree(audited_shop[0] / "run", run)

    def begin(*_, **__):
        raise Stop

    for place in ("reviewing.read_queue", "learning.read_queue", "learning.read_evidence"):
        monkeypatch.setattr(f"audit.review.{place}", begin)
    with read_only(run):
        found = in_process(*("queue", run, "--to", "csv", "--calibration-sample", 5, "--out", tmp_path / "x.csv"))
        assert (found.code, f"{run}: cannot be written" in found.err) == (2, True)
        assert in_process("review", run).code == 2


def test_a_judge_that_cannot_be_written_gets_no_calibration(audited_shop, closed):
    with pytest.raises(InputError, match="cannot be written"):
        maker_of(Run.open(audited_shop[0] / "run"), closed)
