"""A model's folder on the Hugging Face Hub: one commit, one tag, the weights compared with what the Hub holds."""

from collections.abc import Callable
from pathlib import Path

import yaml

from judge.errors import HubError, InputError
from judge.export.hub import Target, be_quiet, check, check_tag
from judge.export.hub.failures import AGAIN, told
from judge.export.hub.merging import read_card
from judge.export.hub.remote import CARD, Remote
from judge.files import now
from judge.fingerprint import digest, file_digest
from judge.records import Record

WEIGHTS = ".safetensors"
INDEX = ".safetensors.index.json"
KINDS = (WEIGHTS, ".json", ".txt", ".yaml", ".md", ".jinja", ".model")
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
    if away := [path for path in files.values() if not path.resolve().is_relative_to(folder.resolve())]:
        raise InputError(f"{away[0]}: is a link out of the model's folder", "remove it, and publish again")
    card = _card(folder, target.license)
    files.pop(CARD)
    sums = {name: file_digest(path) for name, path in files.items()}
    remote = Remote(target.repo, target.revision, "model")
    with told(target.repo, "nothing was published"):
        remote.enter(private=target.private)
        if target.tag:
            check_tag(remote, target.tag, {name: value for name, value in sums.items() if name.endswith(WEIGHTS)})
        note(f"sending {sum(path.stat().st_size for path in files.values()) / 1e6:,.1f} MB")
        adds = remote.send(folder, list(files), private=target.private)
        head = remote.head()
        # A model loads one file of weights before many: an earlier push's would be loaded instead of this one's.
        stale = remote.others(head, (WEIGHTS, INDEX), sums)
        commit = remote.commit(adds, card, stale, head, f"a retriever of {len(files) + 1} files")
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


def _card(folder: Path, licence: str | None) -> str:
    """The folder's card, with the licence that is to be stated."""
    path = folder / CARD
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        message = f"{path}: cannot be read ({what}), and a model is published with its card"
        raise InputError(message, "train it again") from None
    if not licence:
        return text
    card = read_card(text, str(path))
    data = {"license": licence, **{key: value for key, value in card.data.items() if key != "license"}}
    return f"---\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}---\n{card.body}"
