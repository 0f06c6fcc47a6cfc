"""Servers with authentication, on 127.0.0.1: a package index and git repositories."""

import base64
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from support import wheels
from support.repositories import commit_all

USER = "ada"
PASSWORD = "Analytical/Engine+1843"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
USERINFO = f"{USER}:{quote(PASSWORD, safe='')}"
SPELLINGS = (PASSWORD, quote(PASSWORD, safe=""), BASIC)
"""Possible spellings of the password."""


class Private(BaseHTTPRequestHandler):
    """Serves files, and responses of `git http-backend`, to clients with the password."""

    def do_GET(self):
        if self.headers.get("Authorization") != f"Basic {BASIC}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif ".git/" in self.path:
            self.send_git_response()
        else:
            self.send_file(Path(self.server.root, unquote(urlsplit(self.path).path).lstrip("/")))

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server's names

    def send_file(self, path):
        path = path / "index.html" if path.is_dir() else path
        body = path.read_bytes() if path.is_file() else b""
        self.send_response(200 if path.is_file() else 404)
        kind = "text/html" if path.suffix == ".html" else "application/octet-stream"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_git_response(self):
        parts = urlsplit(self.path)
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": unquote(parts.path),
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": USER,
        }
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        output = subprocess.run(
            ["git", "-c", "safe.directory=*", "http-backend"],
            env=environment,
            input=sent,
            capture_output=True,
            check=True,
        ).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def private_server(root):
    """Serve `root/simple` as an index and `root/*.git` as repositories; yield `host:port`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Private)
    server.root = root
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def make_repository(path, files):
    """Create a bare git repository with one commit."""
    work = path.with_suffix(".work")
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    commit_all(work)
    subprocess.run(["git", "clone", "-q", "--bare", work, path], check=True)
    return path


def package_files(name):
    """Return the files of a project that builds itself, without an index."""
    return {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        f'backend-path = ["."]\n[project]\nname = "{name}"\nversion = "1.0"\n',
        "wheels.py": Path(wheels.__file__).read_text(),
        "backend.py": "import wheels\ndef build_wheel(folder, *_, **__):\n"
        f"    return wheels.make_wheel(folder, {name!r}).name\n",
    }


@contextmanager
def ssh_server(folder):
    """Run an sshd for this user and one key, with an agent that has the key.

    Yield the address and the variables for a user of the agent.
    """
    folder.mkdir()
    if os.geteuid() == 0:  # Debian's sshd requires it
        Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        words = ["-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(["ssh-keygen", *words], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": port,
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
    }
    (folder / "sshd_config").write_text("".join(f"{k} {v}\n" for k, v in settings.items()))
    host_key = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    agent = f"/tmp/nachlass-agent-{os.getpid()}-{port}"  # a socket's path must be short
    running = [
        subprocess.Popen([shutil.which("sshd"), "-D", "-e", "-f", folder / "sshd_config"]),
        subprocess.Popen(["ssh-agent", "-D", "-a", agent], stdout=subprocess.DEVNULL),
    ]
    variables = {
        "SSH_AUTH_SOCK": agent,
        "GIT_SSH_COMMAND": f"ssh -F none -o BatchMode=yes -o IdentityFile=none "
        f"-o UserKnownHostsFile={folder / 'known_hosts'}",
    }
    try:
        await_socket(lambda: socket.create_connection(("127.0.0.1", port)).close())
        await_socket(lambda: Path(agent).stat())
        subprocess.run(
            ["ssh-add", "-q", folder / "user"], env={**os.environ, **variables}, check=True
        )
        yield f"{getpass.getuser()}@127.0.0.1:{port}", variables
    finally:
        for process in running:
            process.terminate()
            process.wait()


def await_socket(reach):
    """Wait until a server can be reached."""
    until = time.monotonic() + 10
    while True:
        try:
            return reach()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
