"""Kits are really run, by bash and curl, against a server that writes down what it received."""

import dataclasses
import json
import os
import re
import shlex
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.snippets.kit import ApiCall, kit_file_name, kit_version, render_curl, render_env
from tests.snippets.support import Bench, Stub, make_context, make_token, start

SECRET = "ccp_prod_0123456789ABCDEFGHIJabcdefghijKLMNOPQ7Kq2"
HOSTILE = [
    "it's \"quoted\"", "$(touch pwned)", "`touch pwned`", "a\ntouch pwned\n#", "; touch pwned;", "'; touch pwned; '",
    "😀 ü & 100% + \\ \\n", "{{ 7*7 }} {% x %}", "@@secret@@ @@nothing@@", "--output", "-", "@/etc/passwd",
    "cr\rhere", "\x1b[2J\x07", "a\u202etac\u2066", "\x01\x7f\x85\u2028", "tab\tend", "!history $HOME ${IFS} ~ *",
    "\" \noutput = \"pwned\"\n", "a[$(touch pwned)]", "ends in \\", "$'\\047; touch pwned'", "' '", " lead and trail ",
]


@pytest.fixture(scope="module")
def server():
    stub = Stub()
    running = start(stub)
    yield stub
    running.shutdown()
    running.server_close()


@pytest.fixture
def stub(server):
    server.reset()
    return server


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def assert_nothing_ran(bench):
    assert not list(bench.folder.rglob("pwned*"))


def code_lines(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


# What is sent


def test_run_sends_the_documented_form_and_the_bare_token_to_appsync(stub, bench):
    bench.write(render_curl(make_context(stub)))
    done = bench.run(secret=SECRET)
    assert done.returncode == 0, done.stderr
    [asked], [called] = stub.to("/token"), stub.to("/api")
    assert asked.method == "POST"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in asked.headers
    assert asked.form == {
        "grant_type": "client_credentials", "client_id": "7h2kq9v4m1c8r5t0x3b6n2p8dj", "client_secret": SECRET,
        "scope": "orders/read orders/write", "aws_client_metadata": '{"secret_ending":"7Kq2"}',
    }
    assert called.headers["Authorization"] == stub.token
    assert json.loads(called.body) == {"query": "{ orders { id } }"}
    claims, answer = done.stdout.splitlines()
    assert json.loads(claims)["note"] == "ü>?~ÿ"
    assert answer == '{"data":{"orders":[]}}'
    assert SECRET not in done.stdout + done.stderr and stub.token not in done.stdout + done.stderr


def test_run_sends_a_bearer_token_to_rest(stub, bench):
    call = ApiCall("rest", f"{stub.url}/api?limit=5&x=[1]{{a,b}}", "GET", "", "orders")
    bench.write(render_curl(make_context(stub, api=call)))
    assert bench.run(secret=SECRET).returncode == 0
    [called] = stub.to("/api")
    assert (called.method, called.path, called.body) == ("GET", "/api?limit=5&x=[1]{a,b}", b"")
    assert called.headers["Authorization"] == f"Bearer {stub.token}"


def test_run_without_scopes_or_api_asks_for_a_token_only(stub, bench):
    bench.write(render_curl(make_context(stub, scopes=(), api=None)))
    done = bench.run(secret="short")
    assert done.returncode == 0, done.stderr
    assert set(stub.to("/token")[0].form) == {"grant_type", "client_id", "client_secret"}
    assert len(stub.requests) == 1


def test_run_leaves_out_an_ending_that_would_need_escaping(stub, bench):
    bench.write(render_curl(make_context(stub, api=None)))
    assert bench.run(secret=SECRET + '"}x').returncode == 0
    assert "aws_client_metadata" not in stub.to("/token")[0].form


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_arrive_exactly_and_nothing_runs(stub, bench, value):
    call = ApiCall("rest", f"{stub.url}/api", "PUT", value, value)
    context = make_context(
        stub, client_name=value, client_id=value, tenant_name=value, scopes=("a/b", value), api=call,
        secret_ending=value, version=value,
    )
    bench.write(render_curl(context))
    assert subprocess.run(["bash", "-n", bench.script], capture_output=True).returncode == 0
    done = bench.run(secret=value)
    assert done.returncode == 0, done.stderr
    form = stub.to("/token")[0].form
    assert (form["client_id"], form["client_secret"], form["scope"]) == (value, value, f"a/b {value}")
    assert stub.to("/api")[0].body == value.encode()
    assert_nothing_ran(bench)


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_inlined_secret_urls_and_method_are_only_values(stub, bench, value):
    call = ApiCall("appsync", f"{stub.url}/api{value}", value, "{}", value)
    bench.write(render_curl(make_context(stub, token_url=value, api=call), secret=value))
    assert bench.run().returncode in {17, 18, 20, 21, 24}
    bench.write(render_curl(make_context(stub, api=call), secret=value))
    bench.run()
    assert stub.to("/token")[-1].form["client_secret"] == value
    assert_nothing_ran(bench)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=4, max_size=4))
def test_any_text_becomes_one_shell_value_and_one_comment_line(server, bench, values):
    name, client_id, scope, body = values
    call = ApiCall("rest", name, client_id, body, scope)
    text = render_curl(make_context(server, client_name=name, client_id=client_id, scopes=(scope,), api=call))
    script = text.removesuffix('main "$@"\n') + 'printf "%s\\0" "$CLIENT_ID" "$SCOPE" "$API_URL" "$API_METHOD" "$API_BODY"\n'
    bench.write(script)
    raw = subprocess.run(["bash", bench.script], capture_output=True, cwd=bench.folder).stdout
    assert raw.decode().split("\0") == [client_id, scope, name, client_id, body, ""]
    heading = text.split("\nset -euo pipefail\n")[0].splitlines()
    assert len(heading) == len(render_curl(make_context(server)).split("\nset -euo pipefail\n")[0].splitlines())
    assert all(line == "" or line.startswith("#") for line in heading)


# What the file looks like


def test_header_holds_no_control_characters_and_stays_on_its_lines(stub):
    nasty = "a\nrm -rf /\r\x1b[2J\u202e\u2028\x85b"
    text = render_curl(make_context(stub, client_name=nasty, tenant_name=nasty, client_id=nasty, version=nasty))
    assert not [char for char in text if not char.isprintable() and char != "\n"]
    assert "rm -rf" not in "\n".join(line for line in code_lines(text) if not line.startswith("CLIENT_ID=$'"))
    assert text.startswith("#!/usr/bin/env bash\n#\n# Client a rm -rf / [2J b, client ID")


def test_file_has_the_secret_only_where_it_was_given(stub):
    assert SECRET not in render_curl(make_context(stub))
    text = render_curl(make_context(stub), secret=SECRET)
    assert text.count(SECRET) == 1 and f"\nINLINED_SECRET={SECRET}\n" in text
    assert "CONTAINS THE CLIENT SECRET" in text
    assert "@@" not in text


def test_steps_are_numbered_and_functions_short(stub):
    text = render_curl(make_context(stub))
    assert [line.split()[2] for line in text.splitlines() if re.match(r"# -{9,} *\d ", line)] == ["1", "2", "3"]
    lengths = {name: body.count("\n") for name, body in re.findall(r"^(\w+)\(\) \{(.*?)^\}", text, re.M | re.S)}
    assert len(lengths) > 15 and max(lengths.values()) <= 40
    assert max(map(len, text.splitlines())) <= 125


@pytest.mark.parametrize("value", ["a\0b", "a\ud800"])
def test_render_refuses_what_no_shell_can_hold(stub, value):
    with pytest.raises(ValueError):
        render_curl(make_context(stub, scopes=(value,)))
    with pytest.raises(ValueError):
        render_env(make_context(stub), value)
    if "\0" in value:
        render_curl(make_context(stub, client_name=value))


def test_file_name_is_safe_and_says_when_it_holds_the_secret():
    assert kit_file_name("northwind-orders-prod", contains_secret=False) == "northwind-orders-prod-curl.sh"
    for name in [*HOSTILE, "", "../../etc/passwd", "CON", "x" * 500, "x-CONTAINS-SECRET", ".hidden", "日本"]:
        for contains_secret in (True, False):
            file_name = kit_file_name(name, contains_secret=contains_secret)
            assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.sh", file_name) and len(file_name) < 90
            assert file_name.endswith("-CONTAINS-SECRET.sh") == contains_secret


def test_version_follows_scopes_urls_and_call_only(stub):
    context = make_context(stub)
    version = kit_version(context)
    same = [{"scopes": ("orders/write", "orders/read")}, {"client_name": "x"}, {"version": "x"}, {"secret_ending": "x"}]
    other = [{"scopes": ("orders/read",)}, {"token_url": "https://x"}, {"api": None}]
    other += [{"api": dataclasses.replace(context.api, **{part: "x"})} for part in ("kind", "url", "method", "body")]
    assert re.fullmatch(r"[0-9a-f]{8}", version) and f"Kit version {version}." in render_curl(context)
    assert {kit_version(dataclasses.replace(context, **change)) for change in same} == {version}
    assert len({version, *(kit_version(dataclasses.replace(context, **change)) for change in other)}) == 8


# Where the secret comes from, and who can see it


def test_secret_is_taken_from_file_then_environment_then_env_file_then_prompt(stub, bench):
    context = make_context(stub, api=None)
    bench.write(render_curl(context, secret="inlined"))
    (bench.folder / "kit" / ".env").write_text(render_env(context, "from-env-file"))
    bench.run("--fresh", secret="from-environment", stdin="typed\n")
    bench.write(render_curl(context))
    bench.run("--fresh", secret="from-environment", stdin="typed\n")
    bench.run("--fresh", stdin="typed\n")
    (bench.folder / "kit" / ".env").unlink()
    done = bench.run("--fresh", stdin=" typed \r\n")
    used = [request.form["client_secret"] for request in stub.to("/token")]
    assert used == ["inlined", "from-environment", "from-env-file", "typed"]
    assert "typed" not in done.stdout + done.stderr


def test_run_without_any_secret_says_so(stub, bench):
    bench.write(render_curl(make_context(stub)))
    done = bench.run()
    assert done.returncode == 3 and "Set CLIENT_SECRET" in done.stderr
    assert stub.requests == []


@pytest.mark.parametrize("value", [value for value in HOSTILE if "\n" not in value and "\r" not in value])
def test_env_file_value_round_trips_and_is_never_run(stub, bench, value):
    context = make_context(stub, api=None, client_name=value)
    bench.write(render_curl(context))
    path = bench.folder / "kit" / ".env"
    path.write_bytes(render_env(context, value).encode())
    assert bench.run().returncode == 0
    assert stub.to("/token")[0].form["client_secret"] == value
    shown = subprocess.run(["bash", "-c", '. "$0"; printf %s "$CLIENT_SECRET"', path], capture_output=True, cwd=bench.folder)
    assert shown.stdout.decode() == value
    assert_nothing_ran(bench)


@pytest.mark.parametrize(("line", "value"), [
    ("CLIENT_SECRET=$(touch pwned)", "$(touch pwned)"), ("CLIENT_SECRET='a'; touch pwned", "'a'; touch pwned"),
    ("touch pwned\nexport CLIENT_SECRET=`touch pwned`", "`touch pwned`"), ("CLIENT_SECRET=bare  \r\n", "bare"),
    ('CLIENT_SECRET="a\\"b$(touch pwned)"', 'a"b$(touch pwned)'), ("XCLIENT_SECRET=no\nCLIENT_SECRET=yes", "yes"),
])
def test_env_file_written_by_hand_is_read_as_text(stub, bench, line, value):
    bench.write(render_curl(make_context(stub, api=None)))
    (bench.folder / "kit" / ".env").write_bytes(line.encode())
    bench.run()
    assert stub.to("/token")[0].form["client_secret"] == value
    assert_nothing_ran(bench)


@pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="needs /proc")
def test_secret_is_on_no_command_line_and_in_no_other_environment_while_the_answer_is_pending(stub, bench, request):
    stub.gate = threading.Event()
    request.addfinalizer(stub.gate.set)
    bench.write(render_curl(make_context(stub)))
    run = subprocess.Popen(["bash", bench.script], env=bench.environment(SECRET), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert stub.arrived.wait(5)
    seen = {path: _read(path) for path in Path("/proc").glob("[0-9]*/cmdline")}
    curls = [path for path, line in seen.items() if line.startswith(b"curl\0") and b"--config" in line]
    assert curls, "the request is pending, so its curl must be there to be looked at"
    assert not [line for line in seen.values() if SECRET.encode() in line]
    assert not [path for path in curls if SECRET.encode() in _read(path.with_name("environ"))]
    stub.gate.set()
    assert run.wait(10) == 0


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_trace_does_not_show_the_secret(stub, bench):
    bench.write(render_curl(make_context(stub)))
    done = subprocess.run(["bash", "-x", bench.script], env=bench.environment(SECRET), capture_output=True, text=True)
    assert done.returncode == 0 and SECRET not in done.stderr and stub.token not in done.stderr


def test_curlrc_of_the_person_is_not_read(stub, bench):
    (bench.folder / "home" / ".curlrc").write_text("verbose\noutput = pwned\n")
    bench.write(render_curl(make_context(stub)))
    assert bench.run(secret=SECRET).returncode == 0
    assert_nothing_ran(bench)


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


@pytest.mark.parametrize("damage", ["", "x", "KEY\na[$(touch pwned)]\n99999999999\nTOKEN\n", "KEY\n1\n99999999999\nT\"\n"])
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


@pytest.mark.parametrize(("status", "answer", "code", "words"), [
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
])
def test_token_refusal_is_explained(stub, bench, status, answer, code, words):
    stub.answers["/token"] = (status, answer)
    bench.write(render_curl(make_context(stub, secret_ending="9zZ9")))
    done = bench.run(secret=SECRET)
    assert done.returncode == code and words in done.stderr
    assert "\nWhy: " in done.stderr and "\nDo:  " in done.stderr
    assert ("ending in 9zZ9; yours ends differently" in done.stderr) == (code == 10)
    assert SECRET not in done.stderr and "\x1b" not in done.stderr and "\u202e" not in done.stderr
    assert done.stdout == "" and bench.cache_files == [] and stub.to("/api") == []


@pytest.mark.parametrize(("status", "answer", "code", "words"), [
    (401, '{"errors":[{"errorType":"UnauthorizedException"}]}', 30, "does not accept the token"),
    (403, "Forbidden", 31, "does not allow this call"),
    (200, '{"data":null,"errors":[{"message":"no"}]}', 32, "GraphQL errors"),
    (200, '{"data":{"a":1}, "errors" : [ {"message":"no"} ] }\n', 32, "GraphQL errors"),
    (200, '{"errors":[{"message":"no"}],"data":{"a":1}}', 32, "GraphQL errors"),
    (200, '{"data":{"errors":[{"message":"a field"}]}}', 0, ""),
    (200, '{"data":{"a":1},"errors":[]}', 0, ""),
    (500, "oops", 33, "HTTP 500"),
])
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
            ("http://no-such-host.invalid/token", 20), (f"http://127.0.0.1:{free.getsockname()[1]}/token", 21),
            (f"http://127.0.0.1:{silent.getsockname()[1]}/token", 22), (f"https://127.0.0.1:{stub.port}/token", 23),
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
        (tools / tool).symlink_to(subprocess.check_output(["sh", "-c", f"command -v {shlex.quote(tool)}"], text=True).strip())
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
