"""A retriever trained on judgments."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from relevance_judge import shown
from relevance_judge.progress import progress as bar

if TYPE_CHECKING:
    from judge.export.hub.models import PublishedModel
    from retriever.trained import Trained


class ModelTarget(TypedDict, total=False):
    """Where and as what a model is published."""

    revision: str
    """A branch, made where it is missing; main unless given."""
    private: bool
    """Whether a new model is private. One that stands there and is public is refused then."""
    tag: str
    """The version's name; a digest of files and card unless given."""
    license: str
    """The licence to state, such as `apache-2.0`."""


@dataclass(frozen=True, repr=False)
class Retriever(shown.Result):
    """A trained retriever's folder, and what its `retriever.json` says."""

    path: Path
    record: "Trained"

    @property
    def losses(self) -> tuple[float, ...]:
        """Mean training loss of each epoch."""
        return self.record.losses

    def load(self) -> Any:
        """The model of sentence-transformers: a `SentenceTransformer`, or a `MultiVectorEncoder` where it is late."""
        import sentence_transformers

        kind = (
            sentence_transformers.MultiVectorEncoder if self.record.late else sentence_transformers.SentenceTransformer
        )
        return kind(str(self.path))

    def push(self, repo: str, **options: Unpack[ModelTarget]) -> "PublishedModel":
        """Publish the folder with its card as a model of the Hugging Face Hub: one commit, one tag.

        Args:
            repo: `owner/name` of the model, which is made where it is missing.
            options: See `ModelTarget`.

        Raises:
            InputError: A name cannot be used, or the folder holds files that could run.
            HubError: The Hub refuses, or cannot be reached.
        """
        from judge.export.hub import Target
        from judge.export.hub.models import publish_model

        return publish_model(self.path, Target(repo, **options))

    def _sheet(self) -> shown.Sheet:
        rows = [("started from", self.record.start), ("loss", self.record.loss)]
        rows += [("queries", f"{self.record.data.queries:,}"), ("steps", f"{self.record.steps:,}")]
        rows += [(f"loss of epoch {n}", shown.number(loss)) for n, loss in enumerate(self.losses, 1)]
        return shown.Sheet(f"retriever in {self.path}", ("", ""), rows)


def train(
    set_: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    start: str | os.PathLike[str] = "minilm-l6",
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Retriever:
    """Train a retriever on a listwise set, and write it as a folder that sentence-transformers loads.

    Killed at any moment, the same call resumes from its last checkpoint.

    Args:
        set_: The folder of `export("listwise")`.
        out: The folder to write, or to go on with.
        start: An encoder, its folder or its name on the Hub, or a model trained before.
        config: What to change of retriever/train.yaml, such as `loss`, `late`, `misspell`, `layers` or `seed`: a YAML
            file, or a dict of its keys.
        progress: Show a bar on standard error.

    Raises:
        InputError: The set or the configuration cannot be used.
        ModelError: There is nothing of this name to start from, or what training needs is not installed.
        RunError: The folder holds something else.
        EngineError: Memory does not hold a step, or the weights run away.
    """
    from retriever.config import load_config
    from retriever.job import check, prepare
    from retriever.job import train as run
    from retriever.trainer import Watch

    check(Path(out))
    chosen = load_config(None if config is None or isinstance(config, Mapping) else Path(config))
    chosen = chosen.changed(**config) if isinstance(config, Mapping) else chosen
    prepared = prepare(Path(set_), str(start), chosen)
    if not progress:
        return Retriever(Path(out), run(prepared, Path(out)))
    with bar("training", len(prepared.steps), shown=True) as advance:
        return Retriever(Path(out), run(prepared, Path(out), Watch(advance)))
