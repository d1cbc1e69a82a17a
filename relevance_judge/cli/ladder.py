"""What `judge doctor` says of judges beyond the embedded one: by name on the Hub, and behind an endpoint."""

import os
from dataclasses import asdict
from typing import Any

from relevance_judge.cli.output import show, show_json, show_table
from relevance_judge.cli.serving import EndpointParams


def show_judges(json: bool) -> None:
    """Larger judges by name, with their licence, the memory that they need here, and whether there is as much."""
    from judge.models.known import KNOWN
    from judge.models.shipped import shipped_judges

    room, bytes_each, where = _memory()
    fits = {m.name: None if room is None else m.gigabytes(bytes_each) <= room for m in KNOWN.values()}
    sizes = {m.name: round(m.gigabytes(bytes_each), 1) for m in KNOWN.values()}
    if json:
        judges = [{**asdict(m), "gigabytes": sizes[m.name], "fits": fits[m.name]} for m in KNOWN.values()]
        show_json({"memory_gigabytes": room, "where": where, "judges": judges, "shipped": list(shipped_judges())})
        return
    words = {True: "fits", False: "too large", None: "not known"}
    rows = [(name, f"{m.billions:g} B", m.licence, f"{sizes[name]} GB", words[fits[name]]) for name, m in KNOWN.items()]
    show_table(rows, head=("--judge", "parameters", "licence", f"memory ({where})", "here"), right=(1, 3))
    free = "" if room is None else f"; {room:.1f} GB are free"
    show("", f"{', '.join(shipped_judges())} comes with the package; none of these is tested here{free}")


def show_endpoint(endpoint: EndpointParams, model: str | None, json: bool) -> None:
    """What an endpoint can do, asked of it."""
    from judge.engines.abilities import find_abilities
    from judge.engines.options import load_options

    found = find_abilities(endpoint.url or "", model, load_options(endpoint.engine_config))
    if json:
        show_json({**found.model_dump(), "advice": found.advice})
        return
    rows: list[tuple[str, str]] = [("models", ", ".join(found.models) or "it lists none")]
    if found.model is None:
        show_table(rows)
        show("", "fix: name one of them with --judge")
        return
    chat = f"answers forced by {found.answers}" if found.chat else f"no ({found.chat_missing})"
    rows += [("asked", found.model), ("chat completions", chat)]
    if found.chat:
        told = f"{found.logprobs} a token" if found.logprobs else "not told"
        rows += [("log-probabilities", told), ("seed", _yes(found.seed)), ("temperature", _yes(found.temperature))]
    rows.append(("prompts as token ids", "yes" if found.token_ids else f"no ({found.token_ids_missing})"))
    show_table(rows)
    show("", f"judge label PAIRS {found.advice}")


def _yes(taken: bool) -> str:
    return "taken" if taken else "not taken"


def _memory() -> tuple[float | None, int, str]:
    """Free gigabytes where a judge would run, null where nobody tells; bytes of a number there; and what it is."""
    from importlib.util import find_spec

    if find_spec("torch"):
        import torch

        if torch.cuda.is_available():
            return torch.cuda.mem_get_info()[0] / 1e9, 2, "GPU, bf16"
    names: Any = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" not in names:
        return None, 4, "processor, fp32"
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 4, "processor, fp32"
