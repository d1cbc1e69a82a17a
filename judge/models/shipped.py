"""The fine-tuned judges that come with the package: adapters' directories inside it, found by name."""

from importlib.resources import files
from pathlib import Path

SHIPPED = "shop-135m"
"""The embedded base, fine-tuned for product search on three levels; its README.md is its card."""


def shipped_judges() -> dict[str, Path]:
    """Directories by name, the default first."""
    found = [path.parent for path in Path(str(files("judge") / "shipped")).glob("*/judge.json")]
    return {folder.name: folder for folder in sorted(found, key=lambda f: (f.name != SHIPPED, f.name))}


def shipped_directory(name: str) -> Path | None:
    """The directory of a shipped judge, or null where the name is none of them."""
    return shipped_judges().get(name)
