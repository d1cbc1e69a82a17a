"""Late interaction: a vector for every token, and MaxSim (Khattab and Zaharia 2020, ColBERT, arXiv:2004.12832).

A document's score is, for each token of the query, the best cosine with any token of the document; training takes the
mean over the query's tokens, so that scores are on the scale of cosines whatever the query's length. The order of a
query's documents is that of the sum.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judge.documents import Kind, load
from judge.errors import ModelError
from judge.models.gguf import quiet_transformers
from judge.models.pooling import LATE, Module
from retriever.towers import prompts, transformer

PARTS = ["Transformer", LATE, "Normalize"]
"""What a late-interaction model is made of here."""


def late_parts(directory: Path) -> list[tuple[str, Path]] | None:
    """The modules of a folder that holds a late-interaction model of these parts; null where it holds none.

    Raises:
        ModelError: It holds one of other parts, or is damaged.
    """
    listed = directory / "modules.json"
    if not listed.is_file():
        return None
    modules = load(listed, list[Module], Kind("save the model again", ModelError))
    kinds = [module.kind for module in modules]
    if LATE not in kinds:
        return None
    folders = [directory / module.path for module in modules]
    if kinds != PARTS or any(not path.resolve().is_relative_to(directory.resolve()) for path in folders):
        raise ModelError(f"{directory}: is made of other parts than {', '.join(PARTS)}", "start from another model")
    return list(zip(kinds, folders, strict=True))


def build_late(name: str, directory: Path, folder: Path, device: str) -> Any:
    """A MultiVectorEncoder with the weights of a transformer's folder.

    From a plain encoder it is [Transformer, MultiVectorMask, Normalize]: the library's own default would add a
    projection whose weights are random.

    Raises:
        ModelError: The weights cannot be loaded.
    """
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    with quiet_transformers():
        parts = [transformer(name, folder), MultiVectorMask(), Normalize("token_embeddings")]
        return MultiVectorEncoder(modules=parts, prompts=prompts(directory), device=device)


def score_late(queries: Any, documents: Sequence[Any]) -> Any:
    """Means of MaxSim, of shape (queries, documents), of the outputs of `build_late`."""
    import torch
    from sentence_transformers.util.similarity import maxsim

    asked, mask = queries["token_embeddings"].float(), queries["attention_mask"]
    return torch.cat(
        [
            maxsim(asked, piece["token_embeddings"].float(), mask, piece["attention_mask"], length_normalize=True)
            for piece in documents
        ],
        dim=1,
    )
