"""`check --deploy`: a complete production passes, each thing missing is refused by a sentence naming its variable."""

import base64
import subprocess
import sys

import pytest
from django.core import checks
from django.db import OperationalError, connection

from clients.checks import check_no_demo_accounts, check_settings
from clients.models import Role, User
from tests import check_deploy
from tests.local_aws import free_port

KEY = base64.b64encode(b"k" * 32).decode()
SHORT = base64.b64encode(b"k" * 16).decode()


@pytest.fixture
def production(settings, monkeypatch):
    """Settings that pass; each test breaks one."""
    settings.SECRET_KEY = "x1" * 30
    settings.DEBUG = settings.DEMO = False
    settings.CRASH_AT = ""
    settings.OUTBOUND_HOSTS = [".amazoncognito.com", ".amazonaws.com"]
    settings.REQUIRE_SECOND_FACTOR = True
    settings.ALLOWED_HOSTS = ["portal.example.com"]
    settings.BASE_URL = "https://portal.example.com"
    settings.SEALING_KEYS = settings.FINGERPRINT_KEYS = f"one:{KEY}"
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "mail.example.com"
    settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = True, False
    settings.MAIL_PROVIDER = settings.MAIL_KEY = settings.MAIL_API_URL = ""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return settings


def problems() -> list[str]:
    return [found.msg for found in check_settings(None)]


def test_deploy_check_of_a_complete_production(production):
    assert problems() == []


@pytest.mark.parametrize(
    ("setting", "value", "variable"),
    [
        ("SECRET_KEY", "", "SECRET_KEY"),
        ("SECRET_KEY", "short", "SECRET_KEY"),
        ("DEBUG", True, "DEBUG"),
        ("DEMO", True, "PORTAL_DEMO"),
        ("CRASH_AT", "client:create/create/before", "PORTAL_CRASH_AT"),
        ("TRUSTED_PROXIES", -1, "PORTAL_TRUSTED_PROXIES"),
        ("REQUIRE_SECOND_FACTOR", False, "PORTAL_REQUIRE_SECOND_FACTOR"),
        *[("SESSION_HOURS", hours, "PORTAL_SESSION_HOURS") for hours in (0, 25)],
        *[("SESSION_IDLE_MINUTES", minutes, "PORTAL_SESSION_IDLE_MINUTES") for minutes in (0, 481)],
        ("ALLOWED_HOSTS", [], "ALLOWED_HOSTS"),
        ("ALLOWED_HOSTS", ["*"], "ALLOWED_HOSTS"),
        ("BASE_URL", "http://portal.example.com", "PORTAL_BASE_URL"),
        ("BASE_URL", "https://localhost", "PORTAL_BASE_URL"),
        ("BASE_URL", "", "PORTAL_BASE_URL"),
        *[("OUTBOUND_HOSTS", [host], "PORTAL_OUTBOUND_HOSTS") for host in ("localhost", "127.0.0.1", "", ".com", "10.0.0.1")],
        ("EMAIL_HOST", "", "EMAIL_URL"),
        ("EMAIL_BACKEND", "portal.mail.PrivateFiles", "EMAIL_URL"),
        ("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", "EMAIL_URL"),
        ("EMAIL_USE_TLS", False, "EMAIL_URL"),
        *[(name, value, name) for name in ("SEALING_KEYS", "FINGERPRINT_KEYS") for value in (
            "", ",", KEY, f":{KEY}", "one:", "one:not base64", f"one:{SHORT}", f"one:{KEY},two:{SHORT}", f"one:{KEY},one:{KEY}",
        )],
    ],
)  # fmt: skip
def test_deploy_check_names_the_variable(production, setting, value, variable):
    setattr(production, setting, value)
    (sentence,) = problems()
    assert sentence.startswith(variable)
    assert KEY not in sentence and SHORT not in sentence


@pytest.mark.asvs("12.2.1")
@pytest.mark.parametrize(
    "name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"]
)
@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:4566", "http://aws.example.com", "https://localhost:4566", "https://127.8.8.8", "https://[::1]",
     "https://[::ffff:127.0.0.1]", "https://0.0.0.0", "https://LOCALHOST.", "nonsense"],
)  # fmt: skip
def test_deploy_check_refuses_a_foreign_endpoint(production, monkeypatch, name, url):
    monkeypatch.setenv(name, url)
    (sentence,) = problems()
    assert sentence.startswith(name)


def test_deploy_check_accepts_an_https_endpoint(production, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://vpce-1.cognito-idp.eu-west-1.vpce.amazonaws.com")
    assert problems() == []


def test_deploy_check_accepts_a_mail_server_of_this_machine_without_tls(production):
    production.EMAIL_HOST, production.EMAIL_USE_TLS = "127.0.0.1", False
    assert problems() == []


MAIL_KEY = "a-key-nobody-may-read-1234"


@pytest.fixture
def mail_provider(production):
    """Mail through a provider with a key; each test breaks something."""
    production.EMAIL_BACKEND, production.EMAIL_HOST = "anymail.backends.mailgun.EmailBackend", "localhost"
    production.MAIL_PROVIDER, production.MAIL_KEY = "mailgun", MAIL_KEY
    production.MAIL_API_URL = "https://api.eu.mailgun.net/v3"
    return production


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({}, None),
        ({"MAIL_KEY": ""}, "PORTAL_MAIL_KEY"),
        ({"MAIL_KEY": f"{MAIL_KEY} {MAIL_KEY}"}, "PORTAL_MAIL_KEY"),
        ({"MAIL_KEY": f"{MAIL_KEY}\nX-Other: {MAIL_KEY}"}, "PORTAL_MAIL_KEY"),
        ({"MAIL_PROVIDER": MAIL_KEY}, "PORTAL_MAIL_PROVIDER"),
        ({"MAIL_PROVIDER": "console"}, "PORTAL_MAIL_PROVIDER"),
        ({"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend"}, "PORTAL_MAIL_PROVIDER and EMAIL_URL"),
        ({"MAIL_API_URL": "http://api.eu.mailgun.net/v3"}, "PORTAL_MAIL_API_URL"),
        ({"MAIL_PROVIDER": "amazon_ses", "MAIL_KEY": "", "MAIL_API_URL": ""}, None),
    ],
)
def test_deploy_check_of_a_mail_provider_names_the_variable(mail_provider, changes, variable):
    for name, value in changes.items():
        setattr(mail_provider, name, value)
    found = problems()
    assert [sentence.startswith(variable or "") for sentence in found] == ([True] if variable else [])
    assert not any(MAIL_KEY in sentence for sentence in found)


def test_deploy_check_of_ses_wants_a_region(mail_provider, monkeypatch):
    mail_provider.MAIL_PROVIDER, mail_provider.MAIL_API_URL = "amazon_ses", ""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    (sentence,) = problems()
    assert sentence.startswith("AWS_DEFAULT_REGION")


def test_deploy_check_accepts_several_keys(production):
    production.SEALING_KEYS = f"new:{KEY}, old:{KEY}"
    assert problems() == []


@pytest.mark.asvs("6.3.2")
@pytest.mark.django_db
def test_deploy_check_refuses_demo_accounts():
    assert check_no_demo_accounts(None) == []
    User.objects.create_user("operator@harbourline.example", "irrelevant", role=Role.OPERATOR)
    (found,) = check_no_demo_accounts(None)
    assert found.level == checks.ERROR and "DATABASE_URL" in found.msg and "1 demo account" in found.msg


@pytest.mark.asvs("6.3.2")
def test_new_installation_has_no_account(db):
    assert not User.objects.exists()


def test_deploy_check_without_a_database_says_so(monkeypatch):
    def refuse():
        raise OperationalError("no server")

    monkeypatch.setattr(connection, "ensure_connection", refuse)
    (found,) = check_no_demo_accounts(None)
    assert found.level == checks.INFO and "DATABASE_URL" in found.msg


@pytest.mark.slow
def test_web_server_refuses_to_start_without_keys(tmp_path):
    env = {**check_deploy.example_environment(str(tmp_path)), "SEALING_KEYS": ""}
    command = [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{free_port()}"]
    answer = subprocess.run(command, cwd=check_deploy.ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 1 and "SEALING_KEYS" in answer.stderr


@pytest.mark.slow
def test_deploy_check_of_the_example_file(tmp_path):
    """The command itself, with .env.example filled in; then without a variable at a time."""
    assert check_deploy.check_deploy(check_deploy.example_environment(str(tmp_path))) == []
