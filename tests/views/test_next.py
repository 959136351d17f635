"""Wherever a request may say where to go next, nobody is led off the site: each step of the way is read as browsers do."""

import json
import re
from urllib.parse import quote, urljoin, urlsplit

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.core.exceptions import DisallowedRedirect
from django.http import HttpResponseRedirect
from django.test import Client
from fido2.cose import ES256
from fido2.utils import sha256, websafe_decode, websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from clients.models import Role, User
from tests.support import PASSWORD
from tests.views.forms import form_of
from tests.views.test_permissions import TABLE
from tests.views.test_second_factor import code

HOST = "testserver"
SIGN_IN, FACTOR, PASSKEY = (
    "/account/login/",
    "/account/second-factor/authenticate/",
    "/account/second-factor/passkeys/login/",
)
# A browser that is sent to one of these ends elsewhere.
HOSTILE = [
    "//evil.example", "///evil.example", "////evil.example/x", "/\\evil.example", "\\\\evil.example", "/\\/evil.example",
    "https:evil.example", "https:/evil.example", "https:///evil.example", "http:///evil.example", "https:\\\\evil.example",
    "https://evil.example/", "HTTPS://EVIL.EXAMPLE/", "http://evil.example\\testserver", "http:\\/evil.example",
    "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", " //evil.example", "\x01//evil.example", "\x00//evil.example",
    "ht\ttps://evil.example", "https:\n//evil.example", "//testserver@evil.example", "http://testserver:80@evil.example/",
    "//evil.example\\@testserver/", "https://testserver.evil.example/", "//testserver:8080/", "//evil\u3002example",
    "//\u24d4vil.example", "//t\u0435stserver/", "//[::1]/", "//2130706433/", "javascript:alert(1)", "java\nscript:alert(1)",
    "\x01JaVaScript:alert(1)", "javascript://testserver/%0aalert(1)", "data:text/html,<script>1</script>", "ftp://testserver/",
]  # fmt: skip
# These stay, or may; they could split a header, end in a host once decoded again, or break what reads them.
ODD = [
    "%2f%2fevil.example", "/%2f%2fevil.example", "/%5cevil.example", "https%3a%2f%2fevil.example", "/%09/evil.example",
    "%0d%0aLocation:%20//evil.example", "/%0d%0aSet-Cookie:%20x=1", "/\r\nSet-Cookie: x=1", "/\u560a\u560dSet-Cookie:x=1",
    "\uff0f\uff0fevil.example", "/\uff0fevil.example", "/\u2028/evil.example", "@evil.example", ";//evil.example",
    "http:evil.example", "?next=//evil.example", "/account/login/?next=//evil.example", "/..//evil.example", "/%2e%2e//evil.example",
    "\x00", "/a\x00//evil.example", "account_login", "", "/" + "a" * 3_000, "//" + "e" * 3_000,
]  # fmt: skip
UNREADABLE = ["//[evil", "https://[evil.example/", "//]", "//evil\u2100example/"]


# --- A browser -----------------------------------------------------------------------------------------


def goes_to(location, base=f"http://{HOST}/"):
    """Where a browser that got this Location goes (WHATWG URL): it drops what cannot be seen, takes a backslash for a
    slash, and any number of them for two."""
    text = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33)))))
    before, mark, behind = re.match(r"([^?#]*)([?#]?)(.*)", text, re.DOTALL).groups()
    scheme, _, rest = before.partition(":") if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", before) else ("", "", before)
    scheme, rest = scheme.lower(), rest.replace("\\", "/")
    if scheme and scheme not in ("http", "https"):
        return f"{scheme}:"
    if rest.startswith("//") or scheme == "https":
        rest = f"{scheme or 'http'}://{rest.lstrip('/')}"
    return urljoin(base, rest + mark + behind)


def leaves(location):
    try:
        end = urlsplit(goes_to(location))
        return (end.scheme, end.netloc) != ("http", HOST)
    except ValueError:  # no host anybody could name
        return True


def trail(browser, answer, walked):
    """Every place a browser is sent to, to the end; and what is wrong with it, if anything is. `walked`: places known
    to end well, which nobody has to walk again."""
    been = []
    while answer.has_header("Location") and answer["Location"] not in walked:
        been.append(answer["Location"])
        if leaves(been[-1]) or re.search(r"[\x00-\x20\x7f]", been[-1]) or len(been) > 6:
            return been, "leaves, is no header, or never ends"
        end = urlsplit(goes_to(been[-1]))
        answer = browser.get(end.path + (f"?{end.query}" if end.query else ""))
    if answer.status_code >= 500:
        return been, f"answers {answer.status_code}"
    walked.update(been)
    return been, ""


def asked(place, target):
    """The place, asked for what comes next in its query."""
    return f"{place}?next={quote(target, safe='')}"


def new_browser():
    return Client(raise_request_exception=False)


@pytest.fixture(autouse=True)
def nothing_counted(settings):
    """Hundreds of sign-ins, and nobody is to wait."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


@pytest.fixture
def person(db):
    return User.objects.create_user("ada@portal.example", PASSWORD, role=Role.SUPPORT, name="Ada")


@pytest.fixture
def signed_in(person):
    browser = new_browser()
    browser.force_login(person)
    return browser


def wrong(visit, targets=HOSTILE + ODD):
    """The targets that led somewhere they must not."""
    found, walked = {}, set()
    for target in targets:
        browser, answer = visit(target)
        been, problem = trail(browser, answer, walked)
        if problem:
            found[target[:60]] = problem, [location[:100] for location in been]
    return found


# --- Signing in and out --------------------------------------------------------------------------------------


@pytest.mark.asvs("1.2.2")
@pytest.mark.parametrize("where", ["query", "body"])
def test_next_of_a_sign_in_stays_here(person, where):
    def visit(target):
        browser, sent = new_browser(), {"login": person.email, "password": PASSWORD}
        body = {"next": target} if where == "body" else {}
        answer = browser.post(asked(SIGN_IN, target) if where == "query" else SIGN_IN, sent | body)
        assert answer.status_code >= 500 or "_auth_user_id" in browser.session, target
        return browser, answer

    assert wrong(visit, HOSTILE + ODD if where == "query" else HOSTILE[::2] + ODD[::2]) == {}


def test_next_of_the_sign_in_page_stays_here_as_the_page_itself_carries_it(person):
    """Opened by a link that somebody sent, filled in, sent as it stands."""

    def visit(target):
        browser = new_browser()
        sent = form_of(browser.get(asked(SIGN_IN, target)), SIGN_IN).data(login=person.email, password=PASSWORD)
        assert bool(target) == ("next" in sent)
        return browser, browser.post(SIGN_IN, sent)

    assert wrong(visit, HOSTILE[::3] + ODD[::3]) == {}


def test_next_of_somebody_signed_in_already_stays_here(signed_in):
    assert wrong(lambda target: (signed_in, signed_in.get(asked(SIGN_IN, target)))) == {}


@pytest.mark.parametrize("where", ["query", "body"])
def test_next_of_a_sign_out_stays_here(person, where):
    def visit(target):
        browser = new_browser()
        browser.force_login(person)
        place = "/account/logout/"
        answer = browser.post(asked(place, target)) if where == "query" else browser.post(place, {"next": target})
        assert answer.status_code >= 500 or "_auth_user_id" not in browser.session
        return browser, answer

    assert wrong(visit, HOSTILE if where == "query" else HOSTILE[1::2] + ODD[1::2]) == {}


def test_next_of_a_sign_out_by_nobody_stays_here(db):
    assert wrong(lambda target: (browser := new_browser(), browser.get(asked("/account/logout/", target)))) == {}


OPENED = {
    "sign-in": lambda person, target: new_browser().post(asked(SIGN_IN, target), {"login": person.email, "password": PASSWORD}),
    "sign-out": lambda person, target: new_browser().get(asked("/account/logout/", target)),
    "theme": lambda person, target: new_browser().post("/theme/", {"next": target}),
}  # fmt: skip


@pytest.mark.parametrize("place", OPENED)
def test_next_that_nobody_can_read_is_disregarded(person, place):
    """What no browser takes for an address is no reason for a mistake of ours."""
    answers = {target: OPENED[place](person, target) for target in UNREADABLE}

    assert {target: answer.status_code for target, answer in answers.items()} == dict.fromkeys(UNREADABLE, 302)
    assert not any(leaves(answer["Location"]) for answer in answers.values())


# --- The second factor ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["sign-in", "query", "body"])
def test_next_of_a_second_factor_stays_here(person, where):
    """Named with the password, or only beside the code."""
    secret = generate_totp_secret()
    TOTP.activate(person, secret)

    def visit(target):
        browser, sent = new_browser(), {"login": person.email, "password": PASSWORD}
        browser.post(SIGN_IN, sent | ({"next": target} if where == "sign-in" else {}))
        body = {"next": target} if where == "body" else {}
        for _ in range(2):  # the app may show the next code just now
            answer = browser.post(asked(FACTOR, target) if where == "query" else FACTOR, body | {"code": code(secret)})
            if answer.status_code != 200:
                break
        assert answer.status_code >= 500 or "_auth_user_id" in browser.session, target
        return browser, answer

    assert wrong(visit, HOSTILE[::4]) == {}  # all of them stand at the sign-in, by the same way


class Passkey:
    """A device that answers as a browser passes it on."""

    def __init__(self, user):
        self.key, self.id, self.user = ec.generate_private_key(ec.SECP256R1()), b"a passkey of ours", user
        data = AttestedCredentialData.create(b"\0" * 16, self.id, ES256.from_cryptography_key(self.key.public_key()))
        told = {"attestationObject": AttestationObject.create("none", self._data(0x45, data), {})}
        credential = self._answer("webauthn.create", b"0" * 32, told)
        Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key", "credential": credential})

    def _data(self, flags, *credential):
        return AuthenticatorData.create(sha256(HOST.encode()), flags, 0, *credential)

    def _answer(self, act, challenge, told, client_data=None):
        client_data = client_data or CollectedClientData.create(act, challenge, f"http://{HOST}")
        told = {name: websafe_encode(bytes(value)) for name, value in told.items()}
        told["clientDataJSON"] = websafe_encode(bytes(client_data))
        own = websafe_encode(self.id)
        return {"id": own, "rawId": own, "type": "public-key", "clientExtensionResults": {}, "response": told}

    def answer(self, challenge):
        client_data = CollectedClientData.create("webauthn.get", challenge, f"http://{HOST}")
        data = self._data(0x05)
        signature = self.key.sign(bytes(data) + client_data.hash, ec.ECDSA(SHA256()))
        handle = get_adapter().get_public_key_credential_user_entity(self.user)["id"]
        told = {"authenticatorData": data, "signature": signature, "userHandle": handle}
        return json.dumps(self._answer("webauthn.get", challenge, told, client_data))


@pytest.mark.parametrize("where", ["query", "body"])
def test_next_of_a_passkey_stays_here(person, where):
    passkey = Passkey(person)

    def visit(target):
        browser = new_browser()
        options = browser.get(PASSKEY, headers={"accept": "application/json"}).json()["request_options"]
        body = {"credential": passkey.answer(websafe_decode(options["publicKey"]["challenge"]))}
        body |= {"next": target} if where == "body" else {}
        answer = browser.post(asked(PASSKEY, target) if where == "query" else PASSKEY, body)
        assert answer.status_code >= 500 or "_auth_user_id" in browser.session, target
        return browser, answer

    assert wrong(visit, HOSTILE[::4]) == {}  # all of them stand at the sign-in, by the same way


@pytest.mark.parametrize("opening", [True, False])
def test_next_of_a_step_up_stays_here(world, opening):
    """The form goes back to the very address it was opened at, whatever stands behind it."""
    operator, place = world.people["operator"], "/account/second-factor/totp/activate/"

    def visit(target):
        browser = new_browser()
        browser.force_login(operator)
        sent = {"confirm_password": PASSWORD, "next": target} | ({"confirm_opening": "1"} if opening else {})
        answer = browser.post(asked(place, target), sent)
        assert "Confirm that it is you" not in answer.content.decode() and (answer.status_code == 302) is opening
        return browser, answer

    assert wrong(visit, HOSTILE[::4]) == {}  # all of them stand at the sign-in, by the same way


# --- Everywhere else ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["query", "body"])
def test_next_of_a_theme_stays_here(db, where):
    def visit(target):
        browser = new_browser()
        place = "/theme/"
        return browser, browser.post(
            asked(place, target) if where == "query" else place, {"next": target, "theme": "dark"}
        )

    assert wrong(visit) == {}


NAMES = ("next", "back", "to", "url", "return", "return_to", "redirect", "redirect_to", "continue", "goto", "client")


@pytest.mark.parametrize("target", ["//evil.example/", "/\\evil.example", "https://evil.example/"])
def test_no_route_whatsoever_follows_what_it_is_told(world, client, app_client, address, target):
    """By any of the names sites use for it, in the query and in the body: a place nobody thought of is red here."""
    query, left = "&".join(f"{name}={quote(target, safe='')}" for name in NAMES), {}
    for row in TABLE:
        client.force_login(world.people["administrator"])
        body = dict.fromkeys(NAMES, target) if row["method"] == "POST" else None
        where = f"{address(row['route'])}?{query}"
        answer = client.post(where, body) if body else client.get(where)
        if leaves(answer.get("Location", "/")):
            left[row["route"], row["method"]] = answer["Location"]
    assert left == {}


@pytest.mark.parametrize(
    "path", ["//evil.example/", "//evil.example", "/\\evil.example/", "///evil.example/clients", "/;@evil.example/"]
)
@pytest.mark.parametrize("is_known", [True, False])
def test_path_that_looks_like_a_host_leads_nowhere(signed_in, path, is_known):
    """Redirects to the same address with a slash, or to the sign-in and back, are made of the path."""
    browser = signed_in if is_known else new_browser()
    for method in ("GET", "POST"):
        answer = browser.generic(method, "/", PATH_INFO=path)
        assert not leaves(answer.get("Location", "/"))


# --- Planted defects -------------------------------------------------------------------------------------------------


def test_at_least_thirty_targets_would_lead_away():
    assert [target for target in HOSTILE if not leaves(target)] == [] and len(set(HOSTILE)) >= 30


@pytest.mark.parametrize(
    "stays", ["/", "/clients/?q=//x", "clients/", "", "?a=b", "#x", f"http://{HOST}/clients/", "http:clients/", "/a//b"]
)
def test_reading_an_address_lets_the_sites_own_pass(stays):
    assert not leaves(stays)


def test_planted_redirect_to_wherever_it_is_told_is_found():
    """A view that goes where it is told; whatever Django's own answer refuses to carry cannot be planted."""

    def visit(target):
        try:
            return new_browser(), HttpResponseRedirect(target)
        except DisallowedRedirect:
            return new_browser(), HttpResponseRedirect("//evil.example")

    plain = {target for target in HOSTILE if target.startswith(("//", "http")) and not re.search(r"[\\\n]", target)}
    assert len(plain) > 15 and set(wrong(visit, HOSTILE)) >= plain
