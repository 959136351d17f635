"""10,000 sealed values under another key, with the process killed again and again, readers and a writer beside it."""

import base64
import os
import random
import threading
import time

import pytest
from django.db import connection

from clients import sealing
from clients.errors import SealBroken
from clients.models import AuditEntry, Secret
from clients.sealing import SecretValue
from clients.services import keys, secrets
from tests.prove.processes import KILLED, run

ROWS = max(10_000 // int(os.environ.get("PROVE_SHARE", "1")), 1_000)
FEW = 500
KILLS = 20
BATCH = ROWS // KILLS // 2
OLD, NEW = (f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in ("old", "new"))


@pytest.fixture
def seal_many(lasting_world, settings):
    """Makes rows under the old key, then puts a new one in front."""

    def make(count):
        settings.SEALING_KEYS = OLD
        app_client, created_by = lasting_world.create(), lasting_world.people["operator"]
        made = []
        for number in range(count):
            secret = Secret(app_client=app_client, ending=f"{number:04d}"[-4:], state="current", created_by=created_by)
            value = SecretValue(f"value-{secret.public_id}")
            secret.fingerprint_key_id, secret.fingerprint = sealing.fingerprint(value)
            sealed = sealing.seal(value, binding=secrets.binding(secret))
            secret.sealed_value, secret.sealing_key_id = sealed.data, sealed.key_id
            made.append(secret)
        Secret.objects.bulk_create(made, batch_size=500)
        settings.SEALING_KEYS = f"{NEW},{OLD}"
        return Beside(app_client, created_by)

    return make


def wrong(rows):
    """Sentences for those that do not open, or open to another value than the one they were made with."""
    found = []
    for each in rows.exclude(sealed_value=None).select_related("app_client"):
        try:
            value = secrets.open_for_cognito(each)
        except SealBroken:
            found.append(f"{each.pk} does not open")
            continue
        if sealing.fingerprint(value)[1] != each.fingerprint:
            found.append(f"{each.pk} opens to another value")
    return found


class Neighbour(threading.Thread):
    """Takes its turns until it is told to stop. `errors`: what was wrong; `turns`: how many it has had."""

    def __init__(self, turn, pause):
        super().__init__(daemon=True)
        self.turn, self.pause, self.over, self.errors, self.turns = turn, pause, threading.Event(), [], 0

    def run(self):
        while not self.over.is_set():
            try:
                self.errors += self.turn()
            except Exception as error:
                self.errors.append(repr(error))
            self.turns += 1
            self.over.wait(self.pause)  # it is there beside the others, it is not to starve them
        connection.close()


class Beside:
    """Two readers that open rows by chance, and a writer that shows one row and seals another, while something acts."""

    def __init__(self, app_client, actor):
        self.app_client, self.actor, self.shown = app_client, actor, []
        self.pks = list(Secret.objects.values_list("pk", flat=True))
        self.to_show = self.pks[-len(self.pks) // 10 :]  # a tenth, from the end: whoever goes by pk comes there last
        self.readers = [Neighbour(self.read, 0.02) for _ in range(2)]
        self.writer = Neighbour(self.write, 0.05)

    def read(self):
        return wrong(Secret.objects.filter(pk__in=random.sample(self.pks, 20)))

    def write(self):
        secrets.seal_new_secret(self.app_client, actor=self.actor).save(force_insert=True)
        if not self.to_show:
            return []
        secret = Secret.objects.select_related("app_client").get(pk=self.to_show.pop())
        value = secrets.reveal_secret(secret, actor=self.actor)
        self.shown.append(secret.pk)
        return [] if sealing.fingerprint(value)[1] == secret.fingerprint else [f"{secret.pk} was shown as another"]

    def found_while(self, act):
        """What was wrong at any moment while it acted, and what is wrong afterwards."""
        everybody = [*self.readers, self.writer]
        for each in everybody:
            each.start()
        try:
            act()
        finally:
            for each in everybody:
                each.over.set()
            for each in everybody:
                each.join(timeout=30)
        back = Secret.objects.filter(pk__in=self.shown).exclude(sealed_value=None)
        lost = (
            set(self.pks)
            - set(self.shown)
            - set(Secret.objects.exclude(sealed_value=None).values_list("pk", flat=True))
        )
        return [
            *(error for each in everybody for error in each.errors),
            *wrong(Secret.objects.all()),
            *(f"{each.pk} was shown, and its sealed copy is back" for each in back),
            *(f"{pk} lost its sealed copy and was shown to nobody" for pk in lost),
        ]

    def let_others_act(self):
        """Until each neighbour has had three turns more."""
        everybody = [*self.readers, self.writer]
        enough, over = [each.turns + 3 for each in everybody], time.monotonic() + 30
        while any(each.turns < turns for each, turns in zip(everybody, enough, strict=True)):
            assert time.monotonic() < over, "the neighbours stand still"
            time.sleep(0.01)


def test_killed_in_twenty_batches_every_row_opens_at_every_moment(seal_many):
    beside, codes, left = seal_many(ROWS), [], []
    actor, ring = ["-m", "tests.prove.actor_of_keys", str(BATCH)], {"SEALING_KEYS": f"{NEW},{OLD}"}

    def act():
        for _ in range(KILLS):  # each time somewhere within its second batch
            codes.append(run(actor, crash=f"keys:moved-{BATCH + random.randint(1, BATCH // 2)}", **ring))
            left.append(keys.sealed_under()["old"])
        codes.append(run(actor, **ring))

    assert beside.found_while(act) == []
    assert codes == [KILLED] * KILLS + [0]
    falls = [before - after for before, after in zip([ROWS + 1, *left], left, strict=False)]
    assert left[-1] > 0 and all(fall > BATCH for fall in falls), "each had moved a batch and begun another when it died"
    assert keys.sealed_under()["old"] == 0
    assert all(each.turns > 5 for each in beside.readers) and len(beside.shown) > 5
    told = AuditEntry.objects.get(action="keys:rotate").detail  # those that were killed could write none
    assert told["moved"] > 0 and set(told["under"]) == {"new"}


# --- Planted: what the same neighbours find in a careless one ---------------------------------------


def careless(beside, *, names_first):
    """Reads all rows, then writes them. `names_first`: their new key's id before their bytes."""
    rows = list(Secret.objects.filter(sealing_key_id="old").select_related("app_client"))
    sealed = [sealing.seal(secrets.open_for_cognito(each), binding=secrets.binding(each)) for each in rows]
    if names_first:
        Secret.objects.filter(sealing_key_id="old").update(sealing_key_id="new")
    beside.let_others_act()
    for each, anew in zip(rows, sealed, strict=True):
        same = Secret.objects.filter(pk=each.pk)
        if names_first:
            same = same.exclude(sealed_value=None)
        same.update(sealed_value=anew.data, sealing_key_id=anew.key_id)


def test_planted_naming_the_key_before_sealing_is_found(seal_many):
    beside = seal_many(FEW)
    found = beside.found_while(lambda: careless(beside, names_first=True))
    assert any("does not open" in each for each in found)


def test_planted_writing_without_comparing_is_found(seal_many):
    beside = seal_many(FEW)
    found = beside.found_while(lambda: careless(beside, names_first=False))
    assert found and all("was shown, and its sealed copy is back" in each for each in found)
    assert len(found) <= len(beside.shown)


def test_the_honest_one_passes_the_same_neighbours(seal_many):
    """As the planted ones run, so that not the neighbours themselves are what is found there."""
    beside = seal_many(FEW)

    def act():
        beside.let_others_act()
        keys.rotate_keys(actor=beside.actor, via="test")
        beside.let_others_act()

    assert beside.found_while(act) == [] and keys.sealed_under()["old"] == 0
