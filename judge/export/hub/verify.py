"""What is on the Hub, loaded as everybody will load it, compared with what was sent."""

from collections.abc import Sequence

from judge.errors import HubError
from judge.export.hub.staged import StagedView
from judge.scratch import scratch_folder


def verify(repo: str, commit: str, views: Sequence[StagedView]) -> dict[str, dict[str, int]]:
    """Load every config at a commit.

    Args:
        repo: `owner/name`.
        commit: The commit that was made.
        views: What was sent.

    Returns:
        Rows by config and split.

    Raises:
        HubError: Rows, columns or classes are not what was sent.
    """
    from datasets import load_dataset

    found: dict[str, dict[str, int]] = {}
    with scratch_folder("loaded") as cache:
        for view in views:
            # The prefix: a folder of this name here is not what is meant.
            loaded = load_dataset(f"hf://datasets/{repo}", view.name, revision=commit, cache_dir=cache)
            found[view.name] = {split: part.num_rows for split, part in loaded.items()}
            sent = {split: part.rows for split, part in view.splits.items()}
            if found[view.name] != sent:
                raise _otherwise(repo, commit, view.name, f"{found[view.name]} rows instead of {sent}")
            for split, part in loaded.items():
                if part.features != view.features:
                    raise _otherwise(repo, commit, f"{view.name}, {split}", "other columns or classes")
            del loaded
    return found


def _otherwise(repo: str, commit: str, where: str, what: str) -> HubError:
    return HubError(
        f"{repo} at {commit[:8]}, {where}: loads with {what}",
        "run the same command again; if it stays so, report it: the tag was not set",
    )
