"""The figure of the retrievers' proof: arms that were run, each seed counted once, nothing else."""

from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.retriever_figure import ESCI, figure, read_panel

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def left_behind(tmp_path):
    (tmp_path / "results").mkdir()
    for name, value in (("start", 0.5), ("random-0", 0.6), ("random-1", 0.8), ("random-1.partial", 0.0)):
        by_query = np.full(20, value) + np.linspace(-0.1, 0.1, 20)
        np.savez(tmp_path / "results" / f"{name}.npz", **{"full": by_query, "judged only": by_query, "score": [1.0]})
    return tmp_path


def test_seeds_are_averaged_and_missing_arms_left_out(left_behind):
    panel = read_panel("{queries} queries, {seeds}", left_behind, ESCI)
    assert panel.title == "20 queries, mean of 2 seeds"
    assert list(panel.arms) == [ESCI["start"], ESCI["random"]]
    assert panel.arms[ESCI["random"]]["full"].value == pytest.approx(0.7)
    drawn = ElementTree.fromstring(figure([panel]))
    assert len(drawn.findall(f"{SVG}circle")) == 2 * 2 + 2, "two columns of two arms, and the legend's"
    said = [text.text for text in drawn.findall(f"{SVG}text")]
    assert ESCI["start"] in said
    assert ESCI["mnrl"] not in said
