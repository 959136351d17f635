"""The same API on the sandbox and on plain MiniStack."""

import pytest

from tests import local_aws
from tests.sandbox.appsync.guarded_api import GuardedApi


@pytest.fixture(scope="module")
def api(sandbox):
    return GuardedApi(sandbox.endpoint, sandbox.state_dir)


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory):
    state_dir = tmp_path_factory.mktemp("plain")
    with local_aws.plain_ministack(state_dir) as endpoint:
        yield endpoint, state_dir


@pytest.fixture(scope="module")
def plain_api(plain_server):
    return GuardedApi(*plain_server)
