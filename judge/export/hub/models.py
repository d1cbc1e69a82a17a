"""A model's folder on the Hugging Face Hub: one commit, one tag, the weights compared with what the Hub holds."""

from collections.abc import Callable
from pathlib import Path

import yaml

from judge.errors import HubError, InputError
from judge.export.hub import Target, be_quiet, check
from judge.export.hub.failures import AGAIN, told
from judge.export.hub.remote import CARD, Remote
from judge.files import now
from judge.fingerprint import digest, file_digest
from judge.records import Record

KINDS = (".safetensors", ".json", ".txt", ".yaml", ".md", ".jinja", ".model")
"""Files that run nothing."""


class PublishedModel(Record):
    """What is on the Hub now."""

    repo: str
    url: str
    revision: str
    commit: str
    tag: str
    tagged: str
    """The commit that the tag names: an earlier one where it was there already."""
    changed: bool
    """False where all of it stood there already."""
    files: int
    time: str
    """When it was verified; ISO 8601, UTC."""


def publish_model(folder: Path, target: Target, note: Callable[[str], None] = lambda text: None) -> PublishedModel:
    """Publish a model's folder with its card; all of it or nothing.

    Raises:
        InputError: A name, a token or a right is not as it must be, or the folder holds files that could run.
        HubError: The Hub refuses, breaks off or cannot be reached, or holds other weights than were sent.
    """
    check(target)
    be_quiet()
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    if strange := [name for name, path in files.items() if path.suffix not in KINDS]:
        raise InputError(f"{folder / strange[0]}: is not part of a model", "remove it, and publish again")
    card = files.pop(CARD).read_text(encoding="utf-8")
    if target.license:
        head = yaml.safe_dump({"license": target.license}, allow_unicode=True)
        card = card.replace("---\n", f"---\n{head}", 1)
    sums = {name: file_digest(path) for name, path in files.items()}
    remote = Remote(target.repo, target.revision, "model")
    with told(target.repo, "nothing was published"):
        remote.enter(private=target.private)
        note(f"sending {sum(path.stat().st_size for path in files.values()) / 1e6:,.1f} MB")
        adds = remote.send(folder, list(files), private=target.private)
        head = remote.head()
        commit = remote.commit(adds, card, [], head, f"a retriever of {len(files) + 1} files")
    with told(target.repo, f"commit {commit[:8]} is published, but not verified and not tagged"):
        held = remote.sums(commit, list(files))
        if any(sums[name] != value for name, value in held.items()):
            raise HubError(f"{target.repo}: the Hub holds other weights than were sent", AGAIN)
        tag = target.tag or digest({"files": sums, "card": card})[:8]
        tagged = remote.tag(tag, commit)
    return PublishedModel(
        repo=target.repo,
        url=remote.url,
        revision=target.revision or "main",
        commit=commit,
        tag=tag,
        tagged=tagged,
        changed=commit != head,
        files=len(files) + 1,
        time=now(),
    )
