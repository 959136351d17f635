"""The process that seals anew and may be killed: `python -m tests.prove.actor_of_keys BATCH`."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from clients.models import User  # noqa: E402  (after Django is set up)
from clients.services import keys  # noqa: E402

keys.BATCH = int(sys.argv[1])
keys.rotate_keys(actor=User.objects.get(role="administrator"), via="test")
