"""Half a configuration of single sign-on does not start; a whole one and none at all do."""

import os
import subprocess
import sys

import pytest

from clients.checks import check_settings, check_single_sign_on
from tests import check_deploy

WHOLE = {"ISSUER": "https://id.example.com", "CLIENT_ID": "portal", "CLIENT_SECRET": "s3cret-value", "NAME": "Example"}


def problems():
    return [found.msg for found in check_single_sign_on(None)]


def test_none_and_a_whole_one_are_fine(settings):
    assert problems() == []
    settings.OIDC = WHOLE
    assert problems() == []
    settings.OIDC_ROLE_CLAIM, settings.OIDC_ROLE_MAP = "groups", "a=b=auditor, Admins = administrator"
    assert problems() == []


@pytest.mark.parametrize("missing", WHOLE)
def test_half_a_configuration_names_what_is_missing(settings, missing):
    settings.OIDC = WHOLE | {missing: ""}
    (sentence,) = problems()
    assert sentence.startswith(f"PORTAL_OIDC_{missing} is missing") and "s3cret-value" not in sentence


@pytest.mark.parametrize(
    ("claim", "mapped", "words"),
    [("groups", "", "PORTAL_OIDC_ROLE_MAP is missing"), ("", "a=auditor", "PORTAL_OIDC_ROLE_CLAIM is missing"),
     ("groups", "a=auditor,b=boss", "part 2"), ("groups", "a=manager", "part 1"), ("groups", "auditor", "part 1"),
     ("groups", "=auditor", "part 1")],
)  # fmt: skip
def test_role_map_that_means_nothing_is_refused(settings, claim, mapped, words):
    settings.OIDC, settings.OIDC_ROLE_CLAIM, settings.OIDC_ROLE_MAP = WHOLE, claim, mapped
    (sentence,) = problems()
    assert words in sentence


def test_issuer_is_short_enough_to_be_kept(settings):
    settings.OIDC = WHOLE | {"ISSUER": "https://id.example.com/" + "x" * 200}
    assert "PORTAL_OIDC_ISSUER" in problems()[0]


@pytest.mark.asvs("12.2.1")
@pytest.mark.parametrize("issuer", ["http://id.example.com", "https://localhost/realm", "id.example.com"])
def test_production_wants_an_https_issuer(settings, issuer):
    settings.OIDC = WHOLE | {"ISSUER": issuer}
    assert [found for found in check_settings(None) if found.msg.startswith("PORTAL_OIDC_ISSUER")]


@pytest.mark.slow
def test_portal_does_not_start_with_half_of_it(tmp_path):
    """Not even for development: the environment, the settings and the check together."""
    env = check_deploy.example_environment(str(tmp_path)) | {"PORTAL_OIDC_ISSUER": "https://id.example.com"}
    command = [sys.executable, "manage.py", "check"]
    answer = subprocess.run(command, cwd=check_deploy.ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 1 and "PORTAL_OIDC_CLIENT_ID is missing" in answer.stderr
    whole = {f"PORTAL_OIDC_{name}": value for name, value in WHOLE.items()}
    answer = subprocess.run(command, cwd=check_deploy.ROOT, env=env | whole, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert "PORTAL_OIDC_ISSUER" not in os.environ


@pytest.mark.slow
def test_production_counts_tries_together_and_takes_no_passkey_over_http(tmp_path):
    """Two traps of the sign-in library: limits kept in each process alone, and passkeys without https."""
    wanted = (
        "from django.conf import settings as s; from allauth.account import app_settings as a;"
        "print(s.CACHES['default']['BACKEND'], s.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN, s.ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS,"
        " s.REQUIRE_SECOND_FACTOR, s.OIDC_IS_SECOND_FACTOR, bool(a.RATE_LIMITS))"
    )
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", wanted]
    env = check_deploy.example_environment(str(tmp_path))
    answer = subprocess.run(command, cwd=check_deploy.ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert answer.stdout.split() == [
        "django.core.cache.backends.db.DatabaseCache", "False", "False", "True", "False", "True",
    ], answer.stderr  # fmt: skip
