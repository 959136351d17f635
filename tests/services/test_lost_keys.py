"""A key that is lost for good is given up: the portal starts again, and the trail says what went with it."""

import base64

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from clients.models import AuditEntry, Secret
from clients.services import keys, secrets
from tests.environment import random_keys

OLD, NEW = (f"{name}:{base64.b64encode(name.encode().ljust(32)).decode()}" for name in ("old", "new"))
ADMIN = "administrator@portal.example"


@pytest.fixture
def lost(world, settings):
    """One secret and one code under a key that is gone, another secret and another code under the one that is there."""
    for name, ring, who in (("one", OLD, "support"), ("two", f"{NEW},{OLD}", "operator")):
        settings.SEALING_KEYS = ring
        world.create(name=name)
        seed = get_adapter().encrypt("SEED")
        Authenticator.objects.create(user=world.people[who], type=Authenticator.Type.TOTP, data={"secret": seed})
    settings.SEALING_KEYS = NEW
    return Secret.objects.get(app_client__name="one")


def forget(variable, key_id, *more):
    call_command("forget_key", variable, key_id, "--actor", ADMIN, "--reason", "The disk died.", *more)


def test_what_a_lost_sealing_key_sealed_is_erased_and_the_start_goes_through(world, lost, capsys):
    epoch = world.people["support"].session_epoch
    assert any("SEALING_KEYS lacks the key 'old'" in each for each in keys.unusable())
    forget("SEALING_KEYS", "old", "--yes")
    assert "1 sealed secret(s), 1 second factor(s), 0 mark(s) of secrets: erased." in capsys.readouterr().out
    assert keys.unusable() == []
    lost.refresh_from_db()
    assert (lost.sealed_value, lost.sealing_key_id, lost.can_be_shown) == (None, "", False)
    assert secrets.open_for_cognito(Secret.objects.get(app_client__name="two")).reveal()
    assert [each.user for each in Authenticator.objects.all()] == [world.people["operator"]]
    world.people["support"].refresh_from_db()
    assert world.people["support"].session_epoch == epoch + 1, "sessions of before end"
    told = AuditEntry.objects.filter(reason="The disk died.").order_by("sequence")
    assert [each.action for each in told] == ["secret:erase", "person:factor_reset", "keys:forget"]
    assert told[0].app_client == lost.app_client and told[2].detail["secrets"] == 1
    assert len(world.remote_clients()) == 2, "Cognito is not asked for anything"


def test_without_yes_it_only_says_how_much(lost, capsys):
    forget("SEALING_KEYS", "old")
    assert "1 sealed secret(s), 1 second factor(s), 0 mark(s) of secrets: they would be" in capsys.readouterr().out
    assert keys.sealed_under() == {"old": 2, "new": 2} and not AuditEntry.objects.filter(action="keys:forget").exists()


def test_marks_of_a_lost_fingerprint_key_are_emptied(lost, settings):
    settings.FINGERPRINT_KEYS = random_keys("newer")
    forget("FINGERPRINT_KEYS", "test", "--yes")
    assert keys.unusable() == ["SEALING_KEYS lacks the key 'old', which sealed 2 value(s). Put it back."]
    assert set(Secret.objects.values_list("fingerprint", "fingerprint_key_id")) == {("", "")}
    assert AuditEntry.objects.get(action="keys:forget").detail["marks"] == 2


@pytest.mark.parametrize(("variable", "key_id", "sentence"), [
    ("SEALING_KEYS", "new", "so it is not lost"),
    ("FINGERPRINT_KEYS", "test", "so it is not lost"),
    ("SEALING_KEYS", "test", "Nothing needs the key"),
])  # fmt: skip
def test_a_key_that_is_there_or_that_nothing_needs_is_refused(lost, variable, key_id, sentence):
    with pytest.raises(CommandError, match=sentence):
        forget(variable, key_id, "--yes")
    assert keys.sealed_under() == {"old": 2, "new": 2} and not AuditEntry.objects.filter(action="keys:forget").exists()


def test_only_an_administrator_may_give_up_a_key(lost):
    with pytest.raises(CommandError, match="may not give up keys"):
        call_command(
            "forget_key", "SEALING_KEYS", "old", "--actor", "operator@portal.example", "--reason", "x", "--yes"
        )
    assert keys.sealed_under()["old"] == 2
