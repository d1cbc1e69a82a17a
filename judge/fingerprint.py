"""What made a label, as a digest: the signature that travels with every figure, and the resume key of a run."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judge.records import Record

_DIGEST = re.compile(r"[0-9a-f]{40,}")


def digest(value: Any) -> str:
    """SHA-256 (hex) of a JSON-able value in canonical form: keys sorted, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def adapter_digest(directory: Path) -> str | None:
    """SHA-256 (hex) over a peft adapter's files; null where there are none."""
    files = sorted(path for path in directory.glob("adapter_*") if path.is_file())
    return digest({path.name: file_digest(path) for path in files}) if files else None


class Fingerprint(Record):
    """Named parts, and one digest over all of them. Two labels are comparable where the fingerprints are equal."""

    parts: Mapping[str, str | None]

    @classmethod
    def of(cls, parts: Mapping[str, str | int | None]) -> "Fingerprint":
        """Of parts that may be numbers."""
        return cls(parts={name: None if part is None else str(part) for name, part in parts.items()})

    @property
    def value(self) -> str:
        """The first 16 hex digits of the digest over all parts."""
        return digest(dict(self.parts))[:16]

    def differences(self, other: "Fingerprint") -> list[str]:
        """One line for each part that differs, `name: this value → that value`, in name order."""
        names = sorted(self.parts.keys() | other.parts.keys())
        return [
            " ".join(f"{name}: {_shown(self.parts.get(name))} → {_shown(other.parts.get(name))}".split("\n"))
            for name in names
            if self.parts.get(name) != other.parts.get(name)
        ]


def _shown(part: str | None) -> str:
    """A part as a line of differences has it: of a digest, what tells it from others."""
    return f"{part[:12]}…" if part and _DIGEST.fullmatch(part) else str(part)
