"""What the README tells people to type works as it stands there."""

import json
import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text()


def blocks():
    return [block.split("\n") for block in re.findall(r"^```\n(.*?)\n```$", README, re.M | re.S)]


def commands():
    """Lines that call the command, without the words that stand two blanks behind it."""
    lines = next(block for block in blocks() if block[0].startswith("judge validate"))
    return [re.split(r" {2,}(?=[a-z])", re.sub(r"^judge (\w+) +", r"judge \1 ", line))[0] for line in lines]


def test_the_two_commands_open_it_and_are_targets_of_the_makefile():
    first = next(block for block in blocks() if block[0].startswith("make "))
    named = [line.split()[1] for line in first]
    assert named == ["quickstart", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert len(README.splitlines()) < 150
    for name in named:
        assert re.search(rf"^{name}: (setup|\.venv/runtime)$", makefile, re.M)


def test_ci_runs_the_test_command():
    assert re.search(r"^make test( |$)", (ROOT / ".ci" / "run").read_text(), re.M)


def test_its_commands_run_in_their_order(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("query,sku\nlamp,1\nlamp,2\nsofa,1\n")
    products = [{"sku": "1", "title": "Lamp"}, {"sku": "2", "title": "Bulb"}]
    (tmp_path / "products.jsonl").write_text("".join(json.dumps(row) + "\n" for row in products))
    (tmp_path / "ratings.csv").write_text("query,candidate_id,label\nlamp,1,E\nlamp,2,C\nsofa,1,I\n")
    found = commands()
    assert [command.split()[1] for command in found] == ["validate", "label", "label", "status", "agree", "export"]
    for command in found:
        arguments = shlex.split(command)[1:]
        main(*arguments, *(["--engine", "fake"] if arguments[0] == "label" else []))
    assert len((tmp_path / "monday.qrels").read_text().splitlines()) == 3


def test_its_python_runs_as_it_stands(tmp_path, monkeypatch):
    import relevance_judge as rj

    (code,) = re.findall(r"^```python\n(.*?)\n```$", README, re.M | re.S)
    products = [{"sku": str(n), "title": f"Lamp {n}"} for n in range(12)]
    (tmp_path / "products.jsonl").write_text("".join(json.dumps(row) + "\n" for row in products))
    (tmp_path / "pairs.csv").write_text("query,sku\n" + "".join(f"lamp {n % 6},{n}\n" for n in range(12)))
    rated = "".join(f"lamp {n % 6},{n},{'ESCI'[n % 4]}\n" for n in range(12))
    (tmp_path / "ratings.csv").write_text("query,candidate_id,label\n" + rated)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rj, "Judge", lambda name, judge=rj.Judge: judge(engine="fake"))
    names: dict = {}
    exec(code, names)
    assert names["run"].summary.status["graded"] == 12


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_what_it_points_to_is_there(target):
    assert (ROOT / Path(target)).exists()


def test_the_table_of_agreement_has_the_rows_that_are_printed(main):
    """The figures are the shipped judge's; the rows are everyone's."""
    shop = ROOT / "examples" / "shop"
    main("label", shop / "pairs.csv", "--catalogue", shop / "catalogue.csv", "--out", "quickstart", "--engine", "fake")
    printed = main("agree", shop / "grades.csv", "--run", "quickstart").out

    def outline(lines):
        return [re.split(r"  +", line)[0] for line in lines if "  " in line]

    block = next(block for block in blocks() if "quickstart vs people" in block)
    shown = outline(block[block.index("quickstart vs people") :])
    assert len(shown) > 12
    assert shown == outline(printed.splitlines())


def test_the_picture_of_the_report_has_the_figures_of_the_table():
    picture = (ROOT / "docs" / "overview.svg").read_text()
    block = next(block for block in blocks() if "quickstart vs people" in block)
    rows = dict(re.split(r"  +", line)[:2] for line in block if re.search(r"  0\.\d{3}  ", line))
    shown = re.findall(r">([^<>\n]+)</text>(?:\n<[^t].*)+\n<text [^>]*>(0\.\d{3})</text>", picture)
    assert len(shown) == 7
    assert {name.replace("’", "'"): value for name, value in shown}.items() <= rows.items()
    grades = [re.split(r"  +", line)[1:] for line in block if re.match(r"\d [a-z ]+  +\d+  +\d+  +\d+$", line)]
    cells = re.findall(r'class="cell".*\n<text [^>]*>(\d+)</text>', picture)
    assert cells == [count for row in grades for count in row]


def test_the_card_of_the_shipped_judge_has_the_figures_of_the_table():
    """Both are taken anew with a new blend."""
    card = (ROOT / "judge" / "shipped" / "shop-135m" / "README.md").read_text()
    rows = dict(re.split(r"  +", line)[:2] for block in blocks() for line in block if re.search(r"  0\.\d{3}  ", line))
    blend = card[card.index("| the example shop |") :].split("| blend |")[1].split("\n")[0]
    shown = [f"0{figure}" for figure in re.findall(r"(\.\d{3}) \(", blend)]
    assert shown == [rows[name] for name in ("accuracy", "quadratic kappa", "Spearman")]
    assert f"calibration error {rows['calibration error'].lstrip('0')}," in card


def test_the_quickstart_labels_the_example_shop(main):
    """The commands of the Makefile on the first rows; tests/models/test_shipped.py labels with the default judge."""
    recipe = (ROOT / "Makefile").read_text()
    shop = ROOT / "examples" / "shop"
    assert "label $(SHOP)/pairs.csv --catalogue $(SHOP)/catalogue.csv --out $(RUN)" in recipe
    assert "agree $(SHOP)/grades.csv --run $(RUN)" in recipe
    printed = [line for block in blocks() for line in block if line.startswith("judge ") and "examples/shop" in line]
    for line in printed:
        assert line.replace("examples/shop", "$(SHOP)").replace("runs/quickstart", "$(RUN)") in recipe
    given = ["label", shop / "pairs.csv", "--catalogue", shop / "catalogue.csv", "--out", "run"]
    found = main(*given, "--limit", 8, "--engine", "fake", "--json").json
    assert found["status"]["graded"] == found["rows"] == 8
    compared = main("agree", shop / "grades.csv", "--run", "run", "--json").json
    assert (compared["n"], compared["rated"]) == (8, 429)
