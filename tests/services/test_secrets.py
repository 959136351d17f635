"""Revealing: once, erased in the same transaction, refused to whoever comes second."""

import base64
import threading

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection

from clients import sealing
from clients.errors import AlreadyShown, SealBroken
from clients.models import AuditEntry, Secret
from clients.services import audit, secrets


def test_show_secret_once_and_it_is_the_one_cognito_has(world):
    app_client = world.create()
    secret = app_client.secrets.get()
    value = secrets.reveal_secret(secret, actor=world.people["operator"]).reveal()

    assert sealing.is_well_formed(value) and value.startswith("cps_prod_") and value.endswith(secret.ending)
    assert world.describe(app_client.client_id)["ClientSecret"] == value
    secret.refresh_from_db()
    assert secret.sealed_value is None and secret.delivered_to == world.people["operator"]
    assert AuditEntry.objects.filter(action="secret:show", app_client=app_client).count() == 1
    with pytest.raises(AlreadyShown):
        secrets.reveal_secret(secret, actor=world.people["operator"])


def test_show_secret_that_cannot_be_audited_keeps_it_sealed(world, monkeypatch):
    secret = world.create().secrets.get()
    monkeypatch.setattr(audit, "append", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        secrets.reveal_secret(secret, actor=world.people["operator"])
    secret.refresh_from_db()
    assert secret.can_be_shown


def test_show_secret_by_many_at_once_has_one_winner(lasting_world):
    secret = lasting_world.create().secrets.get()
    outcomes, start = [], threading.Barrier(12)

    def show():
        start.wait()
        try:
            secrets.reveal_secret(secret, actor=lasting_world.people["operator"])
            outcomes.append("shown")
        except AlreadyShown:
            outcomes.append("second")
        finally:
            connection.close()

    threads = [threading.Thread(target=show) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["second"] * 11 + ["shown"]


def test_sealed_values_swapped_between_rows_do_not_open(world):
    first = world.create(name="first").secrets.get()
    second = world.create(name="second").secrets.get()
    Secret.objects.filter(pk=first.pk).update(sealed_value=second.sealed_value)
    with pytest.raises(SealBroken):
        secrets.reveal_secret(first, actor=world.people["operator"])


@pytest.mark.asvs("11.3.1", "11.3.2")
def test_sealed_value_is_aes_gcm_and_opens_with_no_bit_changed(settings):
    sealed = sealing.seal(sealing.SecretValue("value"), binding="row")
    key_id, _, key = settings.SEALING_KEYS.partition(":")
    about = f"cognito-client-portal/1|{key_id}|row".encode()
    assert AESGCM(base64.b64decode(key)).decrypt(sealed.data[:12], sealed.data[12:], about) == b"value"
    for bit in range(len(sealed.data) * 8):
        changed = bytearray(sealed.data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            sealing.open_sealed(sealing.Sealed(key_id, bytes(changed)), binding="row")
    ciphers = [path.name for folder in ("clients", "portal") for path in (settings.BASE_DIR / folder).rglob("*.py")
               if "ciphers" in path.read_text()]  # fmt: skip
    assert ciphers == ["sealing.py"], "nothing else encrypts"


def test_secret_value_prints_as_asterisks():
    value = sealing.generate("prod")
    assert value.reveal() not in f"{value} {value!r} {[value]} { ({'a': value}) }"
