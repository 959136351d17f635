"""The pages of a pool's domain for people, and the code they leave with. Rules: `portal/sandbox/hosted_ui.py`."""

import base64
import hashlib
import json
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests

from tests.single_sign_on import PASSWORD, Pool, send_form

CALLBACK = "http://localhost:8000/account/single-sign-on/callback/"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Organisation(Pool):
    """The pool the portal's tests use, made with this kit."""

    def __init__(self, kit):
        kit.aws = kit.client
        super().__init__(kit, "http://localhost:8000")
        self.metadata = requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=10).json()

    def asking(self, **changes):
        asked = {
            "client_id": self.app_client["ClientId"], "redirect_uri": CALLBACK, "response_type": "code",
            "scope": "openid email", "state": "a state", "nonce": "n", "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        } | changes  # fmt: skip
        return f"{self.metadata['authorization_endpoint']}?{urlencode({n: v for n, v in asked.items() if v})}"

    def code(self, **changes):
        back = self.answer(self.asking(**changes))
        assert back.startswith(CALLBACK) and parse_qs(urlsplit(back).query)["state"] == ["a state"]
        return parse_qs(urlsplit(back).query)["code"][0]

    def redeem(self, code, **changes):
        """(status, document) of the token endpoint."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
            "client_id": self.app_client["ClientId"], "client_secret": self.app_client["ClientSecret"],
        } | changes  # fmt: skip
        answer = requests.post(self.metadata["token_endpoint"], {n: v for n, v in form.items() if v}, timeout=10)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def staff(sandbox):
    made = Organisation(sandbox)
    made.subject = made.add("ada@portal.example")
    return made


def test_code_becomes_an_id_token_signed_by_the_pools_key(staff):
    status, document = staff.redeem(staff.code())
    assert status == 200
    keys = jwt.PyJWKSet.from_dict(requests.get(staff.metadata["jwks_uri"], timeout=10).json())
    key = keys[jwt.get_unverified_header(document["id_token"])["kid"]]
    claims = jwt.decode(document["id_token"], key, ["RS256"], audience=staff.app_client["ClientId"])
    assert claims["iss"] == staff.metadata["issuer"] and claims["token_use"] == "id" and claims["nonce"] == "n"
    assert (claims["sub"], claims["email"], claims["email_verified"]) == (staff.subject, "ada@portal.example", True)


@pytest.mark.parametrize(("given", "said"), [("true", True), ("false", False), ("", False)])
def test_id_token_says_verified_only_if_it_is(staff, given, said):
    login = f"who-{given or 'unsaid'}"
    staff.add(f"{login}@portal.example", login=login, verified=given)
    code = parse_qs(urlsplit(staff.answer(staff.asking(), login)).query)["code"][0]
    told = jwt.decode(staff.redeem(code)[1]["id_token"], options={"verify_signature": False})
    assert told["email_verified"] is said


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"redirect_uri": CALLBACK[:-1]}, "invalid_grant"), ({"code_verifier": "w" * 50}, "invalid_grant"),
     ({"code_verifier": ""}, "invalid_grant"), ({"client_secret": "wrong"}, "invalid_client"),
     ({"code": "another"}, "invalid_grant"), ({"client_id": "unknown"}, "invalid_client")],
    ids=str,
)  # fmt: skip
def test_code_is_bound_to_its_sign_in(staff, changes, error):
    status, document = staff.redeem(**{"code": staff.code()} | changes)
    assert (status, document["error"]) == (400, error)


def test_code_is_good_once(staff):
    code = staff.code()
    assert staff.redeem(code)[0] == 200
    assert staff.redeem(code)[1]["error"] == "invalid_grant"


def test_code_of_another_client_is_refused(staff):
    other = staff.add_client(ClientName="other")
    answer = staff.redeem(staff.code(), client_id=other["ClientId"], client_secret=other["ClientSecret"])
    assert answer[1]["error"] == "invalid_grant"


def test_wrong_password_keeps_the_form_and_gives_no_code(staff):
    page = requests.get(staff.asking(), timeout=10)
    answer = send_form(staff.asking(), page.text, username="staff", password="wrong")
    assert answer.status_code == 200 and "Incorrect username or password" in answer.text
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("changes", [{"redirect_uri": "https://evil.example/"}, {"redirect_uri": ""},
                                     {"client_id": "unknown"}, {"client_id": ""}], ids=str)  # fmt: skip
def test_nobody_is_sent_to_an_address_that_is_not_the_clients(staff, changes):
    answer = requests.get(staff.asking(**changes), timeout=10, allow_redirects=False)
    assert answer.status_code == 400 and "Location" not in answer.headers
    page = requests.get(staff.asking(), timeout=10)
    sent = send_form(staff.asking(), page.text, username="staff", password=PASSWORD, **changes)
    assert sent.status_code == 400 and "Location" not in sent.headers


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"code_challenge_method": "plain"}, "invalid_request"), ({"scope": "openid phone"}, "invalid_request")],
    ids=str,
)  # fmt: skip
def test_other_mistakes_go_back_to_the_client(staff, changes, error):
    answer = requests.get(staff.asking(**changes), timeout=10, allow_redirects=False)
    assert answer.status_code == 302 and answer.headers["Location"].startswith(f"{CALLBACK}?error={error}")


def flow_flag_off(staff):
    other = staff.add_client(ClientName="off", AllowedOAuthFlowsUserPoolClient=False)
    asked = staff.asking(client_id=other["ClientId"])
    answer = requests.get(asked, timeout=10, allow_redirects=False)
    assert answer.headers["Location"] == f"{CALLBACK}?error=unauthorized_client&state=a+state"


def pages_without_a_domain(staff):
    for path in ("/oauth2/authorize", "/login"):
        asked = urlsplit(staff.asking())._replace(path=path).geturl()
        assert requests.request("POST" if path == "/login" else "GET", asked, timeout=10).status_code == 404


def client_of_another_pool(staff):
    asked = urlsplit(staff.asking())._replace(path=f"/_domain/{staff.stranger}/oauth2/authorize").geturl()
    assert requests.get(asked, timeout=10).status_code == 400


def endpoint_of_the_domain(staff):
    assert staff.metadata["authorization_endpoint"] == f"{staff.endpoint}/_domain/{staff.domain}/oauth2/authorize"


RULES = [flow_flag_off, pages_without_a_domain, client_of_another_pool, endpoint_of_the_domain]
TABLE = pytest.mark.parametrize("probe", RULES, ids=lambda probe: probe.__name__)


def with_stranger(kit):
    made, made_too = Organisation(kit), kit.pool()
    made.stranger = made_too.domain
    return made


@TABLE
def test_rule_on_the_sandbox(sandbox, probe):
    probe(with_stranger(sandbox))


@TABLE
def test_rule_missing_from_plain_ministack(plain_ministack, probe):
    with pytest.raises((AssertionError, KeyError)):
        probe(with_stranger(plain_ministack))


def test_page_of_another_origin_is_refused_here_too(staff):
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        assert requests.get(staff.asking(), headers={"Origin": origin}, timeout=10).status_code == 403
    own = requests.get(f"{staff.endpoint}/_sandbox/calls", headers={"Origin": staff.endpoint}, timeout=10)
    assert own.status_code == 403, "only where people sign in"


def test_no_page_after_the_domain_is_gone(sandbox):
    made = Organisation(sandbox)
    made.cognito.delete_user_pool_domain(UserPoolId=made.id, Domain=made.domain)
    assert requests.get(made.asking(), timeout=10).status_code == 404
    found = json.loads(requests.get(f"{made.issuer}/.well-known/openid-configuration", timeout=10).text)
    assert "authorization_endpoint" not in found
