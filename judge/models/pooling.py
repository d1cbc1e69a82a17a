"""What comes after an encoder's transformer: one vector of its tokens' vectors, perhaps through a dense layer."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from judge.errors import ModelError


def read_json(path: Path) -> Any:
    """What a file of an encoder says; empty where there is none.

    Raises:
        ModelError: It is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError):
        raise ModelError(f"{path}: cannot be read", "save the encoder again") from None


def pooled(config: Mapping[str, Any], hidden: Any, mask: Any, name: str) -> Any:
    """One vector for each text of its tokens' vectors, as the module's config says; their mean unless it says."""
    mode = config.get("pooling_mode")
    if mode is None:
        chosen = [
            key.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
            for key, value in config.items()
            if key.startswith("pooling_mode_") and value is True
        ]
        mode = chosen[0] if len(chosen) == 1 else "mean" if not chosen else ", ".join(chosen)
    if isinstance(mode, list):
        mode = mode[0] if len(mode) == 1 else ", ".join(mode)
    if mode not in POOLINGS:
        raise ModelError(f"{name}: pools by {mode}, which is not known", f"known are {', '.join(POOLINGS)}")
    return POOLINGS[mode](hidden, mask.unsqueeze(-1).to(hidden.dtype))


def _last(hidden: Any, mask: Any) -> Any:
    import torch

    # The last token that is none of the padding, on whichever side that is.
    place = (mask.squeeze(-1) * torch.arange(mask.shape[1], device=mask.device)).argmax(dim=1)
    return hidden[torch.arange(len(hidden), device=hidden.device), place]


POOLINGS: Mapping[str, Callable[[Any, Any], Any]] = {
    "mean": lambda hidden, mask: (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9),
    "mean_sqrt_len": lambda hidden, mask: (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9).sqrt(),
    "cls": lambda hidden, mask: hidden[:, 0],
    "max": lambda hidden, mask: hidden.masked_fill(mask == 0, -1e9).max(1).values,
    "lasttoken": _last,
}


def dense(path: Path, hidden: Any) -> Any:
    """Vectors through a dense layer of a folder."""
    import torch
    from safetensors.torch import load_file

    weights = load_file(path / "model.safetensors", device=str(hidden.device))
    found = torch.nn.functional.linear(hidden, weights["linear.weight"].float(), weights.get("linear.bias"))
    activation = str(read_json(path / "config.json").get("activation_function", "")).rpartition(".")[2]
    return torch.tanh(found) if activation == "Tanh" else torch.relu(found) if activation == "ReLU" else found
