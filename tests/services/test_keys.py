"""Keys at rest: sealed anew under the first key, by compare-and-set; what is missing or wrong is named at the start."""

import base64

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from clients import checks, sealing
from clients.aws.keys import open_data_key
from clients.errors import SealBroken, Throttled
from clients.models import AppClient, AuditEntry, Secret
from clients.models.ids import new_ulid
from clients.sealing import KmsKey, Sealed
from clients.services import handovers, keys, revocations, rotations, secrets
from clients.services.keys import FACTOR

OLD, NEW = (f"{name}:{base64.b64encode(name.encode().ljust(32)).decode()}" for name in ("old", "new"))


@pytest.fixture
def sealed(world, settings):
    """Three secrets and a second factor under the old key; then a new one stands in front."""
    settings.SEALING_KEYS = OLD
    for number in range(3):
        world.create(name=f"c{number}")
    seed = get_adapter().encrypt("SEED")
    Authenticator.objects.create(user=world.people["support"], type=Authenticator.Type.TOTP, data={"secret": seed})
    settings.SEALING_KEYS = f"{NEW},{OLD}"
    return {secret.pk: secrets.open_for_cognito(secret).reveal() for secret in Secret.objects.all()}


def opened():
    return {each.pk: secrets.open_for_cognito(each).reveal() for each in Secret.objects.select_related("app_client")}


def rotate(world):
    return keys.rotate_keys(actor=world.people["administrator"], via="test")


def test_everything_is_sealed_under_the_first_key_and_opens(world, sealed, settings):
    found = rotate(world)
    assert found.moved == 4 and found.under == {"new": 4} and opened() == sealed
    settings.SEALING_KEYS = NEW
    assert opened() == sealed and keys.unusable() == []
    assert get_adapter().decrypt(Authenticator.objects.get().data["secret"]) == "SEED"
    assert AuditEntry.objects.get(action="keys:rotate").detail["moved"] == 4
    assert rotate(world).moved == 0 and AuditEntry.objects.filter(action="keys:rotate").count() == 1


@pytest.mark.parametrize("meanwhile", ["revealed", "sealed anew"])
def test_one_changed_meanwhile_is_left_alone(world, sealed, monkeypatch, meanwhile):
    honest, first = sealing.seal, Secret.objects.select_related("app_client").first()
    anew = honest(secrets.open_for_cognito(first), binding=secrets.binding(first))
    wanted = (None, "") if meanwhile == "revealed" else (anew.data, anew.key_id)
    asked = []

    def seal(value, *, binding):
        if not asked:  # once: a later call would hide what was written over it
            Secret.objects.filter(pk=first.pk).update(sealed_value=wanted[0], sealing_key_id=wanted[1])
        asked.append(binding)
        return honest(value, binding=binding)

    monkeypatch.setattr(sealing, "seal", seal)
    assert rotate(world).moved == 3 and asked[0] == secrets.binding(first)
    first.refresh_from_db()
    assert (first.sealed_value and bytes(first.sealed_value), first.sealing_key_id) == wanted


def test_one_that_does_not_open_is_named_and_the_others_go_on(world, sealed):
    Secret.objects.filter(pk=min(sealed)).update(sealed_value=b"x" * 60)
    found = rotate(world)
    assert found.moved == 3 and len(found.broken) == 1 and "ending" in found.broken[0]


def test_a_second_factor_that_does_not_open_is_named_and_the_others_go_on(world, sealed):
    broken = Authenticator.objects.create(
        user=world.people["operator"], type=Authenticator.Type.TOTP, data={"secret": "old:" + "A" * 80}
    )
    found = rotate(world)
    assert found.moved == 4 and found.broken == [f"second factor of {broken.user}"] and found.under["old"] == 1


@pytest.mark.parametrize("meanwhile", ["removed", "made anew"])
def test_a_second_factor_changed_meanwhile_is_left_alone(world, sealed, monkeypatch, meanwhile):
    rotate_secrets, factor, anew = keys._reseal_secrets, Authenticator.objects.get(), get_adapter().encrypt("ANOTHER")
    honest = sealing.seal

    def seal(value, *, binding):
        if meanwhile == "removed":
            Authenticator.objects.filter(pk=factor.pk).delete()
        else:
            Authenticator.objects.filter(pk=factor.pk).update(data={"secret": anew})
        return honest(value, binding=binding)

    def then_seal(*arguments):
        rotate_secrets(*arguments)
        monkeypatch.setattr(sealing, "seal", seal)

    monkeypatch.setattr(keys, "_reseal_secrets", then_seal)
    assert rotate(world).moved == 3
    assert list(Authenticator.objects.values_list("data__secret", flat=True)) == (
        [] if meanwhile == "removed" else [anew]
    )


def test_the_command_says_which_key_may_go(world, sealed, capsys):
    call_command("rotate_keys", "--actor", "administrator@portal.example")
    said = capsys.readouterr().out
    assert "4 value(s) sealed anew under new." in said
    assert "SEALING_KEYS new: 4 sealed value(s). It seals what is new." in said
    assert "SEALING_KEYS old: 0 sealed value(s). It may be removed from SEALING_KEYS." in said
    assert "It stays: what it marked cannot be marked anew." in said
    with pytest.raises(CommandError, match="may not"):
        call_command("rotate_keys", "--actor", "operator@portal.example")


def test_the_command_says_which_key_stays_and_which_is_missing(world, sealed, settings, capsys):
    Secret.objects.filter(pk=min(sealed)).update(sealed_value=b"x" * 60)
    Secret.objects.filter(pk=max(sealed)).update(sealing_key_id="gone", fingerprint_key_id="former")
    with pytest.raises(CommandError, match="2 did not open: secret ending"):
        call_command("rotate_keys", "--actor", "administrator@portal.example")
    said = capsys.readouterr().out
    assert "SEALING_KEYS old: 1 sealed value(s). It stays until that is 0." in said
    assert "SEALING_KEYS gone: 1 sealed value(s). It is missing: put it back." in said
    assert "FINGERPRINT_KEYS test: marks 2 secret(s). It stays: what it marked cannot be marked anew." in said
    assert "FINGERPRINT_KEYS former: marks 1 secret(s). It is missing: put it back." in said


@pytest.mark.parametrize(("ring", "sentence"), [
    (NEW, "SEALING_KEYS lacks the key 'old', which sealed"),
    (f"{NEW},old:{base64.b64encode(bytes(32)).decode()}", "the key 'old' does not open what was sealed under it"),
])  # fmt: skip
def test_a_missing_or_wrong_key_refuses_to_start(sealed, settings, ring, sentence):
    settings.SEALING_KEYS = ring
    said = checks.check_keys_open_what_is_sealed(None)
    assert [each.id for each in said] == ["clients.E018"] and sentence in said[0].msg


def test_a_missing_fingerprint_key_refuses_to_start(sealed, settings):
    settings.FINGERPRINT_KEYS = NEW
    (said,) = checks.check_keys_open_what_is_sealed(None)
    assert said.msg == "FINGERPRINT_KEYS lacks the key 'test', which marks 3 secret(s). Put it back."


def test_a_key_that_opens_second_factors_alone_is_looked_at_too(sealed, settings):
    Secret.objects.update(sealed_value=None, sealing_key_id="")
    settings.SEALING_KEYS = f"{NEW},old:{base64.b64encode(bytes(32)).decode()}"
    (said,) = checks.check_keys_open_what_is_sealed(None)
    assert said.msg.startswith("SEALING_KEYS: the key 'old' does not open")


def test_the_worker_of_a_production_does_not_start_with_a_wrong_key(sealed, settings):
    settings.SEALING_KEYS, settings.SECURE = NEW, True
    with pytest.raises(SystemCheckError, match="SEALING_KEYS lacks the key 'old'"):
        call_command("worker", "--once", skip_checks=True)


def test_keys_are_not_looked_at_before_a_migration(sealed, settings, django_assert_num_queries):
    """`migrate` and `makemigrations` run the checks without those of a deployment; tables may be missing there."""
    settings.SEALING_KEYS = NEW
    with django_assert_num_queries(0):
        said = run_checks(databases=["default"])
    assert [each.id for each in said if each.id == "clients.E018"] == []
    assert "clients.E018" in [each.id for each in run_checks(include_deployment_checks=True)]


# --- KMS -------------------------------------------------------------------------------------------


@pytest.fixture
def kms(world, settings):
    """A key in KMS, which stands in front."""
    arn = world.sandbox.aws("kms").create_key()["KeyMetadata"]["Arn"]
    settings.SEALING_KEYS = f"cloud:kms:{arn},{NEW},{OLD}"
    return arn


def wrapped_part(secret):
    data = bytes(secret.sealed_value)
    return data[2 : 2 + int.from_bytes(data[:2], "big")]


def test_a_secret_is_sealed_under_a_data_key_of_kms(world, kms, settings):
    secret = world.create().secrets.get()
    assert secret.sealing_key_id == "cloud" and sealing.is_well_formed(secrets.open_for_cognito(secret).reveal())
    settings.SEALING_KEYS = NEW
    with pytest.raises(SealBroken):
        secrets.open_for_cognito(secret)


@pytest.mark.parametrize("called", ["id", "alias", "alias ARN"])
def test_a_kms_key_is_named_by_id_or_alias_too(world, kms, settings, called):
    key_id, alias = kms.rpartition("/")[2], f"alias/portal-{kms[-12:]}"
    world.sandbox.aws("kms").create_alias(AliasName=alias, TargetKeyId=key_id)
    name = {"id": key_id, "alias": alias, "alias ARN": kms.replace(f"key/{key_id}", alias)}[called]
    settings.SEALING_KEYS = f"cloud:kms:{name}"
    secret = world.create().secrets.get()
    assert sealing.is_well_formed(secrets.open_for_cognito(secret).reveal()) and keys.unusable() == []
    assert [each.id for each in checks._keys("SEALING_KEYS")] == []


def test_moved_to_another_row_it_does_not_open(world, kms):
    one, other = (world.create(name=name).secrets.get() for name in ("one", "other"))
    with pytest.raises(SealBroken):
        sealing.open_sealed(Sealed("cloud", bytes(one.sealed_value)), binding=secrets.binding(other))


def test_kms_itself_refuses_the_data_key_of_another_row_or_key(world, kms):
    """Not only our own seal around it: whoever has the row and may ask KMS gets no data key without its binding."""
    one, other = (world.create(name=name).secrets.get() for name in ("one", "other"))
    foreign = KmsKey(world.sandbox.aws("kms").create_key()["KeyMetadata"]["Arn"])
    assert len(open_data_key(KmsKey(kms), wrapped_part(one), secrets.binding(one))) == 32
    for key, wrapped, binding in (
        (KmsKey(kms), wrapped_part(one), secrets.binding(other)),
        (foreign, wrapped_part(one), secrets.binding(one)),
        (KmsKey(kms), wrapped_part(one)[:-1], secrets.binding(one)),
    ):
        with pytest.raises(SealBroken, match="KMS does not open"):
            open_data_key(key, wrapped, binding)


def test_rotating_goes_to_kms_and_back(world, sealed, settings):
    arn = world.sandbox.aws("kms").create_key()["KeyMetadata"]["Arn"]
    settings.SEALING_KEYS = f"cloud:kms:{arn},{NEW},{OLD}"
    assert rotate(world).under == {"cloud": 4} and opened() == sealed
    settings.SEALING_KEYS = f"{NEW},cloud:kms:{arn}"
    assert rotate(world).under == {"new": 4} and opened() == sealed
    assert get_adapter().decrypt(Authenticator.objects.get().data["secret"]) == "SEED"


def test_rotating_that_kms_interrupts_goes_on_later(world, sealed, settings):
    arn = world.sandbox.aws("kms").create_key()["KeyMetadata"]["Arn"]
    settings.SEALING_KEYS = f"cloud:kms:{arn},{OLD}"
    world.sandbox.fault("GenerateDataKey", "throttle", skip=2)
    with pytest.raises(Throttled):
        rotate(world)
    assert keys.sealed_under() == {"cloud": 2, "old": 2} and opened() == sealed
    assert rotate(world).moved == 2 and opened() == sealed
    told = AuditEntry.objects.filter(action="keys:rotate").order_by("sequence")
    assert [(each.detail["moved"], each.detail["under"]) for each in told] == [
        (2, {"cloud": 2, "old": 2}),
        (2, {"cloud": 4}),
    ]


@pytest.mark.parametrize("kind", ["throttle", "error_500", "drop"])
def test_kms_out_of_reach_is_no_wrong_key_and_nothing_unknown(world, kms, kind):
    secret = world.create().secrets.get()
    world.sandbox.fault("Decrypt", kind)
    with pytest.raises(Throttled):
        secrets.open_for_cognito(secret)
    world.sandbox.fault("Decrypt", kind)
    assert keys.unusable() == []


def test_without_kms_nothing_is_made_and_nothing_shown_is_lost(world, kms):
    secret = world.create().secrets.get()
    before = AppClient.objects.count(), AuditEntry.objects.count(), len(world.remote_clients())
    world.sandbox.fault("GenerateDataKey", "error_500")
    with pytest.raises(Throttled):
        world.create(name="another")
    world.sandbox.fault("Decrypt", "drop")
    with pytest.raises(Throttled):
        secrets.reveal_secret(secret, actor=world.people["operator"])
    assert (AppClient.objects.count(), AuditEntry.objects.count(), len(world.remote_clients())) == before
    assert sealing.is_well_formed(secrets.reveal_secret(secret, actor=world.people["operator"]).reveal())


@pytest.fixture
def depths(monkeypatch):
    """How many transactions deep KMS was asked, each time."""
    found = []
    for name in ("new_data_key", "open_data_key"):
        asked = getattr(sealing, name)

        def noting(*args, _asked=asked):
            found.append(len(connection.savepoint_ids))
            return _asked(*args)

        monkeypatch.setattr(sealing, name, noting)
    return found


def test_kms_is_never_asked_within_a_transaction(world, kms, depths):
    """It would hold the only writer of a database for as long as AWS takes. The test's own transaction is no depth."""
    operator, support, member = (world.people[who] for who in ("operator", "support", "developer"))
    made = world.create()
    offer = handovers.offer_to_member(made.secrets.get(), member, hours=24, actor=operator)
    handovers.reveal_to_member(offer, actor=member, address="")
    rotations.start_rotation(made, actor=support, operation_id=new_ulid(), overlap_hours=24)
    new = Secret.objects.select_related("app_client").latest("pk")
    link = handovers.offer_by_link(new, hours=24, with_pin=True, actor=operator)
    handovers.reveal_by_link(link.handover, link.pin, address="")
    other = world.create(name="other").secrets.get()
    secrets.reveal_secret(other, actor=operator)
    revocations.revoke_secret(
        other, actor=support, operation_id=new_ulid(), reason="leaked", typed=other.ending, stop_now=False
    )
    asked = len(depths)
    keys.rotate_keys(actor=world.people["administrator"], via="test")
    assert asked >= 8 and set(depths) == {0}


@pytest.mark.parametrize(("fault", "sentence"), [
    ("disabled", "The KMS key is disabled."),
    ("deleted", "The KMS key cannot be used as it is"),
    ("unknown", "AWS does not know the KMS key"),
    ("another", "It is another key."),
    ("local", "It is another key."),
])  # fmt: skip
def test_a_kms_key_that_cannot_open_refuses_to_start(world, kms, settings, fault, sentence):
    world.create()
    aws = world.sandbox.aws("kms")
    if fault == "disabled":
        aws.disable_key(KeyId=kms)
    elif fault == "deleted":
        aws.schedule_key_deletion(KeyId=kms)
    other = {"unknown": f"kms:{kms[:-12]}{'0' * 12}", "local": base64.b64encode(bytes(32)).decode()}
    if fault == "another":
        other["another"] = "kms:" + aws.create_key()["KeyMetadata"]["Arn"]
    if fault in other:
        settings.SEALING_KEYS = f"{NEW},cloud:{other[fault]}"
    (said,) = checks.check_keys_open_what_is_sealed(None)
    assert said.msg.startswith("SEALING_KEYS: the key 'cloud' does not open") and sentence in said.msg


def test_a_local_key_whose_id_now_names_kms_refuses_to_start(world, sealed, kms, settings):
    settings.SEALING_KEYS = f"{NEW},old:kms:{kms}"
    (said,) = checks.check_keys_open_what_is_sealed(None)
    assert said.msg == "SEALING_KEYS: the key 'old' does not open what was sealed under it. It is another key."


@pytest.mark.parametrize(("data", "is_asked"), [
    (b"", False),
    (b"\0", False),
    (b"\0\0" + b"x" * 40, False),
    (b"\xff\xff" + b"x" * 40, False),
    (b"\0\x01x" + b"y" * 40, True),
])  # fmt: skip
def test_bytes_without_a_data_key_do_not_open_under_kms(world, kms, data, is_asked):
    """KMS would refuse an empty blob as malformed, which is no word about the key."""
    world.sandbox.clear()
    with pytest.raises(SealBroken):
        sealing.open_sealed(Sealed("cloud", data), binding="row")
    assert [call["operation"] for call in world.sandbox.calls()] == ["Decrypt"] * is_asked


def test_what_is_no_name_of_a_kms_key_is_refused(settings):
    with pytest.raises(sealing.ImproperlyConfigured, match="'cloud'"):
        sealing.read_sealing_ring("cloud:kms:my-key")
    assert FACTOR == "second-factor"
