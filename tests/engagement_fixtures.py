"""The example shop, audited."""

import shutil

import pytest
from conftest import in_process


def judge(*args, code=0):
    found = in_process(*args)
    assert found.code == code, found.err
    return found


@pytest.fixture(scope="module")
def audited(audited_shop, tmp_path_factory):
    """The shop's grades with planted errors, audited; (run directory, audit directory, what was printed)."""
    folder = shutil.copytree(audited_shop[0], tmp_path_factory.mktemp("audit") / "shop")
    return folder / "run", folder / "audit", audited_shop[1]
