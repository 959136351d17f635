"""Roles and leaving: from the next request on, somebody always left to look after things."""

import pytest

from clients.errors import Conflict, InvalidInput
from clients.models import AuditEntry, Handover, Invitation, Role, Tenant, User
from clients.services import handovers, people, tenant_changes

GOOD = "a long enough passphrase"


@pytest.fixture
def staff(world):
    return {name: world.people[name] for name in ("administrator", "operator", "support", "auditor")}


def second_administrator():
    return User.objects.create_user("second@portal.example", GOOD, role=Role.ADMINISTRATOR)


def test_role_changes_and_is_recorded_with_both_sides(staff):
    people.change_role(staff["support"], Role.OPERATOR, actor=staff["administrator"])
    assert User.objects.get(pk=staff["support"].pk).role == Role.OPERATOR
    entry = AuditEntry.objects.get(action="person:change_role")
    assert (entry.detail["before"], entry.detail["after"]) == ({"role": "support"}, {"role": "operator"})
    assert entry.detail["person"] == staff["support"].pk


@pytest.mark.parametrize(
    ("who", "role", "says"),
    [
        ("administrator", Role.SUPPORT, "Nobody changes their own role"),
        ("support", Role.MANAGER, "can be"),
        ("developer", Role.OPERATOR, "can be"),
        ("support", "emperor", "can be"),
    ],
)
def test_role_refused(world, who, role, says):
    with pytest.raises(InvalidInput, match=says):
        people.change_role(world.people[who], role, actor=world.people["administrator"])
    assert not AuditEntry.objects.filter(action="person:change_role").exists()


def test_the_last_administrator_stays_one(staff):
    second = second_administrator()
    people.change_role(second, Role.OPERATOR, actor=staff["administrator"])
    with pytest.raises(InvalidInput, match="last administrator"):
        people.change_role(staff["administrator"], Role.SUPPORT, actor=second)
    with pytest.raises(InvalidInput, match="last administrator"):
        people.deactivate(staff["administrator"], actor=second, heir=second)
    assert User.objects.get(pk=staff["administrator"].pk).role == Role.ADMINISTRATOR


def test_role_changed_by_somebody_else_meanwhile_is_refused(staff):
    seen = User.objects.get(pk=staff["support"].pk)
    people.change_role(staff["support"], Role.OPERATOR, actor=staff["administrator"])
    with pytest.raises(Conflict):
        people.change_role(seen, Role.AUDITOR, actor=staff["administrator"])
    assert User.objects.get(pk=seen.pk).role == Role.OPERATOR


def test_leaving_hands_clients_and_tenants_on(world, staff):
    operator, heir = staff["operator"], staff["administrator"]
    app_client = world.create(contact=operator)
    tenant = world.tenants["northwind"]
    type(tenant).objects.filter(pk=tenant.pk).update(contact=operator)
    assert people.deactivate(operator, actor=heir, heir=heir) == 1
    app_client.refresh_from_db(), tenant.refresh_from_db()
    assert app_client.contact == heir and tenant.contact == heir
    assert not User.objects.get(pk=operator.pk).is_active
    assert AuditEntry.objects.filter(action="client:set_contact", app_client=app_client).exists()
    assert AuditEntry.objects.get(action="person:deactivate").detail["clients"] == 1


def test_leaving_without_an_heir_is_refused_while_they_look_after_something(world, staff):
    world.create(contact=staff["operator"])
    with pytest.raises(InvalidInput, match="who looks after"):
        people.deactivate(staff["operator"], actor=staff["administrator"])
    assert User.objects.get(pk=staff["operator"].pk).is_active


@pytest.mark.parametrize("heir", ["developer", "self", "gone"])
def test_leaving_to_somebody_who_cannot_is_refused(world, staff, heir):
    User.objects.filter(pk=staff["auditor"].pk).update(is_active=False)
    chosen = {"developer": world.people["developer"], "self": staff["operator"],
              "gone": User.objects.get(pk=staff["auditor"].pk)}[heir]  # fmt: skip
    with pytest.raises(InvalidInput):
        people.deactivate(staff["operator"], actor=staff["administrator"], heir=chosen)
    assert User.objects.get(pk=staff["operator"].pk).is_active


def test_nobody_takes_their_own_access_away(staff):
    second_administrator()
    with pytest.raises(InvalidInput, match="own access"):
        people.deactivate(staff["administrator"], actor=staff["administrator"], heir=staff["operator"])


def test_activated_again(staff):
    people.deactivate(staff["support"], actor=staff["administrator"])
    people.activate(User.objects.get(pk=staff["support"].pk), actor=staff["administrator"])
    people.activate(User.objects.get(pk=staff["support"].pk), actor=staff["administrator"])
    assert User.objects.get(pk=staff["support"].pk).is_active
    assert AuditEntry.objects.filter(action="person:activate").count() == 1


def test_sent_again_the_old_link_opens_nothing(staff):
    old = people.invite("new@portal.example", Role.SUPPORT, actor=staff["administrator"])
    new = people.send_again(Invitation.objects.get(), actor=staff["administrator"])
    with pytest.raises(Conflict):
        people.accept_invitation(old, name="N", password=GOOD)
    assert people.accept_invitation(new, name="N", password=GOOD).role == Role.SUPPORT
    with pytest.raises(Conflict):
        people.send_again(Invitation.objects.get(), actor=staff["administrator"])


def test_withdrawn_opens_nothing(staff):
    token = people.invite("new@portal.example", Role.SUPPORT, actor=staff["administrator"])
    people.withdraw_invitation(Invitation.objects.get(), actor=staff["administrator"])
    with pytest.raises(Conflict):
        people.accept_invitation(token, name="N", password=GOOD)
    with pytest.raises(Conflict):
        people.withdraw_invitation(Invitation.objects.get(), actor=staff["administrator"])
    assert AuditEntry.objects.filter(action="person:invite_withdraw").count() == 1


def test_nobody_joins_a_tenant_that_was_off_boarded(world):
    administrator, manager = world.people["administrator"], world.people["manager"]
    tenant_changes.start_change(
        manager.tenant, "off_board", actor=administrator, reason="the contract ended", typed=manager.tenant.slug
    )
    with pytest.raises(InvalidInput, match="off-boarded"):
        people.invite("new@northwind.example", Role.MANAGER, tenant=manager.tenant, actor=administrator)
    manager.refresh_from_db()
    with pytest.raises(Conflict, match="off-boarded"):
        people.activate(manager, actor=administrator)
    assert not User.objects.get(pk=manager.pk).is_active and not Invitation.objects.filter(revoked_at=None).exists()


def test_nothing_is_offered_to_who_left_since_the_form_was_read(world):
    secret = world.create().secrets.get()
    member, operator = world.people["developer"], world.people["operator"]
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert member.is_active, "as the form knew them"
    with pytest.raises(Conflict, match="was deactivated at this moment"):
        handovers.offer_to_member(secret, member, hours=24, actor=operator)
    Tenant.objects.filter(pk=member.tenant_id).update(status="off_boarded")
    with pytest.raises(Conflict, match="was off-boarded"):
        handovers.offer_by_link(secret, hours=24, with_pin=True, actor=operator)
    assert not Handover.objects.exists()
