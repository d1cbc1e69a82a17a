"""What a Hub keeps: people, repositories, content-addressed revisions, and the large files they point to."""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatch

ATTRIBUTES = b"".join(
    b"*.%s filter=lfs diff=lfs merge=lfs -text\n" % kind for kind in (b"parquet", b"arrow", b"safetensors")
)


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, status, message, code=None):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def sha1(kind, content):
    """A git object's name."""
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A file of a revision; of a large one the store holds the bytes, and git a pointer."""

    size: int
    oid: str
    sha256: str | None = None

    @property
    def etag(self):
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    tree: dict
    message: str


def shown(path, tree):
    """A path of a tree as the Hub shows it: a file, a folder, or nothing."""
    if entry := tree.get(path):
        lfs = {"lfs": {"oid": entry.sha256, "size": entry.size, "pointerSize": 130}} if entry.sha256 else {}
        return {"type": "file", "path": path, "size": entry.size, "oid": entry.oid, **lfs}
    if any(other.startswith(path + "/") for other in tree):
        return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
    return None


def listing(tree, folder, recursive):
    """What stands in a folder, and in the folders in it."""
    start = folder + "/" if folder else ""
    paths = set()
    for path in tree:
        if path.startswith(start):
            parts = path.removeprefix(start).split("/")
            deepest = len(parts) if recursive else 1
            paths |= {start + "/".join(parts[:depth]) for depth in range(1, deepest + 1)}
    if folder and not paths:
        raise RefusedError(404, f"{folder} does not exist", "EntryNotFound")
    return [shown(path, tree) for path in sorted(paths)]


@dataclass
class Repo:
    name: str
    private: bool
    commits: dict = field(default_factory=dict)
    branches: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)

    def at(self, revision):
        """The commit that a branch, a tag, or (the beginning of) its own name means."""
        oid = self.branches.get(revision.removeprefix("refs/heads/")) or self.tags.get(revision) or revision
        found = [c for name, c in self.commits.items() if len(oid) >= 7 and name.startswith(oid)]
        if not found:
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found[0]

    def refs(self):
        """Branches and tags as the Hub lists them."""
        shown = {"branches": ("heads", self.branches), "tags": ("tags", self.tags)}
        return {"converts": []} | {
            key: [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid} for name, oid in named.items()]
            for key, (kind, named) in shown.items()
        }

    def history(self, revision="main"):
        """The commits of a branch, the latest first."""
        commit = self.at(revision)
        while commit:
            yield commit
            commit = self.commits.get(commit.parent)


class Store:
    """Everything, behind one lock."""

    def __init__(self):
        self.lock = threading.RLock()
        self.people = {}  # token -> {"name", "write", "orgs"}
        self.repos = {}
        self.large = {}  # sha256 -> bytes
        self.small = {}  # git oid -> bytes

    def who(self, token):
        if token is None:
            return None
        if token not in self.people:
            raise RefusedError(401, "Invalid credentials in Authorization header")
        return self.people[token]

    def create(self, person, owner, name, private):
        full = f"{owner or person['name']}/{name}"
        if not person["write"] or (owner and owner not in (person["name"], *person["orgs"])):
            raise RefusedError(403, f"You don't have the rights to create a dataset under the namespace {owner!r}")
        if full in self.repos:
            raise RefusedError(409, "You already created this dataset repo")
        repo = self.repos[full] = Repo(full, private)
        self.commit(repo, "main", [{"key": "header", "value": {"summary": "initial commit"}}, _file(ATTRIBUTES)])
        return repo

    def repo(self, name, person, write=False):
        found = next((repo for full, repo in self.repos.items() if full.lower() == name.lower()), None)
        owners = (person["name"], *person["orgs"]) if person else ()
        if found is None or (found.private and found.name.split("/")[0] not in owners):
            raise RefusedError(404 if person else 401, "Repository not found", "RepoNotFound")
        if write and not (person and person["write"] and found.name.split("/")[0] in owners):
            raise RefusedError(403 if person else 401, "You don't have write access to this repo")
        return found

    def commit(self, repo, branch, lines):
        """Add a commit of the operations in `lines`, all of them or none."""
        header = lines[0]["value"]
        head = repo.branches.get(branch)
        if head is None and repo.commits:
            raise RefusedError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        if header.get("parentCommit", head) != head:
            raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(repo.commits[head].tree) if head else {}
        for line in lines[1:]:
            key, value = line["key"], line["value"]
            if key == "file":
                content = base64.b64decode(value["content"])
                tree[value["path"]] = entry = Entry(len(content), sha1("blob", content))
                self.small[entry.oid] = content
            elif key == "lfsFile":
                tree[value["path"]] = self._pointed(value["oid"])
            elif key == "deletedFile":
                if tree.pop(value["path"], None) is None:
                    raise RefusedError(404, "A file with this name doesn't exist", "EntryNotFound")
            elif key == "deletedFolder":
                for path in [path for path in tree if path.startswith(value["path"].rstrip("/") + "/")]:
                    del tree[path]
            else:
                raise RefusedError(400, f"unknown operation {key}")
        listed = {path: entry.etag for path, entry in sorted(tree.items())}
        body = json.dumps([head, header["summary"], listed]).encode()
        made = Commit(sha1("commit", body), head, tree, header["summary"])
        repo.commits[made.oid] = made
        repo.branches[branch] = made.oid
        return made

    def _pointed(self, sha256):
        if sha256 not in self.large:
            raise RefusedError(400, f"LFS object {sha256} was never uploaded")
        size = len(self.large[sha256])
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return Entry(size, sha1("blob", pointer), sha256)

    def content(self, entry):
        return self.large[entry.sha256] if entry.sha256 else self.small[entry.oid]

    def read(self, name, path, revision="main"):
        """A file's bytes, for tests to look at."""
        return self.content(self.repos[name].at(revision).tree[path])

    def mode(self, repo, path):
        """Whether a path is kept as a large file: what `.gitattributes` says."""
        attributes = next(repo.history()).tree.get(".gitattributes")
        patterns = self.content(attributes).decode().split("\n") if attributes else []
        return "lfs" if any(fnmatch(path, p.split()[0]) for p in patterns if "filter=lfs" in p) else "regular"


def _file(content):
    encoded = base64.b64encode(content).decode()
    return {"key": "file", "value": {"path": ".gitattributes", "content": encoded, "encoding": "base64"}}
