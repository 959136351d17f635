"""Mail as files: private to their owner; and where mail goes is said by EMAIL_URL alone."""

import os
import stat
import subprocess
import sys

import pytest
from django.core import mail

from tests import check_deploy

PRINT = "from django.conf import settings as s; print(s.EMAIL_BACKEND, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, s.DEFAULT_FROM_EMAIL, sep='|')"


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


def settings_of(**environment):
    env = {name: os.environ[name] for name in check_deploy.KEPT if name in os.environ}
    env |= {"PORTAL_ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "portal.settings", **environment}
    done = subprocess.run([sys.executable, "-c", PRINT], cwd=check_deploy.ROOT, env=env, capture_output=True, text=True)
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
    ],
)
def test_settings_send_mail_where_the_environment_says(environment, wanted):
    assert settings_of(**environment)[0].startswith(wanted)
