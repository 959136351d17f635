"""The same API on the sandbox and on plain MiniStack."""

import pytest

from tests.sandbox.appsync.guarded_api import GuardedApi


@pytest.fixture(scope="module")
def api(sandbox):
    return GuardedApi(sandbox.endpoint, sandbox.state_dir)


@pytest.fixture(scope="module")
def plain_api(plain_ministack):
    return GuardedApi(plain_ministack.endpoint, plain_ministack.state_dir)
