"""10,000 sealed values under another key, with the process killed again and again and readers beside it."""

import base64
import os
import random
import threading

import pytest
from django.db import connection

from clients import sealing
from clients.models import Secret
from clients.sealing import SecretValue
from clients.services import keys, secrets
from tests.prove.processes import KILLED, run

ROWS = max(10_000 // int(os.environ.get("PROVE_SHARE", "1")), 1_000)
KILLS = 20
OLD, NEW = (f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in ("old", "new"))


@pytest.fixture
def rows(lasting_world, settings, monkeypatch):
    settings.SEALING_KEYS = OLD
    app_client = lasting_world.create()
    created_by = lasting_world.people["operator"]
    made = []
    for number in range(ROWS):
        secret = Secret(app_client=app_client, ending=f"{number:04d}"[-4:], fingerprint="x", fingerprint_key_id="x",
                        created_by=created_by, state="retired")  # fmt: skip
        sealed = sealing.seal(SecretValue(f"value-{secret.public_id}"), binding=secrets.binding(secret))
        secret.sealed_value, secret.sealing_key_id = sealed.data, sealed.key_id
        made.append(secret)
    Secret.objects.bulk_create(made, batch_size=500)
    settings.SEALING_KEYS = f"{NEW},{OLD}"
    return [secret.pk for secret in Secret.objects.filter(state="retired")]


def wrong(pks):
    """Of these rows those that do not open to what they were sealed with."""
    found = Secret.objects.filter(pk__in=pks).select_related("app_client")
    return [each.pk for each in found if secrets.open_for_cognito(each).reveal() != f"value-{each.public_id}"]


class Reader(threading.Thread):
    """Opens rows by chance until it is told to stop; what went wrong."""

    def __init__(self, pks):
        super().__init__(daemon=True)
        self.pks, self.over, self.errors, self.opened = pks, threading.Event(), [], 0

    def run(self):
        while not self.over.is_set():
            try:
                chosen = random.sample(self.pks, 20)
                self.errors += wrong(chosen)
                self.opened += len(chosen)
            except Exception as error:
                self.errors.append(repr(error))
            self.over.wait(0.02)  # it reads beside the others, it is not to starve them
        connection.close()


def test_killed_in_twenty_batches_every_row_opens_at_every_moment(rows):
    readers = [Reader(rows) for _ in range(2)]
    for reader in readers:
        reader.start()
    size = max(ROWS // (KILLS + 1), 1)
    arguments = ["-m", "tests.prove.actor_of_keys", str(size)]
    environment = {"SEALING_KEYS": f"{NEW},{OLD}"}
    codes = [run(arguments, crash="keys:batch-1", **environment) for _ in range(KILLS)]
    left = keys.sealed_under()
    codes.append(run(arguments, **environment))
    for reader in readers:
        reader.over.set()
        reader.join(timeout=30)

    assert codes == [KILLED] * KILLS + [0]
    assert left["old"] > 0 and left["new"] >= KILLS * size, "each of them had moved a batch when it died"
    assert [reader.errors for reader in readers] == [[], []] and all(reader.opened > 100 for reader in readers)
    assert keys.sealed_under()["old"] == 0 and wrong(rows) == []


def test_planted_naming_the_key_before_sealing_is_found(rows, monkeypatch):
    """As a careless one would do it: first the new key's id for all, then the bytes."""
    Secret.objects.filter(pk__in=rows[:500]).update(sealing_key_id="new")
    with pytest.raises(sealing.SealBroken):
        wrong(rows[:500])
