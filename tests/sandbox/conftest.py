"""A sandbox and a plain MiniStack as processes of their own, each with real boto3 clients on it."""

import pytest

from tests import local_aws
from tests.sandbox.cognito_kit import Kit


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    state_dir = tmp_path_factory.mktemp("sandbox")
    with local_aws.sandbox(state_dir) as endpoint:
        yield Kit(endpoint, state_dir)


@pytest.fixture(scope="session")
def plain_ministack(tmp_path_factory):
    state_dir = tmp_path_factory.mktemp("plain")
    with local_aws.plain_ministack(state_dir) as endpoint:
        yield Kit(endpoint, state_dir, token_path="/oauth2/token")


@pytest.fixture(scope="module")
def pool(sandbox):
    """A pool with a domain and two scopes."""
    return sandbox.pool()


@pytest.fixture
def calm(sandbox):
    """Faults, log and settings as they are at the start, again afterwards."""
    before = sandbox.control("GET", "/_sandbox/settings")
    yield sandbox
    sandbox.control("DELETE", "/_sandbox/faults")
    sandbox.control("POST", "/_sandbox/settings", before)
