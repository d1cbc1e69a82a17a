"""The page of judges says what the code knows of them."""

from conftest import ROOT

from judge.models.known import KNOWN


def test_each_named_judge_has_its_row():
    page = (ROOT / "docs" / "judges.md").read_text(encoding="utf-8")
    for model in KNOWN.values():
        memory = f"{model.gigabytes(4):.1f}, {model.gigabytes(2):.1f} GB"
        cells = (f"`{model.name}`", model.repo, f"{model.billions:g} billion", model.licence, memory)
        assert f"| {' | '.join(cells)} |" in page
