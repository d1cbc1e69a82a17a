"""An encoder without a model: the real interface, letters hashed. For trying out pipelines, and for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
import numpy.typing as npt

FAKE = "fake"
SHORTEST = 1e-6
"""The length below which a vector has no direction."""

Kind = Literal["query", "document"]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FakeEncoder:
    """The real interface without a model: letter trigrams hashed into signs. Texts that share letters are near."""

    dimension: int = 256
    name: str = FAKE
    digest: str = FAKE

    def encode(self, texts: Sequence[str], kind: Kind = "document") -> Floats:
        """See `Encoder.encode`."""
        found = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f" {text.casefold()} "
            for at in range(len(padded) - 2):
                drawn = int.from_bytes(blake2b(padded[at : at + 3].encode("utf-8", "replace"), digest_size=8).digest())
                found[row, drawn % self.dimension] += 1 if drawn >> 63 else -1
            found[row, 0] += 1e-3
        return unit(found)


def unit(vectors: Floats) -> Floats:
    """Vectors of length 1, by rows."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, SHORTEST), dtype=np.float32)
