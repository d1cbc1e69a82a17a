"""A Hub on this machine: the parts of its HTTP protocol that `huggingface_hub` and `datasets` speak.

Large files go the LFS way (batch, basic transfer, verify). The Xet way needs a content-addressed store with a protocol
of its own inside a compiled client, so tests switch it off with HF_HUB_DISABLE_XET=1; both end in the same commit.
Failures are put in with `fail`: an error status, a connection that is cut, or one that waits until told.
"""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import yaml
from hub_store import RefusedError, Store, listing, shown
from hub_wire import JSON, Failure, Wire

REPO = r"(?P<name>[^/]+/[^/]+?)"


class Hub(Store):
    """The server, and everything that was asked of it."""

    def __init__(self):
        super().__init__()
        self.log = []  # "METHOD path" of every request
        self.failures = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self, "routes": ROUTES}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            for failure in self.failures:
                if failure.wait:
                    failure.wait.set()
            self.server.shutdown()
            self.server.server_close()
            thread.join()

    def fail(self, pattern, **how):
        self.failures.append(Failure(pattern, **how))
        return self.failures[-1]

    def asked(self, pattern):
        """The requests that match."""
        return [line for line in self.log if re.search(pattern, line)]


class Handler(Wire):
    """What the Hub's addresses answer."""

    def repo(self, name, write=False):
        return self.hub.repo(name, self.person, write)

    # people and repositories

    def whoami(self):
        if self.person is None:
            raise RefusedError(401, "Invalid username or password.")
        role = "write" if self.person["write"] else "read"
        token = {"displayName": "test", "role": role}
        orgs = [{"name": name} for name in self.person["orgs"]]
        person = {"type": "user", "name": self.person["name"], "orgs": orgs}
        self.answer({**person, "auth": {"type": "access_token", "accessToken": token}})

    def create(self):
        if self.person is None:
            raise RefusedError(401, "Invalid username or password.")
        asked = self.json
        private = asked.get("visibility") == "private"
        repo = self.hub.create(self.person, asked.get("organization"), asked["name"], private)
        self.answer({"url": f"{self.hub.url}/datasets/{repo.name}", "name": repo.name})

    def validate(self):
        found = re.match(r"---\n(.*?)\n---\n", self.json["content"], re.S)
        try:
            yaml.safe_load(found[1] if found else "")
        except yaml.YAMLError as error:
            return self.answer({"errors": [{"message": str(error)}], "warnings": []}, 400)
        return self.answer({"errors": [], "warnings": []})

    def info(self, name, revision="main"):
        repo = self.repo(name)
        commit = repo.at(revision or "main")
        files = [{"rfilename": path} for path in commit.tree]
        self.answer({"id": repo.name, "sha": commit.oid, "private": repo.private, "siblings": files, "tags": []})

    def refs(self, name):
        self.answer(self.repo(name).refs())

    def branch(self, name, branch):
        repo = self.repo(name, write=True)
        if branch in repo.branches:
            raise RefusedError(409, "Reference already exists")
        repo.branches[branch] = repo.at(self.json.get("startingPoint") or "main").oid
        self.answer({})

    def tag(self, name, revision):
        repo, tag = self.repo(name, write=True), self.json["tag"]
        if tag in repo.tags:
            raise RefusedError(409, "Reference already exists")
        repo.tags[tag] = repo.at(revision).oid
        self.answer({})

    # what a revision holds

    def tree(self, name, revision, folder):
        recursive = parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower() in ("true", "1")
        self.answer(listing(self.repo(name).at(revision).tree, folder, recursive))

    def paths_info(self, name, revision):
        tree = self.repo(name).at(revision).tree
        kind = self.headers.get("Content-Type", "")
        paths = self.json["paths"] if kind.startswith(JSON) else parse_qs(self.body.decode()).get("paths", [])
        self.answer([found for path in paths if (found := shown(path, tree))])

    def resolve(self, name, revision, file):
        commit = self.repo(name).at(revision)
        if (entry := commit.tree.get(file)) is None:
            headers = {"X-Repo-Commit": commit.oid, "X-Error-Code": "EntryNotFound"}
            return self.answer({"error": "Entry not found"}, 404, headers)
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{entry.etag}"', "Accept-Ranges": "bytes"}
        if entry.sha256:  # a large file comes from elsewhere
            linked = {"X-Linked-Size": entry.size, "X-Linked-ETag": f'"{entry.sha256}"'}
            where = f"{self.hub.url.replace('127.0.0.1', 'localhost')}/cdn/{entry.sha256}"
            return self.answer(b"", 302, {**headers, **linked, "Location": where})
        return self.ranged(self.hub.content(entry), headers)

    def cdn(self, sha256):
        if self.person:
            raise RefusedError(400, "a token was sent to a host that is none of the Hub's")
        self.ranged(self.hub.large[sha256], {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"})

    # sending

    def preupload(self, name, revision):
        repo = self.repo(name, write=True)
        tree = repo.at(revision).tree
        files = []
        for path in (file["path"] for file in self.json["files"]):
            there = tree[path].etag if path in tree else None
            files.append({"path": path, "uploadMode": self.hub.mode(repo, path), "shouldIgnore": False, "oid": there})
        self.answer({"files": files})

    def batch(self, name):
        self.repo(name, write=True)
        sign = {"verify": {"href": f"{self.hub.url}/lfs-verify"}}
        objects = []
        for wanted in self.json["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}?X-Signature=0"}, **sign}
            objects.append(wanted if wanted["oid"] in self.hub.large else {**wanted, "actions": upload})
        self.answer({"transfer": "basic", "objects": objects})

    def put(self, sha256):
        if hashlib.sha256(self.body).hexdigest() != sha256:
            raise RefusedError(400, "the content is not what its name says")
        self.hub.large[sha256] = self.body
        self.answer(b"")

    def verify(self):
        if len(self.hub.large.get(self.json["oid"], b"")) != self.json["size"]:
            raise RefusedError(404, "no such object")
        self.answer({})

    def commit(self, name, revision):
        repo = self.repo(name, write=True)
        made = self.hub.commit(repo, revision, [json.loads(line) for line in self.body.splitlines()])
        self.answer({"commitOid": made.oid, "commitUrl": f"{self.hub.url}/datasets/{repo.name}/commit/{made.oid}"})


API = rf"/api/(?:datasets|models)/{REPO}"
ROUTES = [
    ("GET", "/api/whoami-v2", Handler.whoami),
    ("POST", "/api/repos/create", Handler.create),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("GET", API, Handler.info),
    ("GET", rf"{API}/revision/(?P<revision>[^/]+)", Handler.info),
    ("GET", rf"{API}/refs", Handler.refs),
    ("POST", rf"{API}/branch/(?P<branch>[^/]+)", Handler.branch),
    ("POST", rf"{API}/tag/(?P<revision>[^/]+)", Handler.tag),
    ("GET", rf"{API}/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?", Handler.tree),
    ("POST", rf"{API}/paths-info/(?P<revision>[^/]+)", Handler.paths_info),
    ("POST", rf"{API}/preupload/(?P<revision>[^/]+)", Handler.preupload),
    ("POST", rf"{API}/commit/(?P<revision>[^/]+)", Handler.commit),
    ("POST", rf"/(?:datasets/)?{REPO}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", r"/lfs/(?P<sha256>\w+)", Handler.put),
    ("POST", "/lfs-verify", Handler.verify),
    ("GET HEAD", rf"/(?:datasets/)?{REPO}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", Handler.resolve),
    ("GET HEAD", r"/cdn/(?P<sha256>\w+)", Handler.cdn),
]
