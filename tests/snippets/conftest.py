"""The server every kit talks to, and a directory of its own for each."""

import pytest

from tests.snippets.support import Bench, Stub, start


@pytest.fixture(scope="package")
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
