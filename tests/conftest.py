"""Fixtures every test may use: the sandbox as a process, a pool in it, and the rows of a small company."""

import os
import time

import pytest
from allauth.account.internal.flows import login
from django.db import connection
from django.test import Client

from tests import local_aws, support


@pytest.fixture(autouse=True)
def cheap_passwords(settings):
    """Logins of tests need no slow hash: seven people per company, hundreds of companies."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """The endpoint of a sandbox of this test process; boto3 speaks to it from here on."""
    state_dir = tmp_path_factory.mktemp("sandbox")
    with local_aws.sandbox(state_dir) as endpoint:
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        yield support.Sandbox(endpoint, state_dir)


@pytest.fixture
def world(db, sandbox):
    """A connected pool with two resource servers, two tenants, attributes and one person per role."""
    sandbox.clear()
    return support.make_world(sandbox)


@pytest.fixture
def lasting_world(transactional_db, sandbox):
    """The same, committed: for tests with several processes or threads. The audit triggers are dropped for the flush."""
    sandbox.clear()
    support.drop_audit_triggers(connection)
    return support.make_world(sandbox)


class ConfirmedClient(Client):
    """Whoever signs in through it has said who they are this very moment, as with a second factor."""

    def force_login(self, user, backend=None):
        super().force_login(user, backend)
        session = self.session
        session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [
            {"method": "password", "at": time.time(), "reauthenticated": True}
        ]
        session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
        session["began_at"] = session["seen_at"] = int(
            time.time()
        )  # else the first page notes it, and costs a query more
        session.save()


@pytest.fixture
def client():
    return ConfirmedClient()
