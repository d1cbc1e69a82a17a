"""vLLM on a GPU, as it can be set up, next to the embedded engine: pairs per second, share of the matrix rate, parity.

    python -m benchmarks.gpu_sections runs/gpu                all sections; those that are measured already are kept
    python -m benchmarks.gpu_sections runs/gpu --only 0.5b/   the sections whose name begins so
    python -m benchmarks.gpu_sections runs/gpu --device cpu --pairs 8 --only 135m/embedded     to see that it runs

Models have the shapes of SmolLM2-135M and of Qwen2.5's 0.5B and 1.5B, random weights, and the embedded model's
vocabulary: speed does not depend on the weights. Each section is a process of its own and one file of FOLDER, so that a
run that is cut off goes on. Sizes are chosen for less than ten minutes on one GPU. A section that cannot run says why.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.contestants import GUIDELINE
from benchmarks.gpu import CANDIDATES, matrix_rate, score, wait
from benchmarks.gpu_models import SHAPES, make_adapter, make_model
from benchmarks.limit import size_of, work_of
from benchmarks.report import spread
from benchmarks.serving import draw
from judge.engines import Judge
from judge.engines.options import default_options
from judge.statistics.reliability import softmax
from judge.words.guideline import load_guideline
from judge.words.prompt import PromptBuilder

EMBEDDED = "embedded"
COMPARED = 64
"""Pairs whose probabilities are compared with the embedded engine's."""


@dataclass(frozen=True)
class Setting:
    """How one section has it."""

    options: dict[str, Any] | None = None
    """Of vLLM, over the defaults; null for the embedded engine."""
    adapter: bool = False


EVERY = {EMBEDDED: Setting(), "generate": Setting({}), "classify": Setting({"path": "classify"})}
"""For each shape."""
MORE = {
    "block-32": Setting({"prefix_block": 32}),
    "one-process": Setting({"own_process": False}),
    "merged": Setting({}, adapter=True),
    "applied": Setting({"adapter": "apply"}, adapter=True),
    "adapter-embedded": Setting(None, adapter=True),
}
"""For the middle one."""


def sections() -> dict[str, Setting]:
    """All sections by name, in their order."""
    found = {f"{shape}/{name}": setting for shape in SHAPES for name, setting in EVERY.items()}
    return found | {f"0.5b/{name}": setting for name, setting in MORE.items()}


@dataclass(frozen=True)
class Measured:
    """What a section found."""

    section: str
    speeds: list[float] = field(default_factory=list)
    """Pairs per second, a value a round."""
    rate: float | None = None
    """Matrix products, TFLOP/s."""
    share: float | None = None
    """Unique tokens × 2 × parameters a second at the median speed, over that rate."""
    probabilities: list[list[float]] = field(default_factory=list)
    """Of the first pairs' grades."""
    skipped: str | None = None
    """Why nothing was measured."""


def reason_to_skip(setting: Setting, device: str) -> str | None:
    """Why a section cannot run here."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return "no GPU"
    if setting.options is not None and find_spec("vllm") is None:
        return "vLLM is not installed"
    if setting.adapter and find_spec("peft") is None:
        return "peft is not installed"
    return None


def measure(section: str, folder: Path, device: str, count: int, rounds: int) -> Measured:
    """Score pairs of the example shop, tokenising included, the first pass apart."""
    setting = sections()[section]
    if reason := reason_to_skip(setting, device):
        return Measured(section, skipped=reason)
    judge = Judge("smollm2-135m")
    model = make_model(section.partition("/")[0], folder / "models", judge.model.directory)
    adapter = make_adapter(model) if setting.adapter else None
    builder = PromptBuilder(load_guideline(GUIDELINE), judge.tokenizer)
    pairs = draw(min(CANDIDATES, count), count)
    dtype = "float32" if device == "cpu" else "bfloat16"
    rate = matrix_rate(device, dtype)
    engine = _engine(setting, model, adapter, device, dtype)
    first = score(engine, builder.build(pairs))
    speeds = [_speed(engine, builder, pairs, device) for _ in range(rounds)]
    needed = work_of(builder.build(pairs)).tokens * 2 * size_of(model).parameters / 1e12
    shares = [[float(p) for p in softmax(answer.logprobs)] for answer in first[:COMPARED]]
    return Measured(section, speeds, rate, sorted(speeds)[len(speeds) // 2] * needed / rate, shares)


def _engine(setting: Setting, model: Path, adapter: Path | None, device: str, dtype: str) -> Any:
    if setting.options is None:
        from judge.engines.transformers import TransformersEngine

        return TransformersEngine(model, None, adapter, device, dtype)
    from judge.engines.vllm import VllmEngine

    return VllmEngine(model, default_options().changed(vllm=setting.options).vllm, adapter)


def _speed(engine: Any, builder: PromptBuilder, pairs: Sequence[Any], device: str) -> float:
    begun = time.perf_counter()
    score(engine, builder.build(pairs))
    wait(device)
    return len(pairs) / (time.perf_counter() - begun)


def table(found: dict[str, Measured]) -> str:
    """What was found, as Markdown; parity is the largest difference of a probability from the embedded engine's."""
    lines = [
        "| section | pairs per second | share of the matrix rate | largest difference from embedded |",
        "|---|---|---|---|",
    ]
    for name, each in found.items():
        if each.skipped:
            lines.append(f"| {name} | not measured: {each.skipped} | | |")
            continue
        shape, _, what = name.partition("/")
        own = "adapter-embedded" if sections()[name].adapter else EMBEDDED
        reference = found.get(f"{shape}/{own}")
        far = "–" if what == own or not (reference and reference.probabilities) else f"{_far(each, reference):.4f}"
        lines.append(f"| {name} | {spread(each.speeds, ',.1f')} | {each.share or 0:.0%} | {far} |")
    return "\n".join(lines)


def _far(one: Measured, other: Measured) -> float:
    pairs = zip(one.probabilities, other.probabilities, strict=True)
    return max(abs(a - b) for mine, theirs in pairs for a, b in zip(mine, theirs, strict=True))


def main() -> None:
    """Measure what is not measured yet, each section in a process of its own, and tell all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", metavar="PREFIX")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--section", help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.section:
        made = measure(given.section, given.folder, given.device, given.pairs, given.rounds)
        _file(given.folder, given.section).write_text(json.dumps(asdict(made)))
        return
    found = {}
    for name, setting in sections().items():
        if name.startswith(given.only):
            reason = reason_to_skip(setting, given.device)
            found[name] = Measured(name, skipped=reason) if reason else _measured(name, given)
    print(table(found))


def _measured(name: str, given: argparse.Namespace) -> Measured:
    """A section's result: as it was kept, or by a process of its own."""
    path = _file(given.folder, name)
    if not path.is_file():
        how = ("--device", given.device, "--pairs", str(given.pairs), "--rounds", str(given.rounds))
        command = [sys.executable, "-m", "benchmarks.gpu_sections", str(given.folder), "--section", name, *how]
        if code := subprocess.run(command, check=False).returncode:
            return Measured(name, skipped=f"it ended with code {code}")
    return Measured(**json.loads(path.read_text()))


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '--')}.json"


if __name__ == "__main__":
    main()
