"""Whom single sign-on makes or changes: invited people, roles that are mapped, and their second factor."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clients.errors import AuditUnavailable, Conflict
from clients.models import AuditEntry, Invitation, Role, Secret, User
from clients.services import audit, people, single_sign_on
from clients.services.single_sign_on import NotAdmitted
from tests.single_sign_on import OPERATOR, begin, come, is_refused, told, who
from tests.support import PASSWORD
from tests.views.test_second_factor import INDEX, code, enrol


@pytest.fixture(autouse=True)
def fresh_cache(db):
    """What the library notes of tokens and tries."""
    cache.clear()


# --- Invitations -------------------------------------------------------------------------------------


def test_open_invitation_of_staff_is_accepted_once(staff_pool, world):
    token = people.invite("Nora@portal.example", Role.SUPPORT, actor=world.people["administrator"])
    subject = staff_pool.add("nora@portal.example", name="Nora")
    client, answer = come(staff_pool)
    nora = User.objects.get(email="nora@portal.example")
    assert answer.status_code == 302 and who(client) == nora
    assert (nora.role, nora.name, nora.has_usable_password()) == (Role.SUPPORT, "Nora", False)
    assert nora.emailaddress_set.get().verified and Invitation.objects.get().accepted_at
    assert SocialAccount.objects.get().uid == subject
    acts = list(AuditEntry.objects.filter(actor=nora).order_by("sequence").values_list("action", flat=True))
    assert acts[:3] == ["person:accept", "person:link", "person:sign_in"]
    assert AuditEntry.objects.get(action="person:accept").detail == {"role": "support"}
    with pytest.raises(Conflict, match="was used"):
        people.accept_invitation(token, name="Somebody", password=PASSWORD)


@pytest.mark.parametrize("case", ["expired", "withdrawn", "of a tenant"])
def test_invitation_that_is_not_open_or_not_of_staff_makes_nobody(staff_pool, world, case):
    admin, tenant = world.people["administrator"], world.tenants["northwind"]
    role = Role.DEVELOPER if case == "of a tenant" else Role.SUPPORT
    people.invite("nora@portal.example", role, tenant=tenant if role == Role.DEVELOPER else None, actor=admin)
    if case == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    if case == "withdrawn":
        people.withdraw_invitation(Invitation.objects.get(), actor=admin)
    staff_pool.add("nora@portal.example")
    assert is_refused(*come(staff_pool), "You have no account here")
    assert not User.objects.filter(email="nora@portal.example").exists()
    assert Invitation.objects.get().accepted_at is None


def test_unverified_address_does_not_accept_an_invitation(staff_pool, world):
    people.invite("nora@portal.example", Role.ADMINISTRATOR, actor=world.people["administrator"])
    staff_pool.add("nora@portal.example", verified="false")
    assert is_refused(*come(staff_pool), "Your address is not verified")
    assert Invitation.objects.get().accepted_at is None


def test_what_the_trail_does_not_take_is_not_done(staff_pool, world, monkeypatch):
    people.invite("nora@portal.example", Role.SUPPORT, actor=world.people["administrator"])
    staff_pool.add("nora@portal.example")

    def full(*arguments, **options):
        raise AuditUnavailable

    monkeypatch.setattr(audit, "_keep_origin", full)
    client = Client()
    answer = client.get(staff_pool.answer(begin(client)))
    assert answer.status_code == 503 and who(client) is None
    assert not SocialAccount.objects.exists() and not User.objects.filter(email="nora@portal.example").exists()
    assert Invitation.objects.get().accepted_at is None


# --- The service ---------------------------------------------------------------------------------------


def test_connect_refuses_a_sub_that_is_somebody_elses_and_a_second_one(world):
    operator, support = world.people["operator"], world.people["support"]
    single_sign_on.connect(operator, "p", "one")
    for who_else, subject in ((support, "one"), (operator, "two")):
        with pytest.raises(NotAdmitted):
            single_sign_on.connect(who_else, "p", subject)
    assert SocialAccount.objects.get().user == operator
    assert AuditEntry.objects.filter(action="person:link").count() == 1


# --- Roles ---------------------------------------------------------------------------------------------


@pytest.fixture
def mapped(settings):
    settings.OIDC_ROLE_CLAIM = "cognito:groups"
    settings.OIDC_ROLE_MAP = "portal-admins=administrator, portal-auditors=auditor,all=developer"


def test_role_never_comes_from_a_claim_that_is_not_mapped(elsewhere):
    told(elsewhere, role="administrator", groups=["administrator"], **{"cognito:groups": ["portal-admins"]})
    assert User.objects.get(email=OPERATOR).role == Role.OPERATOR


def test_mapped_group_sets_the_role_with_audit_and_ends_other_sessions(staff_pool, world, mapped):
    staff_pool.add(OPERATOR)
    before = Client()
    before.force_login(world.people["operator"])
    staff_pool.add_to_group("portal-auditors")
    client, _ = come(staff_pool)
    assert User.objects.get(email=OPERATOR).role == Role.AUDITOR and client.get("/").status_code == 200
    assert before.get("/").status_code == 302
    entry = AuditEntry.objects.get(action="person:change_role")
    assert (entry.actor, entry.via) == (None, "single sign-on")
    assert entry.detail["after"] == {"role": "auditor"} and entry.detail["person"] == world.people["operator"].pk
    come(staff_pool)
    assert AuditEntry.objects.filter(action="person:change_role").count() == 1


@pytest.mark.parametrize(
    ("groups", "role"),
    [(["portal-auditors", "portal-admins"], Role.ADMINISTRATOR), ("portal-auditors", Role.AUDITOR), ([], Role.OPERATOR),
     (["all"], Role.OPERATOR), (["unknown"], Role.OPERATOR), ({"portal-admins": 1}, Role.OPERATOR), (7, Role.OPERATOR)],
)  # fmt: skip
def test_first_group_of_the_map_counts_and_no_group_changes_nothing(elsewhere, mapped, groups, role):
    told(elsewhere, **{"cognito:groups": groups})
    assert User.objects.get(email=OPERATOR).role == role


def test_last_administrator_stays_one_and_comes_in(elsewhere, world, mapped):
    admin = world.people["administrator"]
    client, _ = told(elsewhere, email=admin.email, **{"cognito:groups": ["portal-auditors"]})
    assert who(client) == admin and User.objects.get(pk=admin.pk).role == Role.ADMINISTRATOR
    assert not AuditEntry.objects.filter(action="person:change_role").exists()


# --- The second factor ---------------------------------------------------------------------------------


@pytest.fixture
def without_password(world):
    operator = world.people["operator"]
    operator.set_unusable_password()
    operator.save()
    return operator


@pytest.mark.parametrize("is_second_factor", [False, True])
def test_provider_counts_as_second_factor_only_if_settings_say_so(staff_pool, settings, is_second_factor):
    settings.REQUIRE_SECOND_FACTOR, settings.OIDC_IS_SECOND_FACTOR = True, is_second_factor
    staff_pool.add(OPERATOR)
    client, _ = come(staff_pool)
    answer = client.get("/clients/")
    assert answer.status_code == 200 if is_second_factor else answer["Location"] == INDEX
    by_password = Client()
    by_password.post("/account/login/", {"login": OPERATOR, "password": PASSWORD})
    assert by_password.get("/clients/")["Location"] == INDEX


def test_enrolled_second_factor_is_asked_for_after_single_sign_on_too(staff_pool, world):
    staff_pool.add(OPERATOR)
    first = Client()
    first.post("/account/login/", {"login": OPERATOR, "password": PASSWORD})
    first.get(f"{INDEX}totp/activate/")
    first.post(f"{INDEX}totp/activate/", {"confirm_password": PASSWORD, "confirm_opening": "1"})
    secret = enrol(first)
    cache.clear()
    client, answer = come(staff_pool)
    assert answer["Location"].startswith(f"{INDEX}authenticate/") and client.get("/").status_code == 302
    assert all("eyJ" not in str(session.get_decoded()) for session in Session.objects.all()), "no token waits"
    assert client.post(f"{INDEX}authenticate/", {"code": code(secret)}).status_code == 302
    assert client.get("/").status_code == 200 and who(client) == world.people["operator"]


def test_risky_act_is_not_confirmed_by_single_sign_on(staff_pool, without_password, app_client, settings):
    settings.OIDC_IS_SECOND_FACTOR = True
    staff_pool.add(OPERATOR)
    client, _ = come(staff_pool)
    show = reverse("secret-show", args=[app_client.public_id, app_client.secrets.get().public_id])
    assert client.post(show).status_code == 403 and Secret.objects.get().sealed_value


def test_first_factor_is_enrolled_right_after_single_sign_on_and_not_later(staff_pool, without_password, settings):
    settings.REQUIRE_SECOND_FACTOR = True
    staff_pool.add(OPERATOR)
    client, _ = come(staff_pool)
    session = client.session
    records = session["account_authentication_methods"]
    session["account_authentication_methods"] = [record | {"at": record["at"] - 601} for record in records]
    session.save()
    for page in ("totp/activate/", "passkeys/add/"):
        assert client.get(INDEX + page).status_code == 403
    client, _ = come(staff_pool)
    assert client.get(f"{INDEX}passkeys/add/").status_code == 200
    enrol(client)
    assert Authenticator.objects.filter(user=without_password, type="totp").exists()
    assert client.get("/clients/").status_code == 200


def test_second_factor_is_not_added_to_one_that_is_there(staff_pool, without_password):
    """Nor to a password: with either there is something to confirm with."""
    staff_pool.add(OPERATOR)
    enrol(come(staff_pool)[0])
    Session.objects.all().delete()
    plain = Client()
    plain.force_login(without_password)
    assert "Confirm that it is you" in plain.get(f"{INDEX}passkeys/add/").content.decode()
