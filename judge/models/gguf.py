"""Models in GGUF files, unpacked once into a cache on this machine: fp32 safetensors, tokenizer and chat template.

What transformers reads from a GGUF's tokenizer lacks steps that the file names only in a word (`tokenizer.ggml.pre`).
Files whose word is not in `RESTORED` are refused: their text would be cut into tokens that the model never saw.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from judge.cache import cache_folder, hold_cache, is_whole, make_folder, storing
from judge.documents import Kind, reading
from judge.errors import ModelError, install
from judge.fingerprint import digest

GGUF = Kind("get it again", ModelError)
FORMAT = "f32-v1"
"""Part of the cache's name: raised when the conversion changes."""
LOCAL = install("local")


def folder_of(name: str, sha256: str) -> Path:
    """Where a file of this digest is unpacked."""
    return cache_folder() / f"{name}-{sha256[:12]}-{FORMAT}"


def unpack(folder: Path, find: Callable[[], Path]) -> str:
    """Make the folder unless it is there and whole; returns the digest of its weights.

    Safe when several processes start at once and after a kill in mid-conversion: the folder is whole or absent.

    Args:
        folder: Where to, of `folder_of`.
        find: Gives the file, checked; asked only where it has to be unpacked.

    Raises:
        ModelError: The file cannot be unpacked, there or at all.
    """
    hold_cache()
    if not is_whole(folder):
        try:
            make_folder(folder, lambda scratch: _convert(find(), scratch))
        except ImportError as error:
            raise ModelError(f"the judge cannot be unpacked: {error.name or error} is missing", LOCAL) from None
        except OSError as error:
            raise ModelError(
                f"{folder.parent}: the judge cannot be unpacked there ({error})",
                "set RELEVANCE_JUDGE_CACHE to a folder with more room: six times the file's size",
            ) from None
    digests = json.loads((folder / "digests.json").read_text())
    return digest({name: value for name, value in digests.items() if name.endswith(".safetensors")})


def _convert(gguf: Path, folder: Path) -> None:
    restore = RESTORED[_pre_tokenizer(gguf)]
    with quiet_transformers():
        model, tokenizer = _converted(gguf)
        restore(tokenizer.backend_tokenizer)
        with storing():
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)


def _converted(gguf: Path) -> tuple[Any, Any]:
    """Model and tokenizer of a file, as transformers reads them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with reading(gguf, GGUF, "it makes no model"):
        tokenizer: Any = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        loaded: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        # A model loaded from GGUF counts as quantised and refuses to be saved: move its weights into a fresh one.
        config = loaded.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        config._name_or_path = ""
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model.load_state_dict(loaded.state_dict())
    return model, tokenizer


def _pre_tokenizer(gguf: Path) -> str:
    from gguf import GGUFReader

    with reading(gguf, GGUF, "it is cut off, or no GGUF file"):
        field = GGUFReader(str(gguf)).fields.get("tokenizer.ggml.pre")
        word = str(field.contents()) if field else "none"
    if word not in RESTORED:
        raise ModelError(
            f"{gguf}: its tokenizer ({word}) cannot be reproduced exactly; known are {', '.join(RESTORED)}",
            "name the model's repository or directory with safetensors",
        )
    return word


def restore_digits(backend: Any) -> None:
    """Put back the step that makes every digit a token of its own.

    The conversion keeps the byte-level step alone: digits after two spaces would get ids that were never seen there.
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    backend.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )


def restore_nfc(backend: Any) -> None:
    """Put back the composing of accents, which Qwen's tokenizer does first."""
    from tokenizers.normalizers import NFC

    backend.normalizer = NFC()


RESTORED: dict[str, Callable[[Any], None]] = {"smollm": restore_digits, "qwen2": restore_nfc}
"""What has to be put back, by the name of the pre-tokenizer."""


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
