"""Fixtures of the AppSync tests: the same API on the sandbox and on plain MiniStack."""

import pytest

from tests import local_aws
from tests.sandbox.appsync_world import World


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory):
    state_dir = tmp_path_factory.mktemp("appsync-sandbox")
    with local_aws.sandbox(state_dir) as endpoint:
        yield endpoint, state_dir


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory):
    state_dir = tmp_path_factory.mktemp("appsync-plain")
    with local_aws.plain_ministack(state_dir) as endpoint:
        yield endpoint, state_dir


@pytest.fixture(scope="module")
def world(sandbox_server):
    return World(*sandbox_server)


@pytest.fixture(scope="module")
def plain_world(plain_server):
    return World(*plain_server)
