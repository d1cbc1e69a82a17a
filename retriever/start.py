"""What a training starts from: an encoder, or a model that was trained before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.errors import InputError, ModelError
from judge.fingerprint import digest, file_digest
from judge.models.encoder import EMBEDDED_ENCODER, HUB_NAME, TransformerEncoder, find_encoder
from judge.models.pooling import read_json
from retriever.late import build_late, late_parts, score_late
from retriever.towers import build_towers, score_towers
from retriever.trained import Ancestor, is_trained, read_trained

NAME = f"name {EMBEDDED_ENCODER}, a sentence-transformers folder, or owner/name[@revision] of the Hub as --from"
LAYERS = ("num_hidden_layers", "n_layers", "num_layers")
"""What configs call the number of layers."""
NO_ENCODERS = ("ForCausalLM", "ForSequenceClassification", "ForConditionalGeneration")


@dataclass(frozen=True)
class Start:
    """Files of an encoder; nothing is loaded yet."""

    name: str
    """As the user wrote it; of a folder, its own name alone."""
    directory: Path
    digest: str
    parts: Sequence[tuple[str, Path]]
    late: bool
    """Whether a late-interaction model is made of it."""
    lineage: tuple[Ancestor, ...] = ()
    """The trainings before, earliest first."""
    hub: str | None = None
    """Its name on the Hub, where it is known to have one."""

    def build(self, device: str) -> Any:
        """The model of sentence-transformers.

        Raises:
            ModelError: The weights cannot be loaded.
        """
        if self.late:
            return build_late(self.name, self.directory, self.parts[0][1], device)
        return build_towers(self.name, self.directory, self.parts, device)

    @property
    def layers(self) -> int | None:
        """How many its config says that it has; null where it does not."""
        config = read_json(self.parts[0][1] / "config.json")
        return next((n for name in LAYERS if isinstance(n := config.get(name), int)), None)

    @property
    def score(self) -> Callable[[Any, Sequence[Any]], Any]:
        """From the model's outputs for queries and for pieces of documents to scores."""
        return score_late if self.late else score_towers


def find_start(name: str, *, late: bool) -> Start:
    """Find what to start from: what `find_encoder` takes, or a late-interaction model that was trained here.

    Raises:
        InputError: It has no weights, or is a late-interaction model and `late` does not say so.
        ModelError: There is none, or it is no encoder.
    """
    directory = Path(name).expanduser()
    parts = late_parts(directory) if directory.is_dir() else None
    if parts is None:
        return _encoder(name, late=late)
    if not late:
        raise InputError(f"--from {directory.name}: is a late-interaction model", "add --late, or start from another")
    files = {str(file.relative_to(directory)): file_digest(file) for _, path in parts for file in _telling(path)}
    return Start(directory.resolve().name, directory, digest(files), parts, late=True, lineage=_lineage(directory))


def _encoder(name: str, *, late: bool) -> Start:
    encoder = find_encoder(name)
    if not isinstance(encoder, TransformerEncoder):
        raise InputError(f"--from {name}: has no weights that could be trained", NAME)
    folder = encoder.directory
    made = (read_json(folder / "config.json").get("architectures") or [""])[0]
    if not (folder / "modules.json").is_file() and str(made).endswith(NO_ENCODERS):
        raise ModelError(f"--from {name}: is a {str(made)[:60]}, and not an encoder", NAME)
    local = Path(name).expanduser().is_dir()
    return Start(
        folder.resolve().name if local else name,
        folder,
        encoder.digest,
        encoder.modules,
        late,
        _lineage(folder),
        None if local else HUB_NAME if name == EMBEDDED_ENCODER else name.partition("@")[0],
    )


def _telling(path: Path) -> list[Path]:
    """Files on which a module's vectors depend."""
    return sorted(file for file in path.glob("*") if file.suffix in (".safetensors", ".json") and file.is_file())


def _lineage(directory: Path) -> tuple[Ancestor, ...]:
    """The trainings that a folder says of itself."""
    if not is_trained(directory):
        return ()
    before = read_trained(directory)
    return (*before.lineage, before.ancestor)
