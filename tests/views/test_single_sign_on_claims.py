"""Single sign-on through a provider that says what Cognito never would, or says it wrongly."""

import hmac
import json
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.cache import cache

from clients.models import Role, User
from tests.single_sign_on import BEGIN, CALLBACK, OPERATOR, begin, is_refused, told, who
from tests.support import PASSWORD


@pytest.fixture(autouse=True)
def fresh_cache(db):
    """What the library notes of tokens and tries."""
    cache.clear()


def test_another_provider_works_the_same(elsewhere, world):
    client, answer = told(elsewhere)
    assert answer.status_code == 302 and who(client) == world.people["operator"]
    assert "/userinfo" not in elsewhere.asked


@pytest.mark.parametrize("verified", ["true", "false", 1, None, [True]])
def test_verified_is_the_value_true_alone(elsewhere, verified):
    """The word "false" is not empty: the library takes it for a yes."""
    assert is_refused(*told(elsewhere, email_verified=verified), "Your address is not verified")
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("email", [None, "", 7, ["operator@portal.example"], "operator@portal.example\x00"])
def test_address_that_is_none_matches_nobody(elsewhere, email):
    client, answer = told(elsewhere, email=email)
    assert answer.status_code == 403 and who(client) is None and not SocialAccount.objects.exists()


def test_only_ascii_letters_lose_their_case(elsewhere, world):
    """`K` (the Kelvin sign) is a k in lower case, and somebody else's address."""
    User.objects.create_user("kim@portal.example", PASSWORD, role=Role.ADMINISTRATOR)
    assert "\u212aim@portal.example".lower() == "kim@portal.example"
    assert is_refused(*told(elsewhere, email="\u212aim@portal.example"), "You have no account here")


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"iss": "https://another.example"}, {"exp": 1}, {"azp": "another"}, {"sub": None}, {"sub": ""},
     {"sub": "x" * 192}, {"sub": "a\x00b"}, {"aud": None}, {"iss": None}],
    ids=str,
)  # fmt: skip
def test_token_that_is_not_for_us_is_refused(elsewhere, claims):
    assert is_refused(*told(elsewhere, **claims), "sign-in failed")
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("nonce", ["another", None, ""])
def test_token_of_another_sign_in_is_refused(elsewhere, nonce):
    assert is_refused(*told(elsewhere, nonce=nonce), "This sign-in was not finished")


@pytest.mark.asvs("9.1.1")
def test_token_with_a_foreign_signature_is_refused(elsewhere):
    """The library would not look: the token came from the provider directly."""
    elsewhere.key = rsa.generate_private_key(65537, 2048)
    assert is_refused(*told(elsewhere), "sign-in failed")


@pytest.mark.asvs("9.1.1", "9.1.2", "9.1.3")
@pytest.mark.parametrize("circumstance", ["none", "HS256", "RS512", "jwk", "jku"])
def test_token_that_brings_its_own_proof_is_refused(elsewhere, client, circumstance):
    """No signature, the published key as a shared secret, an algorithm that is not on our list though the key is theirs,
    a key in the token or at an address that it names."""
    back = elsewhere.sends_back(begin(client), email=OPERATOR, email_verified=True)
    claims = jwt.decode(elsewhere.token(), options={"verify_signature": False})
    own, headers = rsa.generate_private_key(65537, 2048), {"kid": "one"}
    spki = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if circumstance == "jwk":
        headers |= {"jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key()))}
    elif circumstance == "jku":
        headers |= {"jku": "http://127.0.0.1:9/jwks", "x5u": "http://127.0.0.1:9/key.pem"}
    forged = {
        "none": lambda: jwt.encode(claims, None, algorithm="none", headers=headers),
        "RS512": lambda: jwt.encode(claims, elsewhere.key, algorithm="RS512", headers=headers),
        "HS256": lambda: hmac_signed(claims, elsewhere.published.public_bytes(*spki), headers),
    }.get(circumstance, lambda: jwt.encode(claims, own, algorithm="RS256", headers=headers))()
    elsewhere.answer = {"access_token": "a", "token_type": "Bearer", "id_token": forged}

    assert is_refused(client, client.get(back), "sign-in failed")


def hmac_signed(claims, secret, headers):
    """By hand: the library refuses to do it."""
    said = [json.dumps({"alg": "HS256", "typ": "JWT"} | headers).encode(), json.dumps(claims).encode()]
    signed = b".".join(jwt.utils.base64url_encode(part) for part in said)
    return (signed + b"." + jwt.utils.base64url_encode(hmac.digest(secret, signed, "sha256"))).decode()


@pytest.mark.asvs("9.2.1")
@pytest.mark.parametrize("time_span", [{"exp": 1}, {"nbf": 2**33}, {"iat": 2**33}])
def test_token_outside_its_time_is_refused(elsewhere, time_span):
    assert is_refused(*told(elsewhere, **time_span), "sign-in failed")


@pytest.mark.parametrize(
    "answer",
    [{"access_token": "a"}, {"access_token": "a", "id_token": "no.token.atall"}, {"access_token": "a", "id_token": 7},
     {"error": "invalid_client"}],
    ids=str,
)  # fmt: skip
def test_answer_without_an_id_token_is_refused(elsewhere, answer):
    """Without one the library would ask userinfo and believe it."""
    elsewhere.answer = answer
    assert is_refused(*told(elsewhere), "sign-in failed")
    assert "/userinfo" not in elsewhere.asked


def test_provider_that_is_away_or_none_says_so(elsewhere, settings, client):
    del elsewhere.metadata["token_endpoint"]
    answers = [client.post(BEGIN)]
    settings.OIDC = settings.OIDC | {"ISSUER": "http://127.0.0.1:9"}
    answers.append(client.post(BEGIN))
    for answer in answers:
        assert answer.status_code == 503 and "cannot be reached" in answer.content.decode()


def test_provider_that_goes_away_midway_says_so(elsewhere, client, settings):
    back = elsewhere.sends_back(begin(client))
    elsewhere.metadata["token_endpoint"] = "http://127.0.0.1:9/token"
    assert is_refused(client, client.get(back), "sign-in failed")
    back = elsewhere.sends_back(begin(client))
    del elsewhere.metadata["jwks_uri"]
    assert is_refused(client, client.get(back), "cannot be reached")


def test_page_shows_nothing_the_provider_wrote(elsewhere, client, caplog):
    back = elsewhere.sends_back(begin(client))
    state = parse_qs(urlsplit(back).query)["state"][0]
    answer = client.get(
        CALLBACK, {"error": "invalid_scope<script>", "error_description": "words-of-theirs", "state": state}
    )
    page = answer.content.decode()
    assert "sign-in failed" in page and "words-of-theirs" not in page and "invalid_scope" not in page
    assert "invalid_scopescript" in caplog.text


def test_same_sub_at_another_issuer_is_somebody_else(elsewhere, world):
    told(elsewhere)
    SocialAccount.objects.update(provider="https://before.example")
    client, _ = told(elsewhere, email="support@portal.example")
    assert who(client) == world.people["support"]
