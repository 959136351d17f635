"""The portal's settings plus Django's own admin, to compare with; installed nowhere else."""

from portal.settings import *  # noqa: F403
from portal.settings import INSTALLED_APPS

INSTALLED_APPS = ["django.contrib.admin", *INSTALLED_APPS]
ROOT_URLCONF = "tests.bench.urls"
COGNITO_WRITES_PER_SECOND = 0  # the sandbox counts no quota here: what is measured is our own work
