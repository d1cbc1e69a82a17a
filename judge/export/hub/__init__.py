"""A run's labels on the Hugging Face Hub: every view a config, one card, one commit, one tag, loaded again to see.

`push_to_hub` makes a commit for every config, keeps what it knew of a config's features, and leaves a half-published
branch where the third of five fails. So the large files go first, which changes nothing that anybody sees, and then
one commit holds all files, the merged card and the deletion of stale files. It names its parent: a commit that came
between is noticed by the Hub and nothing is lost. The features, the metadata and the way back are those of `datasets`.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from judge.errors import InputError, install
from judge.export.hub.card import title, write_card
from judge.export.hub.facts import Agreement, gather
from judge.export.hub.failures import not_logged_in, told
from judge.export.hub.merging import Card, merged, read_card
from judge.export.hub.remote import Remote
from judge.export.hub.staged import StagedView, stage
from judge.export.hub.verify import verify
from judge.export.ledger import Exports, entry
from judge.export.published import write_views
from judge.export.selection import Selection
from judge.export.written import WrittenView
from judge.files import now
from judge.fingerprint import digest, file_digest
from judge.records import Record
from judge.run.decided import Decided
from judge.run.store import Run
from judge.scratch import scratch_folder

NEEDED = ("datasets", "huggingface_hub")
INSTALL = install("hub")


@dataclass(frozen=True)
class Target:
    """Where to publish."""

    repo: str
    """`owner/name`."""
    revision: str | None = None
    """A branch, made where it is missing, or `refs/pr/N`; main unless given."""
    private: bool = False
    """Whether a new dataset is private. One that stands there and is public is refused then."""
    tag: str | None = None
    """The version's name; the fingerprint and a digest of data and card unless given."""
    license: str | None = None
    """The licence to state; what stands there, or `unknown`, unless given."""


class Published(Record):
    """What is on the Hub now."""

    repo: str
    url: str
    revision: str
    commit: str
    tag: str
    tagged: str
    """The commit that the tag names: an earlier one where it was there already, with the same data and another card."""
    changed: bool
    """False where all of it stood there already."""
    configs: Mapping[str, Mapping[str, int]]
    """Rows by config and split, as they were loaded from the Hub."""
    fingerprint: str
    time: str
    """When it was verified; ISO 8601, UTC."""


def check(target: Target) -> None:
    """Refuse what cannot be published to, before any work.

    Raises:
        InputError: A package is missing, a name cannot be used, or nobody is logged in.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"publishing needs {' and '.join(missing)}", INSTALL)
    from huggingface_hub import get_token
    from huggingface_hub.utils import validate_repo_id

    if target.repo.count("/") != 1:
        raise InputError(f"{target.repo}: is not OWNER/NAME", "name it like my-shop/judgments")
    with told(target.repo, "nothing was published"):
        validate_repo_id(target.repo)
    if target.tag is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", target.tag):
        raise InputError(f"--tag {target.tag}: is not a valid tag", "use letters, digits, dots, - and _")
    if target.revision is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", target.revision):
        raise InputError(f"--revision {target.revision}: is not a valid branch", "use letters, digits, dots, - and _")
    if get_token() is None:
        raise not_logged_in()


def publish(
    run: Run,
    target: Target,
    selection: Selection,
    agreement: Agreement | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Published:
    """Publish a finished run's labels; all of it or nothing.

    Args:
        run: A run in which every row has its label.
        target: Where to.
        selection: What of the run, and in which splits.
        agreement: How far the labels agree with people's, for the card.
        note: Told what is being done.

    Raises:
        InputError: A name, a token or a right is not as it must be, or the card that stands there cannot be merged.
        RunError: The run is unfinished or does not add up, or its ledger cannot be written.
        HubError: The Hub refuses, breaks off or cannot be reached, or what was loaded again is not what was sent.
    """
    check(target)
    if "all" in selection.names:
        raise InputError("--splits: `datasets` takes 'all' for all splits together", "choose another name")
    run.check_finished()
    Exports(run.path).check()
    be_quiet()
    remote = Remote(target.repo, target.revision)
    with told(target.repo, "nothing was published"):
        remote.enter(private=target.private)
    with scratch_folder("hub") as scratch:
        note("writing the views")
        made = _make(run, target, selection, agreement, Path(scratch))
        with told(target.repo, "nothing was published"):
            head, commit = _send(remote, target, made, note)
        note("loading it again")
        with told(target.repo, f"commit {commit[:8]} is published, but not verified and not tagged"):
            rows = verify(target.repo, commit, made.views)
            tagged = remote.tag(made.tag, commit)
    where = f"{target.repo}@{commit}"
    if all(exported.out != where for exported in Exports(run.path)):
        Exports(run.path).append(entry(made.decisions, "hub", where, selection, made.judgments, made.sums))
    return Published(
        repo=target.repo,
        url=remote.url,
        revision=target.revision or "main",
        commit=commit,
        tag=made.tag,
        tagged=tagged,
        changed=commit != head,
        configs=rows,
        fingerprint=run.manifest.fingerprint,
        time=now(),
    )


@dataclass(frozen=True)
class _Made:
    """What is to be sent."""

    decisions: Decided
    judgments: WrittenView
    """What the run's own view holds, for the ledger."""
    folder: Path
    views: list[StagedView]
    sums: dict[str, str]
    """Digests of the files, by their paths in the folder."""
    title: str
    card: Card
    tag: str
    message: str


def _make(run: Run, target: Target, selection: Selection, agreement: Agreement | None, scratch: Path) -> _Made:
    """Write the views and the card into a scratch folder."""
    folder, out = scratch / "views", scratch / "dataset"
    decisions = Decided.of(run)
    written = write_views(decisions, selection, folder, without_empty=True)
    views = stage(folder, out, written, run.manifest.guideline["grades"])
    sums = {str(file.relative_to(out)): file_digest(file) for file in _files(views)}
    facts = gather(decisions, written, folder, agreement)
    told_of = write_card(facts, views, target.repo, "")
    version = digest({"files": sums, "card": told_of.body, "license": target.license})
    tag = target.tag or f"{run.manifest.fingerprint}-{version[:8]}"
    ours = write_card(facts, views, target.repo, tag)
    if target.license:
        ours = Card({**ours.data, "license": target.license}, ours.body)
    message = f"{sum(facts.mix.values()):,} judgments of run {run.manifest.fingerprint}"
    return _Made(decisions, written.views["judgments"], out, views, sums, title(facts), ours, tag, message)


def _send(remote: Remote, target: Target, made: _Made, note: Callable[[str], None]) -> tuple[str, str]:
    """Send what was made in one commit; the head before it, and the commit."""
    if target.tag:
        check_tag(remote, target.tag, made.sums)
    note(f"sending {sum(file.stat().st_size for file in _files(made.views)) / 1e6:,.1f} MB")
    adds = remote.send(made.folder, list(made.sums), private=target.private)
    # What stands there is read as late as can be: others may write while files are sent.
    head = remote.head()
    theirs, names = read_card(remote.card(head), target.repo), [view.name for view in made.views]
    text = merged(theirs, made.card, made.title, names, target.license is not None)
    stale = remote.stale(head, {*theirs.views, *names}, set(made.sums))
    return head, remote.commit(adds, text, stale, head, made.message)


def _files(views: Sequence[StagedView]) -> list[Path]:
    return [file for view in views for split in view.splits.values() for file in split.files]


def check_tag(remote: Remote, tag: str, sums: Mapping[str, str]) -> None:
    """Refuse a tag that stands for other data: it names one version for good.

    Raises:
        InputError: It names a commit that holds other files of these names.
    """
    there = remote.tagged(tag)
    if there is not None and remote.sums(there, sums) != dict(sums):
        raise InputError(
            f"--tag {tag}: names commit {there[:8]} of {remote.repo} already, with other data", "choose another --tag"
        )


def be_quiet() -> None:
    """No bars where nobody looks, and no warnings of the clients' own: one of them writes signed addresses."""
    import datasets
    import huggingface_hub.utils as hub

    hub.logging.set_verbosity_error()
    datasets.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        hub.disable_progress_bars()
        datasets.disable_progress_bars()
