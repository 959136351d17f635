"""Mail as files: private to their owner; and where mail goes is said by EMAIL_URL or PORTAL_MAIL_PROVIDER alone."""

import os
import stat
import subprocess
import sys

import pytest
from django.conf import settings
from django.core import mail

from tests import check_deploy

PRINT = "from django.conf import settings as s; print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, s.DEFAULT_FROM_EMAIL, sep='|')"

PRINT_BACKEND = """
import django; django.setup()
from django.core.mail import get_connection
mail = get_connection()
mail.open()
if hasattr(mail, "client"):
    config = mail.client.meta.config
    assert config.retries["total_max_attempts"] == 1
    print("one attempt of", config.read_timeout, "s in", mail.client.meta.region_name)
else:
    print(next(getattr(mail, name) for name in ("api_key", "server_token") if hasattr(mail, name)), mail.api_url, mail.timeout)
"""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path, settings):
    settings.EMAIL_BACKEND = "portal.mail.PrivateFiles"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    old = os.umask(0)  # the worst a shell can have
    yield settings.EMAIL_FILE_PATH
    os.umask(old)


def test_mail_file_is_private_whatever_the_umask(folder):
    mail.send_mail("Subject", "a link", None, ["ada@portal.example"])
    (file,) = folder.iterdir()
    assert (mode(folder), mode(file)) == (0o700, 0o600) and "a link" in file.read_text()


def test_mail_folder_that_stood_open_is_closed(folder):
    folder.mkdir(mode=0o777)
    mail.send_mail("Subject", "a link", None, ["ada@portal.example"])
    assert mode(folder) == 0o700


def settings_of(show=PRINT, **environment):
    env = {name: os.environ[name] for name in check_deploy.KEPT if name in os.environ}
    env |= {"PORTAL_ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "portal.settings", **environment}
    done = subprocess.run([sys.executable, "-c", show], cwd=check_deploy.ROOT, env=env, capture_output=True, text=True)
    return done.stdout.strip(), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"PORTAL_DEMO": "1"}, "portal.mail.PrivateFiles|"),
        ({"DEBUG": "1"}, "portal.mail.PrivateFiles|"),
        ({}, "django.core.mail.backends.smtp.EmailBackend||25|False|Client Portal <no-reply@localhost>"),
        (
            {"EMAIL_URL": "smtp+tls://me:p%40ss@mail.example.com:587", "PORTAL_BASE_URL": "https://portal.example.com"},
            "django.core.mail.backends.smtp.EmailBackend|mail.example.com|587|True|Client Portal <no-reply@portal.example.com>",
        ),
        ({"PORTAL_DEMO": "1", "EMAIL_URL": "consolemail://"}, "django.core.mail.backends.console.EmailBackend|"),
        ({"PORTAL_MAIL_PROVIDER": "amazon_ses"}, "anymail.backends.amazon_ses.EmailBackend|"),
    ],
)
def test_settings_send_mail_where_the_environment_says(environment, wanted):
    assert settings_of(**environment)[0].startswith(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("provider", settings.MAIL_PROVIDERS)
def test_settings_of_each_provider_are_what_it_wants(provider):
    """The key under the name anymail has for it, the address where one is given, and no long wait."""
    key_and_address = {"PORTAL_MAIL_KEY": "k", "PORTAL_MAIL_API_URL": "https://eu.example/v1/"}
    environment = {"PORTAL_MAIL_PROVIDER": provider, "SECRET_KEY": "x", "AWS_DEFAULT_REGION": "eu-west-1"}
    printed, errors = settings_of(**environment, **key_and_address, show=PRINT_BACKEND)
    with_key = "k https://eu.example/v1/ 10"
    without = "one attempt of 10 s in eu-west-1"
    assert printed == (with_key if provider != "amazon_ses" else without), errors
