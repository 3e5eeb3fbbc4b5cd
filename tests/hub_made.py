"""A Hugging Face hub of one's own on this machine, so that the real client is tested without network."""

import contextlib
import hashlib
import http.server
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit


def commit_named(text: str) -> str:
    """Forty hex digits."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass
class Hub:
    """``folders``: id -> {branch: folder of its files}; ``asked``: every path; ``gated``: ids that refuse."""

    folders: dict[str, dict[str, Path]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    endpoint: str = ""

    def commit(self, name: str, branch: str = "main") -> str:
        """Of a branch."""
        return commit_named(f"{name} {branch}")

    def find(self, name: str, revision: str) -> tuple[str, Path] | None:
        """Commit and folder of a branch or commit."""
        for branch, folder in self.folders[name].items():
            if revision in (branch, self.commit(name, branch)):
                return self.commit(name, branch), folder
        return None


@contextlib.contextmanager
def served(hub: Hub):
    """The hub, answering at ``hub.endpoint``."""

    class Handler(_Handler):
        holder = hub

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    holder: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        path = unquote(urlsplit(self.path).path).strip("/")
        self.holder.asked.append(f"{self.command} /{path}")
        parts = path.split("/")
        if parts[:2] == ["api", "models"]:
            name, (kind, revision) = "/".join(parts[2:4]), (parts[4:6] or ["revision", "main"])
        elif len(parts) > 4 and parts[2] == "resolve":
            name, kind, revision = "/".join(parts[:2]), "resolve", parts[3]
        else:
            return self._send(404, b"")
        if name not in self.holder.folders:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if name in self.holder.gated:
            return self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
        found = self.holder.find(name, revision)
        if found is None:
            return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if kind == "resolve":
            return self._file(*found, "/".join(parts[4:]))
        return self._listing(name, kind, *found)

    def _listing(self, name, kind, commit, folder):
        files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        digests = {one: hashlib.sha256(data).hexdigest()[:40] for one, data in files.items()}
        if kind == "tree":
            rows = [{"type": "file", "path": one, "size": len(data), "oid": digests[one]} for one, data in files.items()]
            return self._send(200, json.dumps(rows).encode())
        siblings = [{"rfilename": one, "size": len(data), "blobId": digests[one]} for one, data in files.items()]
        told = {"_id": "1", "id": name, "modelId": name, "sha": commit, "private": False, "tags": [], "siblings": siblings}
        return self._send(200, json.dumps(told).encode())

    def _file(self, commit, folder, name):
        path = folder / name
        if not path.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        data = path.read_bytes()
        tag = hashlib.sha256(data).hexdigest()[:40]
        return self._send(200, data, {"X-Repo-Commit": commit, "ETag": f'"{tag}"', "Accept-Ranges": "none"})

    def _send(self, status, data, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
