"""What is written down of requests: their paths, never what was asked for."""

import logging
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from portal.logs import ScrubSecrets
from portal.web_log import WithoutQueries
from tests import check_deploy
from tests.local_aws import free_port


@contextmanager
def web_server(folder):
    """gunicorn as docs/operations.md starts it, with its access log; yields its port."""
    env, port = check_deploy.example_environment(str(folder)), free_port()
    command = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{port}", "--access-logfile", "-"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=check_deploy.ROOT, env=env, stdout=log, stderr=log)
    try:
        yield port
    finally:
        server.terminate()
        server.wait(30)


def ask(port, path, host, **headers):
    """Its answer's code; the server takes its time to come up."""
    for _ in range(300):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": host, **headers})
            return connection.getresponse().status
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError("The web server did not come up.")


@pytest.mark.slow
def test_log_of_the_web_server_has_paths_and_nothing_that_was_asked_for(tmp_path):
    """Of a request that is answered, and of one that is refused; or breaks, where the static files are not there."""
    asked = "/clients/?q=asked-now&tenant=northwind"
    with web_server(tmp_path) as port:
        assert (
            ask(port, asked, "portal.example.com", Referer="https://portal.example.com/activity/?q=asked-before") == 301
        )
        assert ask(port, asked, "elsewhere.example.com") in (400, 500)
    log = (tmp_path / "log").read_text()
    assert '"GET /clients/ HTTP/1.1" 301' in log
    assert "asked-now" not in log and "asked-before" not in log and "northwind" not in log


def test_request_that_breaks_is_logged_without_its_query():
    """As gunicorn itself does it, of what got past every page of ours."""
    record = logging.LogRecord(
        "gunicorn.error", logging.ERROR, "", 0, "Error handling request %s %s", ("GET", "/a/?q=b"), None
    )
    assert WithoutQueries().filter(record) and record.getMessage() == "Error handling request GET /a/?…"


@pytest.mark.parametrize("path", ["/nowhere/", "/clients/new/", "/people/"])
def test_what_is_logged_of_a_refused_request_has_no_query(world, client, caplog, path):
    client.force_login(world.people["auditor"])
    caplog.set_level(logging.DEBUG)
    assert client.get(path, {"q": "looked-for"}).status_code in (302, 403, 404, 405)
    assert client.post(f"{path}?q=looked-for").status_code >= 302
    assert "looked-for" not in " ".join(record.getMessage() for record in caplog.records)


def test_every_handler_masks_secrets():
    """Django's own would print the development server's requests, queries and all, as they are."""
    loggers = [logging.getLogger(name) for name in ("", "django", "django.server", "django.request", "clients")]
    handlers = [each for logger in loggers for each in logger.handlers if each.__module__ != "_pytest.logging"]
    assert handlers and all(any(isinstance(f, ScrubSecrets) for f in each.filters) for each in handlers)
