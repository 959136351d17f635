"""Kits are really run, by bash and curl, against a server that writes down what it received."""

import dataclasses
import json
import os
import pty
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.snippets.kit import ApiCall, kit_file_name, kit_version, render_curl, render_env
from tests.snippets.support import HOSTILE, SECRET, assert_nothing_ran, make_context


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
        "grant_type": "client_credentials",
        "client_id": "7h2kq9v4m1c8r5t0x3b6n2p8dj",
        "client_secret": SECRET,
        "scope": "orders/read orders/write",
        "aws_client_metadata": '{"secret_ending":"7Kq2"}',
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


@pytest.mark.asvs("1.2.5")
@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_arrive_exactly_and_nothing_runs(stub, bench, value):
    call = ApiCall("rest", f"{stub.url}/api", "PUT", value, value)
    context = make_context(
        stub,
        client_name=value,
        client_id=value,
        tenant_name=value,
        scopes=("a/b", value),
        api=call,
        secret_ending=value,
        version=value,
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


@pytest.mark.asvs("1.2.5")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=4, max_size=4))
def test_any_text_becomes_one_shell_value_and_one_comment_line(server, bench, values):
    name, client_id, scope, body = values
    call = ApiCall("rest", name, client_id, body, scope)
    text = render_curl(make_context(server, client_name=name, client_id=client_id, scopes=(scope,), api=call))
    script = (
        text.removesuffix('main "$@"\n') + 'printf "%s\\0" "$CLIENT_ID" "$SCOPE" "$API_URL" "$API_METHOD" "$API_BODY"\n'
    )
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
    shown = subprocess.run(
        ["bash", "-c", '. "$0"; printf %s "$CLIENT_SECRET"', path], capture_output=True, cwd=bench.folder
    )
    assert shown.stdout.decode() == value
    assert_nothing_ran(bench)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("CLIENT_SECRET=$(touch pwned)", "$(touch pwned)"),
        ("CLIENT_SECRET='a'; touch pwned", "'a'; touch pwned"),
        ("touch pwned\nexport CLIENT_SECRET=`touch pwned`", "`touch pwned`"),
        ("CLIENT_SECRET=bare  \r\n", "bare"),
        ('CLIENT_SECRET="a\\"b$(touch pwned)"', 'a"b$(touch pwned)'),
        ("XCLIENT_SECRET=no\nCLIENT_SECRET=yes", "yes"),
    ],
)
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
    run = subprocess.Popen(
        ["bash", bench.script], env=bench.environment(SECRET), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
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


def test_typed_secret_is_not_shown_and_the_terminal_is_left_in_peace(stub, bench):
    stub.answers["/api"] = (200, '{"data":"\x1b[2J\u202e\u009bok"}')
    bench.write(render_curl(make_context(stub)))
    keyboard, terminal = pty.openpty()
    run = subprocess.Popen(
        ["bash", bench.script],
        env=bench.environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    screen = b""
    while b"not shown" not in screen:
        screen += os.read(keyboard, 4096)
    time.sleep(0.1)  # The prompt is printed just before the echo goes off.
    os.write(keyboard, SECRET.encode() + b"\n")
    try:
        while chunk := os.read(keyboard, 4096):
            screen += chunk
    except OSError:  # Linux says EIO once the other side has closed.
        pass
    os.close(keyboard)
    assert run.wait(10) == 0
    assert stub.to("/token")[0].form["client_secret"] == SECRET
    assert SECRET.encode() not in screen and b'{"data":"[2Jok"}' in screen


def test_trace_does_not_show_the_secret(stub, bench):
    bench.write(render_curl(make_context(stub)))
    done = subprocess.run(["bash", "-x", bench.script], env=bench.environment(SECRET), capture_output=True, text=True)
    assert done.returncode == 0 and SECRET not in done.stderr and stub.token not in done.stderr


def test_curlrc_of_the_person_is_not_read(stub, bench):
    (bench.folder / "home" / ".curlrc").write_text("verbose\noutput = pwned\n")
    bench.write(render_curl(make_context(stub)))
    assert bench.run(secret=SECRET).returncode == 0
    assert_nothing_ran(bench)
