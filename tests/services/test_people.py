"""Invitations: single use, expiring, for one role."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from clients.errors import Conflict, InvalidInput
from clients.models import Invitation, Role, User
from clients.services import people

GOOD = "a long enough passphrase"


def test_accept_invitation_makes_the_person(db):
    token = people.invite("Ada@Portal.Example", Role.ADMINISTRATOR, actor=None)
    person = people.accept_invitation(token, name="Ada", password=GOOD)
    assert (person.email, person.role) == ("ada@portal.example", Role.ADMINISTRATOR)
    assert person.emailaddress_set.get().verified
    assert token not in str(Invitation.objects.values())


@pytest.mark.asvs("6.4.1")
def test_accept_invitation_twice_is_refused(db):
    token = people.invite("a@portal.example", Role.SUPPORT, actor=None)
    people.accept_invitation(token, name="", password=GOOD)
    with pytest.raises(Conflict):
        people.accept_invitation(token, name="", password=GOOD)
    assert User.objects.count() == 1


@pytest.mark.asvs("6.4.1")
def test_accept_invitation_expired_is_refused(db):
    token = people.invite("a@portal.example", Role.SUPPORT, actor=None)
    Invitation.objects.update(expires_at=timezone.now())
    with pytest.raises(Conflict):
        people.accept_invitation(token, name="", password=GOOD)
    assert not User.objects.exists()


def test_accept_invitation_with_a_weak_password_keeps_it_open(db):
    token = people.invite("a@portal.example", Role.SUPPORT, actor=None)
    with pytest.raises(InvalidInput):
        people.accept_invitation(token, name="", password="password")
    assert people.accept_invitation(token, name="", password=GOOD).email == "a@portal.example"


def test_invite_manager_without_tenant_is_refused(db):
    with pytest.raises(InvalidInput):
        people.invite("a@portal.example", Role.MANAGER, actor=None)


def test_invite_command_prints_a_link_whose_token_stays_in_the_fragment(db, capsys):
    call_command("invite", "a@portal.example", "--role", "administrator")
    link = capsys.readouterr().out.strip()
    path, token = link.split("#")
    assert path.endswith("/invitation/") and people.accept_invitation(token, name="", password=GOOD)


def test_invite_command_refuses_an_unknown_role(db):
    with pytest.raises(CommandError, match="no role boss"):
        call_command("invite", "a@portal.example", "--role", "boss")
