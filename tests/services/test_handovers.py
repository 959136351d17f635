"""Handing over: offered once, shown once, watched, ended."""

from datetime import timedelta

import pytest
from django.utils import timezone

from clients.errors import AlreadyShown, AuditUnavailable, Conflict, InvalidInput
from clients.models import AuditEntry, Handover, HandoverState, Secret, Tenant, User
from clients.services import handovers, secrets
from clients.services.handovers import WrongPin


@pytest.fixture
def secret(world):
    return world.create().secrets.get()


@pytest.fixture
def by(world):
    return {"actor": world.people["operator"]}


def linked(secret, by, **more):
    return handovers.offer_by_link(secret, **{"hours": 24, "with_pin": True} | by | more)


def reveal(offer, pin=None, handover=None):
    found = handover or handovers.find_by_link(offer.token)
    return handovers.reveal_by_link(found, offer.pin if pin is None else pin, address="84.17.46.9").reveal()


def later(handover, **delta):
    """As if the time since had passed."""
    moment = timezone.now() - timedelta(**delta)
    Handover.objects.filter(pk=handover.pk).update(expires_at=moment, created_at=moment - timedelta(hours=24))


def acts(secret):
    return list(
        secret.app_client.audit_entries.filter(action__regex="^(handover|secret):").order_by("sequence").values_list(
            "action", flat=True
        )
    )  # fmt: skip


# --- Offering ----------------------------------------------------------------------------------------


def test_link_has_256_bits_and_only_hashes_are_kept(secret, by):
    offer = linked(secret, by)
    row = Handover.objects.get()
    assert len(offer.token) == 43 and len(offer.pin) == 6 and offer.pin.isdecimal()
    kept = str(Handover.objects.values().get()) + str(list(AuditEntry.objects.values_list("detail", "reason")))
    assert (
        offer.token not in kept and offer.pin not in (row.pin_hash, row.token_hash) and offer.token not in repr(offer)
    )
    assert acts(secret) == ["handover:create"] and row.state == HandoverState.WAITING


def test_second_offer_of_one_secret_is_refused_until_the_first_is_over(secret, by):
    first = linked(secret, by).handover
    with pytest.raises(Conflict, match="handed over already"):
        linked(secret, by)
    later(first, minutes=1)
    linked(secret, by)
    first.refresh_from_db()
    assert first.state == HandoverState.EXPIRED and Handover.objects.open().count() == 1


@pytest.mark.parametrize(("hours", "ends"), [(1, 1), (24, 24), (168, 168)])
def test_offer_ends_when_it_says(secret, by, hours, ends):
    handover = linked(secret, by, hours=hours).handover
    assert abs(handover.expires_at - timezone.now() - timedelta(hours=ends)) < timedelta(minutes=1)


def test_offer_for_any_other_time_is_refused(secret, by):
    with pytest.raises(InvalidInput) as refused:
        linked(secret, by, hours=1000)
    assert list(refused.value.fields) == ["hours"] and not Handover.objects.exists()


def test_offer_to_who_is_no_active_member_is_refused(world, secret, by):
    stranger = User.objects.create_user("x@acme.example", role="developer", tenant=world.tenants["acme-robotics"])
    User.objects.filter(pk=world.people["developer"].pk).update(is_active=False)
    closed = User.objects.get(pk=world.people["developer"].pk)
    for who in (stranger, closed, world.people["support"]):
        with pytest.raises(InvalidInput) as refused:
            handovers.offer_to_member(secret, who, hours=24, **by)
        assert list(refused.value.fields) == ["to"]
    assert acts(secret) == []


def test_link_is_mailed_to_no_address_but_the_recorded_one(secret, by):
    Tenant.objects.update(contact_email="it@northwind.example")
    secret = Secret.objects.select_related("app_client__tenant").get()
    with pytest.raises(InvalidInput):
        linked(secret, by, email="somebody@else.example")
    assert linked(secret, by, email="it@northwind.example").handover.email == "it@northwind.example"


def test_secret_that_was_shown_is_not_handed_over(secret, by):
    secrets.reveal_secret(secret, **by)
    with pytest.raises(Conflict, match="Rotate"):
        linked(secret, by)


def test_secret_that_is_handed_over_is_shown_to_nobody_else(secret, by):
    offer = linked(secret, by)
    with pytest.raises(Conflict, match="Revoke that hand-over first"):
        secrets.reveal_secret(secret, **by)
    handovers.revoke(offer.handover, **by)
    assert secrets.reveal_secret(secret, **by).reveal().startswith("cps_")


# --- Shown once ---------------------------------------------------------------------------------------


def test_link_shows_the_secret_once_and_tells_the_sender(world, secret, by):
    offer = linked(secret, by)
    value = reveal(offer)
    secret.refresh_from_db()
    row = Handover.objects.get()
    assert value.startswith("cps_")
    assert secret.sealed_value is None and secret.delivered_at and secret.delivered_to is None
    assert row.state == HandoverState.SHOWN and row.shown_from == "84.17.46.0/24" and row.opened_at
    with pytest.raises(AlreadyShown):
        reveal(offer)
    assert acts(secret) == ["handover:create", "secret:show"]


def test_five_wrong_pins_close_the_link_and_spend_nothing(secret, by):
    offer = linked(secret, by)
    wrong = f"{(int(offer.pin) + 1) % 10**6:06d}"
    left = []
    for _ in range(5):
        with pytest.raises(WrongPin) as refused:
            reveal(offer, pin=wrong)
        left.append(refused.value.left)
    assert left == [4, 3, 2, 1, 0] and Handover.objects.get().state == HandoverState.CLOSED
    with pytest.raises(Conflict):
        reveal(offer)
    secret.refresh_from_db()
    assert secret.can_be_shown and acts(secret) == ["handover:create"] + ["handover:wrong_pin"] * 5


def test_right_pin_after_wrong_ones_still_shows_it(secret, by):
    offer = linked(secret, by)
    for pin in ("", "abc", "12345678"):
        with pytest.raises(WrongPin):
            reveal(offer, pin=pin)
    assert reveal(offer).startswith("cps_")


@pytest.mark.parametrize("ending", ["revoked", "expired", "deleted"])
def test_ended_link_shows_nothing_and_keeps_the_secret(secret, by, ending):
    offer = linked(secret, by)
    stale = handovers.find_by_link(offer.token)  # as somebody whose page is open has it
    if ending == "revoked":
        handovers.revoke(offer.handover, **by)
    elif ending == "expired":
        later(offer.handover, minutes=1)
    else:
        Secret.objects.update(sealed_value=None, sealing_key_id="", state="retired")
    with pytest.raises((Conflict, AlreadyShown)):
        reveal(offer, handover=stale)
    assert Handover.objects.get().shown_at is None and "secret:show" not in acts(secret)


def test_member_is_shown_what_is_theirs_and_nobody_else_is(world, secret, by):
    member, colleague = world.people["developer"], world.people["manager"]
    handover = handovers.offer_to_member(secret, member, hours=24, **by)
    with pytest.raises(Conflict, match="somebody else"):
        handovers.reveal_to_member(handover, actor=colleague, address="")
    assert handovers.reveal_to_member(handover, actor=member, address="2001:db8:1:2::3").reveal().startswith("cps_")
    secret.refresh_from_db()
    assert secret.delivered_to == member and Handover.objects.get().shown_from == "2001:db8:1::/48"


def test_nothing_is_shown_when_the_trail_takes_no_entry(secret, by, request):
    offer = linked(secret, by)
    request.getfixturevalue("full_trail")
    with pytest.raises(AuditUnavailable):
        reveal(offer)
    assert Handover.objects.get().is_open and Secret.objects.get().can_be_shown


@pytest.fixture
def full_trail(monkeypatch):
    monkeypatch.setattr(AuditEntry, "save", _full)


def _full(*args, **kwargs):
    from django.db import OperationalError

    raise OperationalError("no room")


# --- Afterwards ---------------------------------------------------------------------------------------


def test_offered_again_the_link_before_opens_nothing(secret, by):
    first = linked(secret, by, hours=168)
    second = handovers.offer_again(first.handover, **by)
    assert second.token != first.token and len(second.pin) == 6
    assert abs(second.handover.expires_at - timezone.now() - timedelta(hours=168)) < timedelta(minutes=1)
    with pytest.raises(Conflict):
        reveal(first)
    assert reveal(second).startswith("cps_")
    with pytest.raises(Conflict):
        handovers.offer_again(second.handover, **by)


def test_stored_alarm_and_asking_count_once(secret, by):
    offer = linked(secret, by)
    assert not handovers.sound_alarm(offer.handover), "nobody was shown anything yet"
    reveal(offer)
    for _ in range(2):
        handovers.mark_stored(offer.handover, actor=None)
    assert [handovers.sound_alarm(offer.handover) for _ in range(2)] == [True, False]
    assert [handovers.ask_again(offer.handover) for _ in range(2)] == [True, False]
    assert acts(secret)[2:] == ["handover:stored", "handover:alarm", "handover:ask"]
    secret.refresh_from_db()
    assert secret.stored_at and Handover.objects.get().state == HandoverState.STORED


def test_sealed_copy_is_erased_when_its_time_is_over(secret, by):
    Tenant.objects.filter(slug="northwind").update(keep_days=3)
    linked(secret, by)
    Secret.objects.update(created_at=timezone.now() - timedelta(days=2, hours=23))
    assert handovers.erase_due() == 0
    Secret.objects.update(created_at=timezone.now() - timedelta(days=3))
    assert [handovers.erase_due() for _ in range(2)] == [1, 0]
    assert Secret.objects.get().sealed_value is None and Handover.objects.get().state == HandoverState.EXPIRED
    assert acts(secret) == ["handover:create", "secret:erase"]


@pytest.mark.parametrize(
    ("address", "network"),
    [("84.17.46.9", "84.17.46.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("", ""), ("rubbish", "")],
)
def test_networks_are_coarse(address, network):
    assert handovers.network_of(address) == network
