"""A token endpoint and an API on 127.0.0.1 that write down what reached them, and a way to run a kit."""

import base64
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from clients.snippets.kit import ApiCall, KitContext

SECRET = "ccp_prod_0123456789ABCDEFGHIJabcdefghijKLMNOPQ7Kq2"
HOSTILE = [
    'it\'s "quoted"',
    "$(touch pwned)",
    "`touch pwned`",
    "a\ntouch pwned\n#",
    "; touch pwned;",
    "'; touch pwned; '",
    "😀 ü & 100% + \\ \\n",
    "{{ 7*7 }} {% x %}",
    "@@secret@@ @@nothing@@",
    "--output",
    "-",
    "@/etc/passwd",
    "cr\rhere",
    "\x1b[2J\x07",
    "a\u202etac\u2066",
    "\x01\x7f\x85\u2028",
    "tab\tend",
    "!history $HOME ${IFS} ~ *",
    '" \noutput = "pwned"\n',
    "a[$(touch pwned)]",
    "ends in \\",
    "$'\\047; touch pwned'",
    "' '",
    " lead and trail ",
]
CLAIMS = {"sub": "7h2kq9v4", "tenant_id": "acme", "scope": "orders/read", "note": "ü>?~ÿ"}


def make_token(claims=CLAIMS):
    parts = [json.dumps(part, ensure_ascii=False).encode() for part in ({"alg": "RS256"}, claims)]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2ln-_"])


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def form(self):
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)


@dataclass
class Stub:
    """Answers by path: `/token` first; set `answers[path]` to (status, body)."""

    answers: dict = field(default_factory=dict)
    requests: list = field(default_factory=list)
    gate: threading.Event | None = None
    arrived: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def __post_init__(self):
        self.reset()

    def reset(self):
        self.token = make_token()
        granted = {"access_token": self.token, "expires_in": 3600, "token_type": "Bearer"}
        self.answers = {"/token": (200, json.dumps(granted)), "/api": (200, '{"data":{"orders":[]}}')}
        self.requests = []
        self.gate = None
        self.arrived.clear()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def to(self, path):
        return [request for request in self.requests if request.path.split("?")[0] == path]


def start(stub):
    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            stub.requests.append(Request(self.command, self.path, dict(self.headers), body))
            stub.arrived.set()
            if stub.gate:
                stub.gate.wait(5)
            status, text = stub.answers.get(self.path.split("?")[0], (404, "<h1>Not found</h1>"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def make_context(stub, **changes):
    query = ApiCall("appsync", f"{stub.url}/api", "POST", '{"query":"{ orders { id } }"}', "list orders")
    values = {
        "client_name": "northwind-orders-prod",
        "client_id": "7h2kq9v4m1c8r5t0x3b6n2p8dj",
        "tenant_name": "Northwind",
        "token_url": f"{stub.url}/token",
        "scopes": ("orders/read", "orders/write"),
        "api": query,
        "secret_ending": None,
        "version": "",
    }
    return KitContext(**{**values, **changes})


@dataclass
class Bench:
    """A directory of its own for one kit: script, home, and a place where a canary would show."""

    folder: object

    def __post_init__(self):
        for name in ("kit", "home"):
            (self.folder / name).mkdir(exist_ok=True)

    @property
    def script(self):
        return self.folder / "kit" / "kit.sh"

    @property
    def cache_files(self):
        return [path for path in (self.folder / "home" / ".cache").rglob("*") if path.is_file()]

    def environment(self, secret=None, **more):
        known = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), "CLIENT_KIT_TIMEOUT": "10"}
        if secret is not None:
            known["CLIENT_SECRET"] = secret
        return {**known, **more}

    def write(self, text):
        self.script.write_bytes(text.encode())

    def run(self, *options, secret=None, stdin="", **more):
        return subprocess.run(
            ["bash", str(self.script), *options],
            env=self.environment(secret, **more),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=20,
            cwd=self.folder,
        )


def assert_nothing_ran(bench):
    assert not list(bench.folder.rglob("pwned*"))
