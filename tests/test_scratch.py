"""Temporary folders: gone at the end, and what killed processes left is removed by the next command, nothing else."""

import ast
import os
import subprocess
import sys
from errno import EACCES, ENOLCK
from pathlib import Path

import pytest
from conftest import ROOT, in_process
from test_floors import MODULES

from judge import scratch as scratches
from judge.scratch import LOCK, prefix, scratch_folder

KILLED = """
import os, sys
from judge.scratch import scratch_folder

with scratch_folder("audit") as folder:
    (folder / "events.parquet").write_bytes(b"rows")
    print(folder, flush=True)
    sys.stdin.read()
    os._exit(9)
"""
KILLED_WHILE_IT_ENDS = """
import os, sys
from judge.scratch import scratch_folder

left, entries, unlink = int(sys.argv[1]), os.scandir, os.unlink

class Sorted(list):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

def counted(*arguments, **options):
    global left
    if not left:
        os._exit(9)
    left -= 1
    unlink(*arguments, **options)

with scratch_folder("audit") as folder:
    for name in ("events", "rows"):
        (folder / name).touch()
    os.unlink = counted
    # The lock comes before what is in the folder, as it can.
    os.scandir = lambda place: Sorted(sorted(entries(place), key=lambda entry: entry.name))
"""
AUDIT_KILLED = """
import os, sys
from audit.engagement import auditing
from relevance_judge.cli.main import main

auditing.match = lambda *_: os._exit(9)  # the events are on disk by then
main()
"""


@pytest.fixture
def top(tmp_path, monkeypatch):
    """An empty folder for temporary files, for this process and those that it starts."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    scratches._clear.cache_clear()
    yield folder
    scratches._clear.cache_clear()


def begin():
    """A process that has begun a folder, and waits; and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_empty_named_and_gone_afterwards(top):
    with scratch_folder("audit") as folder:
        assert folder.name == "audit"
        assert top in folder.parents
        assert not [*folder.iterdir()]
        (folder / "part").mkdir()
    assert not [*top.iterdir()]


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_lives_or_is_others_stays(top):
    dead, left = begin()
    alive, held = begin()
    dead.kill()
    dead.communicate()
    (top / f"{prefix()}training").mkdir()  # somebody's: it has our name alone
    elsewhere = top.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    (top / f"{prefix()}abcd1234").symlink_to(elsewhere)
    (top / "audit-abcd1234").mkdir()
    assert (left / "events.parquet").is_file()
    assert (held / "events.parquet").is_file()
    with scratch_folder("diff"):
        pass
    assert not left.parent.exists()
    assert (held / "events.parquet").read_bytes() == b"rows"
    kept = {f"{prefix()}training", f"{prefix()}abcd1234", "audit-abcd1234", held.parent.name}
    assert {path.name for path in top.iterdir()} == kept
    assert (elsewhere / LOCK).is_file()
    alive.communicate("")
    assert alive.returncode == 9
    assert held.parent.exists()
    scratches._clear.cache_clear()
    with scratch_folder("diff"):
        assert not held.parent.exists()


@pytest.mark.parametrize("removed", [0, 1, 2])
def test_what_is_left_of_a_folder_whose_removal_was_killed_is_removed_by_the_next(top, removed):
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_ENDS, str(removed)], cwd=ROOT)
    assert killed.returncode == 9
    assert len([path for path in top.rglob("*") if path.is_file()]) == 3 - removed  # two files and the lock
    with scratch_folder("diff"):
        pass
    assert not [*top.iterdir()]


def test_what_another_machine_left_or_holds_on_the_same_disk_stays(top, monkeypatch):
    process, left = begin()
    process.kill()
    process.communicate()
    here = scratches.platform.node()
    monkeypatch.setattr(scratches.platform, "node", lambda: f"{here}-2")
    with scratch_folder("diff"):
        pass
    assert (left / "events.parquet").is_file()


def test_a_disk_without_locks_holds_temporary_folders_and_none_is_taken_for_left(top, monkeypatch):
    def no_locks(*_):
        raise OSError(ENOLCK, os.strerror(ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with scratch_folder("audit") as folder:
        (folder / "events.parquet").touch()
        scratches._clear.cache_clear()
        with scratch_folder("diff"):
            assert (folder / "events.parquet").is_file()
    assert not [*top.iterdir()]


def test_a_disk_that_keeps_files_while_they_are_open_keeps_no_folder(top, monkeypatch):
    """NFS gives such a file another name until it is closed."""
    unlink = os.unlink

    def is_open(status):
        for handle in Path("/dev/fd").iterdir():
            try:
                if os.path.samestat(os.fstat(int(handle.name)), status):
                    return True
            except OSError:
                continue
        return False

    def as_nfs(path, *, dir_fd=None):
        if is_open(os.stat(path, dir_fd=dir_fd)):
            os.rename(path, ".nfs0001", src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        else:
            unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr("os.unlink", as_nfs)
    with scratch_folder("audit") as folder:
        (folder / "events.parquet").touch()
    assert not [*top.iterdir()]


def test_a_folder_that_cannot_be_listed_is_cleared_of_nothing_and_used(top, monkeypatch):
    listed = Path.iterdir

    def refused(path):
        if path == top:
            raise PermissionError(EACCES, os.strerror(EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refused)
    with scratch_folder("audit") as folder:
        assert folder.is_dir()


def test_a_killed_audit_leaves_nothing_once_the_next_has_begun(audited_shop, tmp_path, top):
    events = ROOT / "examples" / "shop" / "engagement.csv"
    arguments = ["audit", audited_shop[0] / "run", events, "--out", tmp_path / "audit", "--overwrite"]
    command = [sys.executable, "-c", AUDIT_KILLED, *map(str, arguments)]
    assert subprocess.run(command, cwd=ROOT).returncode == 9
    assert [*top.rglob("events.parquet")]
    # Another command that needs such a folder, and one that is refused: it need not be the same again.
    assert in_process("validate", events).code == 2
    assert not [*top.iterdir()]


def test_every_temporary_folder_is_one_that_is_cleared():
    """Outside of `judge.scratch`, what makes one says where: in a folder that a lock guards and its holder clears."""
    for module, path in MODULES.items():
        if module == "judge.scratch":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in ("TemporaryDirectory", "mkdtemp", "mkstemp", "NamedTemporaryFile", "TemporaryFile"):
                    assert {"dir"} & {each.arg for each in node.keywords}, f"{path}, line {node.lineno}"
