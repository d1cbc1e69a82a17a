"""The embedded engine on a GPU: pairs per second, and the share of the rate at which the same GPU multiplies matrices.

    python -m benchmarks.gpu                             the embedded model, in bf16
    python -m benchmarks.gpu --model DIRECTORY …         and others, of 0.5B or 1.5B parameters, say
    python -m benchmarks.gpu --device cpu --pairs 8      the same on a processor, to see that it runs
    python -m benchmarks.gpu --model qwen2.5-0.5b … --quality runs/judges [--ratings FILE]
                                                         what each reaches on the example shop, as it is and, with
                                                         ratings of other shops, fine-tuned on them

How vLLM is best set up on a GPU, `python -m benchmarks.gpu_sections` measures.

Writes a table to standard output and, with --out, every measurement as JSON. Without a GPU it says that nothing is
measured. Labels and trainings of --quality resume where they were cut off.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.contestants import GUIDELINE, MODEL
from benchmarks.limit import size_of, work_of
from benchmarks.report import spread
from benchmarks.serving import draw
from judge.engines import Judge
from judge.records import Failure, Prompt, Scores
from judge.words.guideline import load_guideline
from judge.words.prompt import PromptBuilder

CANDIDATES = 100
"""A query."""
SHOP = Path(__file__).parents[1] / "examples" / "shop"
FIGURES = ("accuracy", "majority_baseline", "weighted_kappa", "spearman")


@dataclass(frozen=True)
class Measured:
    """A model on a device."""

    model: str
    device: str
    dtype: str
    parameters: int
    pairs: int
    speeds: list[float]
    """Pairs per second, a value a round."""
    rates: list[float]
    """Matrix products, TFLOP/s, a value a round."""
    shares: list[float]
    """Unique tokens × 2 × parameters a second, over that rate."""
    peak_mib: float | None
    """The GPU's memory; null on a processor."""


def matrix_rate(device: str, dtype: str, width: int = 4096) -> float:
    """TFLOP/s of the largest products that a device does well, the best of a few tries."""
    import torch

    width, tries = (width, 20) if device != "cpu" else (512, 2)
    a, b = (torch.randn(width, width, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        wait(device)
        begun = time.perf_counter()
        for _ in range(tries):
            a @ b
        wait(device)
        best = min(best, (time.perf_counter() - begun) / tries)
    return 2 * width**3 / best / 1e12


def measure(model: str, device: str, dtype: str, count: int, rounds: int) -> Measured:
    """Score pairs of the example shop, tokenising included, the first pass apart."""
    import torch

    from judge.engines.transformers import TransformersEngine

    if device == "cuda":
        gc.collect()  # the model before this one is gone, whatever still hung on it
        torch.cuda.reset_peak_memory_stats()
    judge = Judge(model)
    builder = PromptBuilder(load_guideline(GUIDELINE), judge.tokenizer)
    pairs = draw(min(CANDIDATES, count), count)
    engine = TransformersEngine(judge.model.directory, device=device, dtype=dtype)
    size, work = size_of(judge.model.directory), work_of(builder.build(pairs))
    score(engine, builder.build(pairs))
    speeds, rates = [], []
    for _ in range(rounds):
        rates.append(matrix_rate(device, dtype))
        begun = time.perf_counter()
        score(engine, builder.build(pairs))
        wait(device)
        speeds.append(len(pairs) / (time.perf_counter() - begun))
    needed = work.tokens * 2 * size.parameters / 1e12
    return Measured(
        model=judge.model.name,
        device=torch.cuda.get_device_name() if device == "cuda" else device,
        dtype=dtype,
        parameters=size.parameters,
        pairs=len(pairs),
        speeds=speeds,
        rates=rates,
        shares=[speed * needed / rate for speed, rate in zip(speeds, rates, strict=True)],
        peak_mib=torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None,
    )


def table(rows: list[Measured]) -> str:
    """What was found, as Markdown."""
    lines = [
        "| model | device | pairs per second | matrix products, TFLOP/s | share of it | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        memory = "–" if row.peak_mib is None else f"{row.peak_mib:,.0f} MiB"
        cells = [row.model, f"{row.device}, {row.dtype}", spread(row.speeds, ",.1f"), spread(row.rates, ".3g")]
        lines.append(f"| {' | '.join([*cells, spread(row.shares, '.0%'), memory])} |")
    return "\n".join(lines)


def quality(model: str, work: Path, ratings: Path | None, limit: int | None) -> dict[str, dict[str, Any]]:
    """The agreement of a judge with the example shop's grades: as it is, and fine-tuned on ratings of other shops.

    Each is what `judge agree --json` says, whose 95% intervals are over queries.
    """
    folder = work / model.replace("/", "--")
    found = {"as it is": _agreement(model, folder / "as-it-is", limit)}
    if ratings is not None:
        adapter = folder / "adapter"
        raters = ("--raters", "rater_1,rater_2,rater_3")  # as benchmarks.rated_sets writes them
        _judge("finetune", ratings, *raters, "--base", model, "--out", adapter)
        found["fine-tuned"] = _agreement(str(adapter), folder / "fine-tuned", limit)
    return found


def _agreement(judge: str, run: Path, limit: int | None) -> dict[str, Any]:
    some = ("--limit", limit) if limit else ()
    _judge("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--judge", judge, "--out", run, *some)
    said = json.loads(_judge("agree", SHOP / "grades.csv", "--run", run, "--json"))
    return {name: said[name] for name in ("n", "queries", *FIGURES)}


def _judge(*command: Any) -> str:
    whole = [sys.executable, "-m", "relevance_judge.cli.main", *map(str, command)]
    return subprocess.run(whole, check=True, stdout=subprocess.PIPE, text=True).stdout


def quality_table(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """What was reached, as Markdown."""
    lines = [f"| judge | | n | {' | '.join(name.replace('_', ' ') for name in FIGURES)} |", "|---" * 7 + "|"]
    for model, ways in found.items():
        for way, said in ways.items():
            cells = [model, way, f"{said['n']:,} pairs, {said['queries']} queries"]
            lines.append(f"| {' | '.join([*cells, *(_between(said[name]) for name in FIGURES)])} |")
    return "\n".join(lines)


def _between(said: dict[str, Any]) -> str:
    if said["value"] is None:
        return "–"
    return f"{said['value']:.3f}" + ("" if said["low"] is None else f" ({said['low']:.2f}–{said['high']:.2f})")


def main() -> None:
    """Measure and tell."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="*", default=[MODEL], help="names or directories")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quality", type=Path, metavar="FOLDER", help="measure agreement instead of speed; keeps runs")
    parser.add_argument("--ratings", type=Path, help="what to fine-tune on for it, of benchmarks.rated_sets")
    parser.add_argument("--limit", type=int, help="pairs of the example shop for it; all unless given")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("not measured: no GPU")
        return
    if given.quality:
        reached = {model: quality(model, given.quality, given.ratings, given.limit) for model in given.model}
        print(quality_table(reached))
        if given.out:
            given.out.write_text(json.dumps(reached, indent=2) + "\n")
        return
    dtype = "float32" if given.device == "cpu" else "bfloat16"
    rows = [measure(model, given.device, dtype, given.pairs, given.rounds) for model in given.model]
    print(table(rows))
    if given.out:
        given.out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def score(engine: Any, prompts: list[Prompt]) -> list[Scores]:
    """What an engine says of prompts, a block at a time.

    Raises:
        RuntimeError: It has no answer to one.
    """
    found: list[Scores] = []
    for start in range(0, len(prompts), engine.block):
        for answer in engine.score(prompts[start : start + engine.block]):
            if isinstance(answer, Failure):
                raise RuntimeError(answer.reason)
            found.append(answer)
    return found


def wait(device: str) -> None:
    """Until a device has done all that it was told."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
