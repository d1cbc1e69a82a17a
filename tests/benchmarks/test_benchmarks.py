"""The benchmark's page: every figure of every contestant, a chart that is well-formed, and work counted by hand."""

import json
from dataclasses import asdict
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from conftest import in_process

from benchmarks.limit import Size, work_of
from benchmarks.report import Found, Measured, write_readme, write_report
from judge.engines.fake import FakeTokenizer
from judge.records import Prompt, Scores


@pytest.fixture
def found():
    rows = [
        Measured("embedded", 20, [5.0, 5.2, 5.1], [9.0, 9.4, 9.2], [0.8, 0.82, 0.81], 0, 36, 2e-6, 0),
        Measured("generate & parse", 20, [0.8, 0.9, 0.7], [1.5, 1.7, 1.3], [0.128, 0.144, 0.112], 3, 36, None, 5),
        Measured("embedded", 100, [6.0], [11.0], [0.96], 0, 12, 2e-6, 0),
    ]
    starts = {"embedded": 2.0, "generate & parse": 3.0}
    return Found(
        machine="a processor, 2 cores",
        cores=2,
        rates=[95.0, 96.0, 97.0],
        ordered_rates=[99.0, 100.0, 101.0],
        guideline=137,
        tokens={20: 60.0, 100: 55.0},
        attention={20: 0.07, 100: 0.08},
        starts=starts,
        peaks={},
        batches=dict.fromkeys(starts),
        measured=rows,
        broken={"generate & parse": "it ended"},
    )


def test_the_page_and_the_chart_show_every_contestant_and_who_is_fastest(tmp_path, found):
    write_report(found, tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| 20 | embedded | **5.10 (5.00–5.20)** | 9.20 | 81% | 0 of 36 | 2e-06 | 0 of 36 |" in page
    assert "| 20 | generate & parse | 0.80 (0.70–0.90) | 1.50 | 13% | 3 of 36 | gives none | 5 of 33 |" in page
    assert "A guideline of 137 tokens" in " ".join(page.split())
    assert "7% at 20, 8% at 100 candidates a query on top" in page
    assert "**generate & parse is not measured whole: it ended.**" in page
    drawn = ElementTree.parse(tmp_path / "benchmarks.svg").getroot()
    assert "embedded: 5.10" in "".join(drawn.itertext())


def test_the_readme_gets_the_table_between_its_marks_and_nothing_else(tmp_path, found):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    write_readme(found, readme)
    first = readme.read_text()
    assert first.startswith("before\n<!-- bench -->\n\n| candidates a query | 20 | 100 |")
    assert first.endswith("<!-- /bench -->\nafter\n")
    assert "| embedded | **5.10** | **6.00** |" in first
    # Rounds: 5.0 / .8 = 6.25, 5.2 / .9 = 5.78, 5.1 / .7 = 7.29.
    assert "6.2 (5.8–7.3) times that of generate & parse. It is 81% (80%–82%) of the limit" in first
    assert "| generate & parse | 0.80 | – |" in first
    # 5.1 pairs at 0.81 of the limit, in the middle round: 6.30.
    assert "| *arithmetic limit* | 6.3 | 6.2 |" in first
    assert "\nold\n" not in first
    write_readme(found, readme)
    assert readme.read_text() == first
    readme.write_text("no marks")
    with pytest.raises(ValueError, match="has no"):
        write_readme(found, readme)


def test_work_is_counted_as_a_pack_computes_it():
    prompts = [Prompt((1, 2, 3), (4, 5), (6, 7), (0, 1)), Prompt((1, 2, 3), (4, 5), (8,), (0, 1))]
    work = work_of(prompts)
    # The query's 2 tokens once, 2 and 1 of the candidates. They see 4 and 5; 6 and 7; 6.
    assert (work.guideline, work.tokens, work.looks) == (3, 5 / 2, 28 / 2)
    # 28 looks of 10 operations, beside 5 tokens of 2 x 7.
    assert work.attention_share(Size(parameters=7, attention=10)) == pytest.approx(280 / 70)


def test_without_a_gpu_nothing_is_measured_and_the_script_says_so(monkeypatch, capsys):
    import torch

    from benchmarks import gpu

    monkeypatch.setattr("sys.argv", ["gpu"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main()
    assert capsys.readouterr().out == "not measured: no GPU\n"


def test_sections_of_a_gpu_that_is_not_there_say_so(tmp_path, monkeypatch, capsys):
    import torch

    from benchmarks import gpu_sections

    monkeypatch.setattr("sys.argv", ["gpu_sections", str(tmp_path)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu_sections.main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(gpu_sections.sections())
    assert all("not measured: no GPU" in row for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_a_section_that_is_measured_is_not_measured_again(tmp_path, monkeypatch, capsys):
    from benchmarks import gpu_sections

    ran = []

    def run(command, check):
        section = command[command.index("--section") + 1]
        ran.append(section)
        if section == "0.5b/classify":
            return SimpleNamespace(returncode=9)
        shift = 0.25 if section.endswith("generate") else 0.0
        made = gpu_sections.Measured(section, [10.0, 20.0, 30.0], 2.0, 0.5, [[0.5 + shift, 0.5 - shift]])
        gpu_sections._file(tmp_path, section).write_text(json.dumps(asdict(made)))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(gpu_sections, "reason_to_skip", lambda *_: None)
    monkeypatch.setattr(gpu_sections.subprocess, "run", run)
    monkeypatch.setattr("sys.argv", ["gpu_sections", str(tmp_path), "--only", "0.5b/", "--device", "cpu"])
    gpu_sections.main()
    rows = {row.split("|")[1].strip(): row for row in capsys.readouterr().out.splitlines()[2:]}
    assert len(ran) == len(rows) == 8
    assert "0.2500" in rows["0.5b/generate"]
    assert "code 9" in rows["0.5b/classify"]
    ran.clear()
    gpu_sections.main()
    assert ran == ["0.5b/classify"]


def test_every_model_on_a_gpu_has_a_peak_of_memory_of_its_own(monkeypatch):
    import torch

    from benchmarks import gpu

    peak = [0]

    class Engine:
        block = 8

        def __init__(self, directory, **_):
            peak[0] = max(peak[0], {"large": 100, "small": 10}[directory] * 2**20)

        def score(self, prompts):
            return [Scores((-1.0, -1.0, -1.0), 0.0)] * len(prompts)

    monkeypatch.setattr("judge.engines.transformers.TransformersEngine", Engine)
    monkeypatch.setattr(gpu, "size_of", lambda _: Size(parameters=7, attention=10))
    monkeypatch.setattr(gpu, "matrix_rate", lambda *_: 1.0)
    models = {name: SimpleNamespace(name=name, directory=name) for name in ("large", "small")}
    monkeypatch.setattr(gpu, "Judge", lambda name: SimpleNamespace(tokenizer=FakeTokenizer(), model=models[name]))
    said = {"get_device_name": lambda: "a GPU", "synchronize": lambda: None, "max_memory_allocated": lambda: peak[0]}
    for name, answer in {**said, "reset_peak_memory_stats": lambda: peak.__setitem__(0, 0)}.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    peaks = [gpu.measure(name, "cuda", "bfloat16", 2, 1).peak_mib for name in models]
    assert peaks == [100, 10]


def test_what_judges_reach_stands_with_its_interval(monkeypatch, tmp_path, capsys):
    from benchmarks import gpu

    ratings, out = tmp_path / "ratings.jsonl", tmp_path / "found.json"
    real, asked = gpu._judge, []

    def judge(*command):
        asked.append(command)
        if command[0] == "finetune":
            return ""
        at = command.index("--judge") if "--judge" in command else len(command)
        command = (*command[:at], *(("--engine", "fake") if at < len(command) else ()), *command[at + 2 :])
        # The first in a process of its own, as all of them are.
        return real(*command) if len(asked) == 1 else in_process(*command).out

    monkeypatch.setattr(gpu, "_judge", judge)
    options = ["--model", "small", "--quality", f"{tmp_path}/work", "--ratings", str(ratings), "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["gpu", "--device", "cpu", *options, "--limit", "60"])
    gpu.main()
    told = json.loads(out.read_text())["small"]
    assert set(told) == {"as it is", "fine-tuned"}
    assert told["as it is"]["n"] == 60
    assert told["as it is"] == told["fine-tuned"], "the same fake judge"
    assert asked[2][4:6] == ("--base", "small")
    assert capsys.readouterr().out.count("60 pairs") == 2


@pytest.mark.slow
def test_the_gpu_benchmark_counts_on_a_processor_as_on_a_gpu(monkeypatch, capsys, tmp_path, embedded):
    from benchmarks import gpu

    monkeypatch.setattr(
        "sys.argv", ["gpu", "--device", "cpu", "--pairs", "3", "--rounds", "1", "--out", f"{tmp_path}/found.json"]
    )
    gpu.main()
    assert "smollm2-135m | cpu, float32 |" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())[0]
    assert (found["parameters"], found["pairs"]) == (106_203_456, 3)
    # About 50 tokens a pair, each 2 x 106M operations.
    tokens = found["shares"][0] * found["rates"][0] * 1e12 / found["speeds"][0] / (2 * found["parameters"])
    assert 30 < tokens < 80
