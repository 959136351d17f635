"""The portal with a planted defect: whether a hand-over was shown is looked at, then it is spent, with nothing in between
that holds the second one off. `rush` has to find it."""

# ruff: noqa: I001, E402  (Django is set up by the first)
from portal.wsgi import application

import time

from django.utils import timezone

from clients.models import Handover
from clients.services import handovers

__all__ = ["application"]


def spend_naively(handover, opened, actor, via, address):
    if opened is None:
        raise handovers._ended(handover)
    time.sleep(0.3)  # for the others to have looked as well
    Handover.objects.filter(pk=handover.pk).update(shown_at=timezone.now(), ended_at=timezone.now())
    return opened


handovers._reveal = spend_naively
