"""A run labelled by workers of Ray on this machine, some of which are killed on the way."""

import pytest

pytest.importorskip("ray")

from benchmarks.soak import Soak, soak


def test_killed_workers_and_a_killed_driver_change_no_label(tmp_path):
    wanted = Soak(2000, 3, 250, delay=0.002, part_seconds=0.05, wait=(0.3, 1.0), drivers=0.3, seed=5)
    found = soak(tmp_path, wanted)
    assert found["different"] == {}
    assert sum(found["killed"].values()) == 3
    assert found["stretches"] == 8
    # Of 2,000 pairs three have no text.
    assert found["judged_whole"] == 1997
