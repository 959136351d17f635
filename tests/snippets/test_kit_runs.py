"""What a kit keeps between two runs, and what it says when something refuses it."""

import json
import os
import shlex
import socket
import subprocess
import time

import pytest

from clients.snippets.kit import render_curl
from tests.snippets.support import SECRET, assert_nothing_ran, make_context, make_token

# Reuse


def test_second_run_reuses_the_token_and_needs_no_secret(stub, bench):
    bench.write(render_curl(make_context(stub)))
    assert bench.run(secret=SECRET).returncode == 0
    done = bench.run("--token-only")
    assert (done.returncode, done.stdout) == (0, stub.token + "\n")
    assert len(stub.to("/token")) == 1 and len(stub.to("/api")) == 1
    [kept] = bench.cache_files
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o777 == 0o700
    assert SECRET not in kept.read_text()
    assert bench.run("--fresh", secret=SECRET).returncode == 0 and len(stub.to("/token")) == 2


def test_cache_follows_xdg_and_is_refreshed_at_three_quarters(stub, bench):
    bench.write(render_curl(make_context(stub, api=None)))
    folder = bench.folder / "elsewhere"
    bench.run(secret=SECRET, XDG_CACHE_HOME=str(folder))
    [kept] = [path for path in folder.rglob("*") if path.is_file()]
    key, asked, refresh, token = kept.read_text().splitlines()
    assert int(refresh) - int(asked) == 2700 and abs(int(asked) - time.time()) < 10 and token == stub.token
    for moment in (int(time.time()) - 2701, int(time.time()) + 500):
        kept.write_text("\n".join([key, str(moment), str(moment + 2700), token, ""]))
        bench.run(secret=SECRET, XDG_CACHE_HOME=str(folder))
    assert len(stub.to("/token")) == 3


@pytest.mark.parametrize("change", [{"client_id": "other"}, {"scopes": ("orders/read",)}])
def test_token_of_another_client_or_scope_is_not_reused(stub, bench, change):
    bench.write(render_curl(make_context(stub, api=None)))
    bench.run(secret=SECRET)
    [first] = bench.cache_files
    bench.write(render_curl(make_context(stub, api=None, **change)))
    bench.run(secret=SECRET)
    [second] = set(bench.cache_files) - {first}
    second.write_bytes(first.read_bytes())  # Even under the very name it would look for.
    bench.run(secret=SECRET)
    assert len(stub.to("/token")) == 3


@pytest.mark.parametrize(
    "damage", ["", "x", "KEY\na[$(touch pwned)]\n99999999999\nTOKEN\n", 'KEY\n1\n99999999999\nT"\n']
)
def test_damaged_cache_is_ignored(stub, bench, damage):
    bench.write(render_curl(make_context(stub, api=None)))
    bench.run(secret=SECRET)
    [kept] = bench.cache_files
    kept.write_text(damage.replace("KEY", kept.read_text().splitlines()[0]))
    assert bench.run(secret=SECRET).returncode == 0 and len(stub.to("/token")) == 2
    assert_nothing_ran(bench)


def test_link_in_place_of_the_cache_is_neither_read_nor_followed(stub, bench):
    bench.write(render_curl(make_context(stub, api=None)))
    bench.run(secret=SECRET)
    [kept] = bench.cache_files
    target = bench.folder / "target"
    kept.rename(target)
    kept.symlink_to(target)
    before = target.read_text()
    bench.run("--token-only", secret=SECRET)
    assert len(stub.to("/token")) == 2 and target.read_text() == before and not kept.is_symlink()


def test_run_without_a_place_to_keep_the_token_still_works(stub, bench):
    (bench.folder / "home" / ".cache").write_text("a file where the folder should be")
    bench.write(render_curl(make_context(stub)))
    done = bench.run(secret=SECRET)
    assert done.returncode == 0 and "could not be kept" in done.stderr


def test_api_refusing_a_kept_token_makes_the_next_run_ask_again(stub, bench):
    bench.write(render_curl(make_context(stub)))
    bench.run(secret=SECRET)
    stub.answers["/api"] = (401, "{}")
    assert bench.run(secret=SECRET).returncode == 30
    bench.run(secret=SECRET)
    assert len(stub.to("/token")) == 2


# Failures


@pytest.mark.parametrize(
    ("status", "answer", "code", "words"),
    [
        (400, '{"error":"invalid_client"}', 10, "does not accept this client ID and secret"),
        (401, '{ "error" : "invalid_client" }', 10, "does not accept this client ID and secret"),
        (400, '{"error":"invalid_scope"}', 11, "does not grant these scopes"),
        (400, '{"error":"invalid_grant"}', 12, "probably paused"),
        (400, '{"error":"invalid_request"}', 13, "could not read the request"),
        (400, '{"error":"unauthorized_client"}', 14, "may not ask for tokens this way"),
        (400, '{"error":"unsupported_grant_type"}', 15, "does not know this kind of request"),
        (429, "slow down", 16, "Too many token requests"),
        (400, '{"__type":"TooManyRequestsException"}', 16, "Too many token requests"),
        (404, "<h1>\x1b[2J\u202eNot found</h1>", 17, "no token endpoint at this address"),
        (302, "", 17, "no token endpoint at this address"),
        (200, "<form>Sign in</form>", 18, "without a token"),
        (200, '{"access_token":"a\\nb"}', 18, "without a token"),
        (503, f"echo {SECRET}", 18, "HTTP 503"),
    ],
)
def test_token_refusal_is_explained(stub, bench, status, answer, code, words):
    stub.answers["/token"] = (status, answer)
    bench.write(render_curl(make_context(stub, secret_ending="9zZ9")))
    done = bench.run(secret=SECRET)
    assert done.returncode == code and words in done.stderr
    assert "\nWhy: " in done.stderr and "\nDo:  " in done.stderr
    assert ("ending in 9zZ9; yours ends differently" in done.stderr) == (code == 10)
    assert SECRET not in done.stderr and "\x1b" not in done.stderr and "\u202e" not in done.stderr
    assert done.stdout == "" and bench.cache_files == [] and stub.to("/api") == []


@pytest.mark.parametrize(
    ("status", "answer", "code", "words"),
    [
        (401, '{"errors":[{"errorType":"UnauthorizedException"}]}', 30, "does not accept the token"),
        (403, "Forbidden", 31, "does not allow this call"),
        (200, '{"data":null,"errors":[{"message":"no"}]}', 32, "GraphQL errors"),
        (200, '{"data":{"a":1}, "errors" : [ {"message":"no"} ] }\n', 32, "GraphQL errors"),
        (200, '{"errors":[{"message":"no"}],"data":{"a":1}}', 32, "GraphQL errors"),
        (200, '{"data":{"errors":[{"message":"a field"}]}}', 0, ""),
        (200, '{"data":{"a":1},"errors":[]}', 0, ""),
        (500, "oops", 33, "HTTP 500"),
    ],
)
def test_api_refusal_is_explained(stub, bench, status, answer, code, words):
    stub.answers["/api"] = (status, answer)
    bench.write(render_curl(make_context(stub)))
    done = bench.run(secret=SECRET)
    assert done.returncode == code and words in done.stderr, done.stderr
    assert answer.strip() in done.stdout


def test_unreachable_hosts_are_told_apart(stub, bench):
    with socket.socket() as free, socket.socket() as silent:
        free.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cases = [
            ("http://no-such-host.invalid/token", 20),
            (f"http://127.0.0.1:{free.getsockname()[1]}/token", 21),
            (f"http://127.0.0.1:{silent.getsockname()[1]}/token", 22),
            (f"https://127.0.0.1:{stub.port}/token", 23),
            ("file:///etc/passwd", 24),
        ]
        for url, code in cases:
            bench.write(render_curl(make_context(stub, token_url=url)))
            done = bench.run(secret=SECRET, CLIENT_KIT_TIMEOUT="1")
            assert (url, done.returncode) == (url, code), done.stderr
            assert "\nWhy: " in done.stderr and SECRET not in done.stderr


@pytest.mark.parametrize("exit_code", [60, 77])
def test_untrusted_certificate_is_never_waved_through(stub, bench, exit_code):
    fake = bench.folder / "bin"
    fake.mkdir()
    (fake / "curl").write_text(f"#!/bin/sh\ncat > /dev/null\nexit {exit_code}\n")
    (fake / "curl").chmod(0o755)
    bench.write(render_curl(make_context(stub)))
    done = bench.run(secret=SECRET, PATH=f"{fake}:{os.environ['PATH']}")
    assert done.returncode == 23 and "Do not switch verification off" in done.stderr


def test_unknown_option_and_missing_curl_are_named(stub, bench):
    bench.write(render_curl(make_context(stub)))
    assert bench.run("--nope", secret=SECRET).returncode == 2
    tools = bench.folder / "bin"
    tools.mkdir()
    for tool in ("bash", "tr"):
        (tools / tool).symlink_to(
            subprocess.check_output(["sh", "-c", f"command -v {shlex.quote(tool)}"], text=True).strip()
        )
    assert bench.run(secret=SECRET, PATH=str(tools)).returncode == 4
    assert stub.requests == []


def test_token_that_is_no_jwt_is_still_used(stub, bench):
    stub.answers["/token"] = (200, '{"access_token":"opaque","expires_in":3600}')
    bench.write(render_curl(make_context(stub)))
    done = bench.run(secret=SECRET)
    assert done.returncode == 0 and "not a JWT" in done.stderr
    assert stub.to("/api")[0].headers["Authorization"] == "opaque"


@pytest.mark.parametrize("padding", range(4))
def test_claims_of_every_length_are_decoded(stub, bench, padding):
    claims = {"tenant_id": "a" * padding, "t": "ÿ?>" * 3}
    stub.answers["/token"] = (200, json.dumps({"access_token": make_token(claims)}))
    bench.write(render_curl(make_context(stub, api=None)))
    done = bench.run(secret=SECRET)
    assert json.loads(done.stdout) == claims and bench.cache_files == []
