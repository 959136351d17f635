"""System checks of `manage.py check --deploy`: what production must never start with."""

import base64
import binascii
import ipaddress
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from clients.aws.sessions import default_region
from clients.sealing import KMS_NAME

DEMO_DOMAIN = ".example"  # reserved by RFC 2606: nobody's real address ends so
KEY_BYTES = 32
SHORTEST_SECRET_KEY = 50


@register(Tags.security, deploy=True)
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every wrong setting in one run, so that nobody meets them one restart at a time."""
    return [*_secret_key(), *_switches(), *_keys("SEALING_KEYS"), *_keys("FINGERPRINT_KEYS"), *_addresses(), *_mail()]


@register(Tags.security)
def check_single_sign_on(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Everywhere, not only in production: half a configuration is a mistake, and would look like none at all."""
    return [*_provider(), *_role_map()]


@register(Tags.security, deploy=True)
def check_no_demo_accounts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    from clients.models import User

    try:
        demo = User.objects.filter(email__iendswith=DEMO_DOMAIN).count()
    except (DatabaseError, ImproperlyConfigured):
        # Also run where there is no database yet, for example while an image is built.
        return [
            Info("DATABASE_URL: no answer from this database, so demo accounts were not looked for.", id="clients.I001")
        ]
    if not demo:
        return []
    return [
        Error(
            f"DATABASE_URL names a database with {demo} demo account(s), ending in {DEMO_DOMAIN}: their passwords"
            " stand in a file.",
            hint="Use a database of its own for production; never one that `make demo` has filled.",
            id="clients.E009",
        )
    ]


@register(Tags.security, deploy=True)
def check_keys_open_what_is_sealed(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Wrong or missing keys would be noticed by the first customer who is to be shown a secret."""
    from clients.services import keys

    try:
        found = keys.unusable()
    except (DatabaseError, ImproperlyConfigured):  # no database yet, or what is wrong is said by other checks
        return []
    return [Error(sentence, id="clients.E018") for sentence in found]


def _secret_key() -> Iterator[CheckMessage]:
    try:
        length = len(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django refuses to hand out an empty one
        length = 0
    if length < SHORTEST_SECRET_KEY:
        yield Error(
            f"SECRET_KEY has {length} characters: it needs at least {SHORTEST_SECRET_KEY} random ones.",
            id="clients.E001",
        )


def _switches() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield Error("DEBUG is on: error pages would show settings and requests. Unset it.", id="clients.E002")
    if settings.DEMO:
        yield Error("PORTAL_DEMO is on: cookies would travel over http. Unset it.", id="clients.E003")
    if settings.CRASH_AT:
        yield Error("PORTAL_CRASH_AT is set: the process would kill itself at that point. Unset it.", id="clients.E010")
    if settings.TRUSTED_PROXIES < 0:
        yield Error("PORTAL_TRUSTED_PROXIES is below 0: give the number of your proxies, or 0.", id="clients.E011")
    if not settings.REQUIRE_SECOND_FACTOR:
        yield Error(
            "PORTAL_REQUIRE_SECOND_FACTOR is off: staff would sign in with a password alone. Unset it.",
            id="clients.E013",
        )
    for variable, value, most in (
        ("PORTAL_SESSION_HOURS", settings.SESSION_HOURS, 24),
        ("PORTAL_SESSION_IDLE_MINUTES", settings.SESSION_IDLE_MINUTES, 480),
    ):
        if not 1 <= value <= most:
            yield Error(f"{variable} is {value}: choose 1 to {most}.", id="clients.E014")
    if not settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS is empty: name the host people use, such as portal.example.com.", id="clients.E004")
    elif "*" in settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS contains *: name the hosts people use; mails link to them.", id="clients.E004")


def _provider() -> Iterator[CheckMessage]:
    missing = [f"PORTAL_OIDC_{name}" for name, value in settings.OIDC.items() if not value]
    if missing and len(missing) < len(settings.OIDC):
        together = "PORTAL_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET and _NAME stand together"
        yield Error(f"{missing[0]} is missing: {together}. Set it, or unset them all.", id="clients.E015")
    if len(settings.OIDC["ISSUER"]) > 200:
        yield Error("PORTAL_OIDC_ISSUER is longer than 200 characters.", id="clients.E015")


def _role_map() -> Iterator[CheckMessage]:
    from clients.services.single_sign_on import STAFF_ROLES, role_map

    if bool(settings.OIDC_ROLE_CLAIM) != bool(settings.OIDC_ROLE_MAP):
        missing, given = ("CLAIM", "MAP") if settings.OIDC_ROLE_MAP else ("MAP", "CLAIM")
        yield Error(
            f"PORTAL_OIDC_ROLE_{missing} is missing: PORTAL_OIDC_ROLE_{given} means nothing without it.",
            id="clients.E016",
        )
    for number, (group, role) in enumerate(role_map(), start=1):
        if not group or role not in STAFF_ROLES:
            yield Error(
                f"PORTAL_OIDC_ROLE_MAP: part {number} is not group=role with a role of staff:"
                f" {', '.join(STAFF_ROLES)}.",
                id="clients.E016",
            )


def _keys(variable: str) -> Iterator[CheckMessage]:
    """`id:base64` of 32 bytes, several separated by commas, ids distinct. The message never repeats the value."""
    entries = [entry.strip() for entry in getattr(settings, variable).split(",") if entry.strip()]
    if not entries:
        yield Error(f"{variable} is missing: set it to id:base64 of {KEY_BYTES} random bytes.", id="clients.E005")
    seen = set()
    for number, entry in enumerate(entries, start=1):
        key_id, _, encoded = entry.partition(":")
        is_kms = variable == "SEALING_KEYS" and KMS_NAME.fullmatch(encoded.removeprefix("kms:")) is not None
        if not key_id or not (is_kms or _is_key(encoded)):
            or_kms = ", nor id:kms:<id, alias or ARN>" if variable == "SEALING_KEYS" else ""
            said = f"{variable}: entry {number} is not id:base64 of {KEY_BYTES} bytes{or_kms}."
            yield Error(said, id="clients.E006")
        elif key_id in seen:
            yield Error(
                f"{variable}: entry {number} repeats the id {key_id}; give each key its own.", id="clients.E006"
            )
        seen.add(key_id)


def _is_key(encoded: str) -> bool:
    try:
        return len(base64.b64decode(encoded, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _addresses() -> Iterator[CheckMessage]:
    for entry in settings.OUTBOUND_HOSTS:
        if "." not in entry.strip(".") or entry.replace(".", "").isdigit():
            said = f"PORTAL_OUTBOUND_HOSTS: {entry or 'an empty entry'} is no host of the internet. Name it whole."
            yield Error(said, id="clients.E017")
    yield from _public_https("PORTAL_BASE_URL", settings.BASE_URL, "clients.E007")
    if settings.OIDC["ISSUER"]:
        yield from _public_https("PORTAL_OIDC_ISSUER", settings.OIDC["ISSUER"], "clients.E015")
    # boto3 reads these itself, one for all services and one for each. A production that talks to a sandbox, or to
    # anybody's http endpoint, would hand its secrets to it.
    for name in sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL") and os.environ[name]):
        yield from _public_https(name, os.environ[name], "clients.E008")


def _mail() -> Iterator[CheckMessage]:
    """Links that let people in travel by mail: through a provider, or to a server, and encrypted unless that is this
    very machine's own."""
    if settings.MAIL_PROVIDER:
        yield from _mail_provider()
    elif settings.EMAIL_BACKEND != "django.core.mail.backends.smtp.EmailBackend" or not settings.EMAIL_HOST:
        yield Error(
            "EMAIL_URL names no mail server and PORTAL_MAIL_PROVIDER no provider: nobody could be sent a link. Set"
            " PORTAL_MAIL_PROVIDER, to amazon_ses for example, or EMAIL_URL to smtp+tls://user:password@host:587.",
            id="clients.E012",
        )
    elif not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL or _is_loopback(settings.EMAIL_HOST)):
        yield Error(
            "EMAIL_URL sends mail unencrypted: begin it with smtp+tls:// (STARTTLS) or smtp+ssl://.", id="clients.E012"
        )


def _mail_provider() -> Iterator[CheckMessage]:
    """The message never repeats a value: a key may have been put into the wrong variable."""
    provider = settings.MAIL_PROVIDER
    if provider not in settings.MAIL_PROVIDERS:
        known = ", ".join(settings.MAIL_PROVIDERS)
        yield Error(f"PORTAL_MAIL_PROVIDER is not a provider the portal knows: {known}.", id="clients.E012")
        return
    if not settings.EMAIL_BACKEND.startswith("anymail."):
        yield Error(
            "PORTAL_MAIL_PROVIDER and EMAIL_URL both say where mail goes: unset one of them.", id="clients.E012"
        )
    if provider == "amazon_ses":
        if not default_region():
            yield Error("AWS_DEFAULT_REGION is missing: set it to the Region in which SES sends.", id="clients.E012")
    elif len(settings.MAIL_KEY.split()) != 1:
        yield Error(
            f"PORTAL_MAIL_KEY is missing or no single word: set it to the key {provider} gave you to send with.",
            id="clients.E012",
        )
    if settings.MAIL_API_URL:
        yield from _public_https("PORTAL_MAIL_API_URL", settings.MAIL_API_URL, "clients.E012")


def _public_https(variable: str, url: str, check_id: str) -> Iterator[CheckMessage]:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        yield Error(f"{variable} is not an https address.", id=check_id)
    elif _is_loopback(parts.hostname):
        yield Error(f"{variable} points at this very machine ({parts.hostname}).", id=check_id)


def _is_loopback(host: str) -> bool:
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified
