"""A dataset or a model on the Hub, as far as publishing needs it."""

import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from judge.errors import InputError

CARD = "README.md"
_SHARD = re.compile(r"(?P<view>[^/]+)/[^/]+-\d{5}(-of-\d{5})?\.parquet")


class Remote:
    """One dataset or model and one of its branches.

    Args:
        repo: `owner/name`.
        revision: The branch, or `refs/pr/N`; main unless given.
        kind: `dataset` or `model`.
    """

    def __init__(self, repo: str, revision: str | None, kind: Literal["dataset", "model"] = "dataset") -> None:
        from huggingface_hub import HfApi, constants

        self.repo = repo
        self.branch = revision or constants.DEFAULT_REVISION
        self.url = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo}"
        # The token is the Hub's own affair: its login or its environment.
        self._api = HfApi(library_name="relevance-judge")
        self._at: dict[str, Any] = {"repo_id": repo, "repo_type": kind}

    def enter(self, *, private: bool) -> None:
        """See that the token is good, and that what is wanted private does not go where everybody reads.

        Raises:
            InputError: It is public.
        """
        self._api.whoami()
        info = self._info()
        if info is not None and private and not info.private:
            raise InputError(
                f"{self.repo}: is public, and --private was asked for", f"make it private at {self.url}/settings"
            )

    def _info(self) -> Any:
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return self._api.repo_info(**self._at)
        except RepositoryNotFoundError:
            return None

    def send(self, folder: Path, names: Iterable[str], *, private: bool) -> list[Any]:
        """Make the repository and the branch where they are missing, and send the large files; nobody sees them yet.

        Returns:
            What `commit` adds. Files that the Hub holds already are not sent again.
        """
        from huggingface_hub import CommitOperationAdd

        if self._info() is None:
            self._api.create_repo(**self._at, private=private or None, exist_ok=True)
        if not self.branch.startswith("refs/") and self.branch != "main":
            self._api.create_branch(**self._at, branch=self.branch, exist_ok=True)
        adds = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name) for name in names]
        with _without_warnings():
            self._api.preupload_lfs_files(
                **self._at, additions=adds, revision=self.branch, free_memory=False, num_threads=2
            )
        return adds

    def head(self) -> str:
        """The branch's latest commit."""
        return str(self._api.repo_info(**self._at, revision=self.branch).sha)

    def card(self, commit: str) -> str:
        """The card's text; empty where there is none."""
        from huggingface_hub.errors import EntryNotFoundError

        try:
            path = self._api.hf_hub_download(**self._at, filename=CARD, revision=commit)
        except EntryNotFoundError:
            return ""
        # Line ends as they are: a card with others would come back changed all over.
        return Path(path).read_bytes().decode("utf-8", "replace")

    def stale(self, commit: str, views: Collection[str], new: Collection[str]) -> list[str]:
        """Data files of these views that are not among the new ones."""
        paths = self._api.list_repo_files(**self._at, revision=commit)
        found = [(path, _SHARD.fullmatch(path)) for path in paths]
        return [path for path, shard in found if shard and shard["view"] in views and path not in new]

    def others(self, commit: str, ends: tuple[str, ...], new: Collection[str]) -> list[str]:
        """Files whose names end so and that are not among the new ones."""
        paths = self._api.list_repo_files(**self._at, revision=commit)
        return [path for path in paths if path.endswith(ends) and path not in new]

    def commit(self, adds: list[Any], card: str, stale: list[str], parent: str, message: str) -> str:
        """Publish: files, card and deletions at once, upon `parent` and nothing else.

        Returns:
            The commit; `parent` itself where nothing is to be changed.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations = [
            *adds,
            CommitOperationAdd(path_in_repo=CARD, path_or_fileobj=card.encode()),
            *(CommitOperationDelete(path_in_repo=path) for path in stale),
        ]
        with _without_warnings():
            done = self._api.create_commit(
                **self._at,
                operations=operations,
                commit_message=message,
                revision=self.branch,
                parent_commit=parent,
            )
        return str(done.oid)

    def tagged(self, tag: str) -> str | None:
        """The commit that a tag names."""
        if self._info() is None:
            return None
        refs = self._api.list_repo_refs(**self._at)
        return next((ref.target_commit for ref in refs.tags if ref.name == tag), None)

    def sums(self, commit: str, names: Iterable[str]) -> Mapping[str, str]:
        """SHA-256 of those of the named files that a commit holds as large files."""
        found = self._api.get_paths_info(**self._at, paths=list(names), revision=commit)
        return {file.path: file.lfs.sha256 for file in found if getattr(file, "lfs", None)}

    def tag(self, tag: str, commit: str) -> str:
        """Name a commit; a tag that is there stays where it is. Returns the commit that it names."""
        self._api.create_tag(**self._at, tag=tag, revision=commit, exist_ok=True)
        return self.tagged(tag) or commit


@contextmanager
def _without_warnings() -> Iterator[None]:
    """The clients call each other in ways that are on their way out; it is not the user's to fix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
