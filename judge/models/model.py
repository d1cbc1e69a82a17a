"""Which model judges: the embedded one, a directory, a repository of the Hugging Face Hub, or a GGUF file of either."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.cache import is_whole, known_digest
from judge.documents import Kind, load, shown
from judge.errors import ModelError, safe
from judge.fingerprint import digest, file_digest
from judge.models.embedded import EMBEDDED, embedded_model
from judge.models.gguf import folder_of, unpack
from judge.models.known import repository
from judge.models.shipped import SHIPPED

ADAPTER = "adapter_config.json"
"""What transformers takes for an adapter of the weights in the same folder, and applies unasked."""
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model"]

CONFIG = Kind("save or download the model again", ModelError)
MOST = 1_000
"""Layers of a model, at most: ten times the deepest there are. Modules are made one by one."""
_LAYERS = re.compile(r"n_layers?|(num|n)_(\w+_)?layers?|num_\w*experts")
_HUB_ID = re.compile(r"^(?P<repo>[\w.-]+/[\w.-]+)(/(?P<file>[\w.-]+\.gguf))?(@(?P<revision>[\w./-]+))?$")
_BLOB = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class JudgeModel:
    """A model on this machine: its weights are safetensors, and no code of its own is run."""

    name: str
    """As the user wrote it, without a revision."""
    directory: Path
    revision: str | None
    """The Hub's commit, where it came from there."""
    context: int | None
    """How many tokens it reads."""
    weights: str
    """SHA-256 (hex) over its weight files, by name, and what of its config changes its answers; or that of its GGUF
    file."""

    @property
    def tokenizer(self) -> str:
        """SHA-256 (hex) over its tokenizer and chat template."""
        found = [self.directory / name for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")]
        return digest({path.name: file_digest(path) for path in found if path.is_file()})


def find_model(name: str = EMBEDDED) -> JudgeModel:
    """Find a judge by name: `smollm2-135m` (embedded), a name of `judge.models.known`, a directory,
    `owner/name[@revision]` of the Hub, or a GGUF file: a path, or `owner/name/file.gguf[@revision]`.

    The first use of the embedded base model or of a GGUF file unpacks it, and of a Hub judge downloads it.

    Raises:
        ModelError: There is no such judge, it has no safetensors weights, or its GGUF file cannot be taken over.
    """
    if name == EMBEDDED:
        directory, weights = embedded_model()
        return JudgeModel(EMBEDDED, directory, None, _context(read_config(directory)), weights)
    name = repository(name)
    directory, revision, blobs = Path(name).expanduser(), None, None
    if _is_gguf(directory):
        return _unpacked(name, directory, None, None)
    if not directory.is_dir():
        match = _hub_id(name)
        directory = _download(match["repo"], match["revision"], match["file"])
        name, file = name.partition("@")[0], match["file"]
        # A snapshot's folder is named after the commit it holds.
        revision, blobs = directory.name, _blobs(directory)
        if file:
            return _unpacked(name, directory / file, revision, blobs)
    if (directory / ADAPTER).is_file():
        raise ModelError(
            f"{name}: holds an adapter ({ADAPTER}), which would change the answers of the weights next to it",
            "name the base with --judge and the adapter's own folder with --adapter, or merge the two",
        )
    files = sorted(directory.glob("*.safetensors"))
    if not (directory / "config.json").is_file() or not files:
        what = "config.json" if files else "safetensors weights"
        raise ModelError(
            f"{name}: has no {what}",
            "save the model with safetensors (save_pretrained does), with config and tokenizer",
        )
    config = read_config(directory)
    weights = digest({path.name: _digest(path, blobs) for path in files} | {"config": _lasting(config)})
    return JudgeModel(name, directory, revision, _context(config), weights)


def check_name(name: str) -> None:
    """Refuse a name that no judge can have, without looking for it on the Hub.

    Raises:
        ModelError: It is none.
    """
    if name != EMBEDDED and not Path(name).expanduser().exists():
        _hub_id(repository(name))


def _hub_id(name: str) -> re.Match[str]:
    match = _HUB_ID.match(name)
    if Path(name).is_absolute():
        raise ModelError(
            f"{name}: no model is there",
            "name a directory that exists; where an adapter's base has moved, say where it lies now in the adapter's "
            "judge.json (base, name): its weights are compared",
        )
    if not match or name.startswith((".", "/", "~")):
        raise ModelError(
            f"no judge {name!r}",
            f"name {SHIPPED}, {EMBEDDED}, a larger judge that `judge doctor --judges` lists, a model directory, a GGUF "
            "file, or owner/name[@revision] of the Hub",
        )
    return match


def local_directory(name: str, revision: str | None = None) -> Path | None:
    """Where a model's files lie on this machine already; null where they do not. Nothing is downloaded."""
    if name == EMBEDDED:
        try:
            return embedded_model()[0]
        except ModelError:
            return None
    name = repository(name)
    directory = Path(name).expanduser()
    if directory.is_dir():
        return directory
    if _is_gguf(directory):
        return _local_unpacked(directory, None)
    if not (match := _HUB_ID.match(name)):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    files = [match["file"]] if match["file"] else HUB_FILES
    try:
        found = Path(snapshot_download(match["repo"], revision=revision, allow_patterns=files, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None
    return _local_unpacked(found / match["file"], _blobs(found)) if match["file"] else found


def _is_gguf(path: Path) -> bool:
    return path.suffix == ".gguf" and path.is_file()


def _unpacked(name: str, gguf: Path, revision: str | None, blobs: Path | None) -> JudgeModel:
    weights = _digest(gguf, blobs)
    directory = folder_of(gguf.stem, weights)
    unpack(directory, lambda: gguf)
    return JudgeModel(name, directory, revision, _context(read_config(directory)), weights)


def _local_unpacked(gguf: Path, blobs: Path | None) -> Path | None:
    if not gguf.is_file():
        return None
    directory = folder_of(gguf.stem, _digest(gguf, blobs))
    return directory if is_whole(directory) else None


def _download(repo: str, revision: str | None, file: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where = repo if revision is None else f"{repo}@{revision}"
    try:
        found = Path(snapshot_download(repo, revision=revision, allow_patterns=[file] if file else HUB_FILES))
    except GatedRepoError:
        raise ModelError(
            f"{where}: asks for its terms to be accepted", "accept them on its Hub page and log in with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise ModelError(
            f"{where}: the repository has no such revision", "name a branch, tag or commit that exists"
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"{where}: no such model on the Hub, or no right to see it",
            "check the name, or log in with `hf auth login`",
        ) from None
    except LocalEntryNotFoundError:
        raise ModelError(
            f"{where}: is not on this machine, and the Hub cannot be reached", f"connect, or use --judge {EMBEDDED}"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"{where}: cannot be downloaded ({safe(str(error))})", "try again, or name a model directory"
        ) from None
    if file and not (found / file).is_file():
        raise ModelError(f"{where}: holds no {file}", "name a file as the repository's page spells it")
    return found


def _blobs(snapshot: Path) -> Path:
    """Where the Hub's cache keeps the files of a snapshot: next to `snapshots/COMMIT`."""
    return snapshot.parent.parent / "blobs"


def _digest(path: Path, blobs: Path | None) -> str:
    # Blobs of the Hub's cache are named by their SHA-256: no need to read gigabytes again. Other names say nothing.
    target = path.resolve()
    trusted = blobs is not None and target.parent == blobs.resolve() and _BLOB.match(target.name)
    return target.name if trusted else known_digest(path)


def read_config(directory: Path) -> dict[str, Any]:
    """What a model's config.json says, its numbers of layers checked.

    Raises:
        ModelError: It cannot be read, is damaged, or counts layers that no model has.
    """
    path = directory / "config.json"
    found = load(path, dict[str, Any], CONFIG)
    inner = (value for value in found.values() if isinstance(value, dict))
    for name, value in ((name, value) for part in (found, *inner) for name, value in part.items()):
        if _LAYERS.fullmatch(name) and value is not None and not (type(value) is int and 0 <= value <= MOST):
            raise CONFIG.damaged(path, f"{name} cannot be {shown(value)}")
    return found


def _lasting(config: dict[str, Any]) -> dict[str, Any]:
    """What of a config changes a model's answers: not who saved it, where, or with which version."""
    return {key: value for key, value in config.items() if key not in ("_name_or_path", "transformers_version")}


def _context(config: dict[str, Any]) -> int | None:
    inner = config.get("text_config")
    found = config.get("max_position_embeddings")
    if found is None and isinstance(inner, dict):
        found = inner.get("max_position_embeddings")
    if found is not None and (type(found) is not int or found < 1):
        raise ModelError(
            f"its config.json has a max_position_embeddings of {str(found)[:40]!r}, which is not a number of tokens",
            "save the model again",
        )
    return found
