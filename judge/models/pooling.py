"""What an encoder is made of, and what comes after its transformer: one vector of its tokens' vectors, perhaps through
a dense layer. Its documents are other people's."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, PositiveInt

from judge.documents import Kind, load, reading, shown
from judge.errors import ModelError

DAMAGED = Kind("save the encoder again", ModelError)
LATE = "MultiVectorMask"
"""The module that tells a late-interaction model."""


class Settings(BaseModel):
    """What is used of the configs of an encoder and of its modules."""

    hidden_size: PositiveInt | None = None
    dim: PositiveInt | None = None
    max_position_embeddings: PositiveInt | None = None
    max_seq_length: PositiveInt | None = None
    out_features: PositiveInt | None = None
    activation_function: str = ""
    prompts: dict[str, str | None] | None = None


class Module(BaseModel):
    """A line of `modules.json`."""

    type: str
    path: Annotated[str, Field(pattern=r"^[^\x00]*$")] = ""

    @property
    def kind(self) -> str:
        """Its class, without where that is defined."""
        return self.type.rpartition(".")[2]


def settings(path: Path) -> Settings:
    """What a config says; nothing where there is none.

    Raises:
        ModelError: It is damaged.
    """
    return load(path, Settings, DAMAGED) if path.is_file() else Settings()


def read_json(path: Path) -> dict[str, Any]:
    """A config as it is; empty where there is none.

    Raises:
        ModelError: It is damaged.
    """
    return load(path, dict[str, Any], DAMAGED) if path.is_file() else {}


def modules_of(name: str, directory: Path) -> list[tuple[str, Path]]:
    """The kinds of a folder's modules with their folders, the transformer first.

    Raises:
        ModelError: One is damaged, not known, not whole, or outside of the folder.
    """
    known = ("Transformer", "Pooling", "Dense", "Normalize")
    listed = directory / "modules.json"
    if not listed.is_file():
        found = [("Transformer", directory), ("Pooling", directory / "no-pooling")]
    else:
        found = [(module.kind, directory / module.path) for module in load(listed, list[Module], DAMAGED)]
    strange = [kind for kind, _ in found if kind not in known]
    if LATE in strange:
        raise ModelError(
            f"{name}: is a late-interaction model, which has a vector for every token and none for a whole text",
            "name an encoder that has one; to mine with this one, rank with it and with another system by "
            "`judge search`: judge mine --run A --run B",
        )
    if strange or not found or found[0][0] != "Transformer":
        what = shown(strange[0]) if strange else "no transformer"
        raise ModelError(f"{name}: is made with {what}, which is not known", f"known are {', '.join(known)}")
    for _, path in found:
        if not path.resolve().is_relative_to(directory.resolve()):
            raise DAMAGED.damaged(listed, f"{shown(str(path))} is outside of the encoder's folder")
    folder = found[0][1]
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise ModelError(
            f"{name}: has no config.json with safetensors weights", "save the encoder with sentence-transformers"
        )
    for kind, path in found:
        if kind == "Dense" and not (path / "model.safetensors").is_file():
            raise DAMAGED.damaged(path, "model.safetensors is missing")
    size_of(found)
    return found


def size_of(modules: Sequence[tuple[str, Path]]) -> int:
    """Numbers in a vector: what the last dense layer gives, or the transformer.

    Raises:
        ModelError: Neither says.
    """
    dense_layers = [path for kind, path in modules if kind == "Dense"]
    file = (dense_layers[-1] if dense_layers else modules[0][1]) / "config.json"
    said = settings(file)
    size = said.out_features if dense_layers else said.hidden_size or said.dim
    if size is None:
        raise DAMAGED.damaged(file, "the size of its vectors is missing")
    return size


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
    mode = ", ".join(map(str, mode)) if isinstance(mode, list) else str(mode)
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
    """Vectors through a dense layer of a folder.

    Raises:
        ModelError: Its weights are missing, damaged or of another shape.
    """
    import torch
    from safetensors.torch import load_file

    file = path / "model.safetensors"
    with reading(file, DAMAGED, "not the weights of a dense layer that fits"):
        weights = load_file(file, device=str(hidden.device))
        found = torch.nn.functional.linear(hidden, weights["linear.weight"].float(), weights.get("linear.bias"))
    activation = settings(path / "config.json").activation_function.rpartition(".")[2]
    return torch.tanh(found) if activation == "Tanh" else torch.relu(found) if activation == "ReLU" else found
