"""Checks of input that need no database: names, scopes, validity, claim names and attribute values."""

import re
import unicodedata
from typing import Any
from urllib.parse import urlsplit

from clients import limits

NAME_MAX = 97  # Cognito's 128 minus " op-" and the 26 characters of the tag
SHORTEST, LONGEST = 300, 86_400  # seconds: Cognito's window for access tokens, 5 minutes to 24 hours (section 1)
DOCUMENT_MAX_BYTES = 4_096
VALUE_MAX = 256
CLAIM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]{0,63}", re.ASCII)
USER_SCOPES = frozenset({"openid", "email", "profile", "phone", "aws.cognito.signin.user.admin"})
# Cognito does not let a trigger set these (cognito_facts section 5), and the portal keeps the registered ones free.
RESERVED_CLAIMS = frozenset(
    """
    sub client_id iss exp iat nbf jti origin_jti token_use version event_id auth_time acr amr azp nonce at_hash
    device_key username identities aud scope email email_verified phone_number phone_number_verified name given_name
    family_name middle_name nickname preferred_username profile picture website gender birthdate zoneinfo locale
    updated_at address
    """.split()  # noqa: SIM905  (a list of forty quoted words is harder to read)
)


def is_plain_line(text: str) -> bool:
    """No control characters and line breaks, nor what nobody sees: two names that look alike would be two names."""
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


def check_client_name(name: str) -> list[str]:
    if not name.strip():
        return ["Give the client a name."]
    if name != name.strip():
        return ["Remove the spaces at the beginning or end."]
    if len(name) > NAME_MAX:
        return [f"At most {NAME_MAX} characters; this name has {len(name)}."]
    if any(unicodedata.category(c) == "Cc" for c in name):
        return ["Keep the name on one line, without control characters."]
    strange = sorted({c for c in name if not limits.client_name().pattern.fullmatch(c)})
    if strange:
        return [f"Cognito does not accept {' '.join(strange)} in names. Use a to z, digits, spaces and + = , . @ - _"]
    return []


def check_validity(seconds: int) -> list[str]:
    if not SHORTEST <= seconds <= LONGEST:
        return ["An access token is valid for 5 minutes to 24 hours."]
    return []


def is_possible_scope(name: str) -> bool:
    """Made of what Cognito takes in a scope, however long."""
    return limits.scope().pattern.fullmatch(name) is not None


def check_scope_names(names: list[str]) -> list[str]:
    """Problems of the list itself; whether each scope exists in the pool is checked against our rows."""
    problems = [
        f"{name} is a scope for people signing in; a machine cannot have it." for name in names if name in USER_SCOPES
    ]
    longest = limits.scope().maximum
    problems += [
        f"{name[:60]}… is longer than {longest} characters with its resource server, so Cognito can never grant it."
        for name in names
        if len(name) > longest
    ]
    problems += [
        f"{name[:60]!a} is no scope: a scope has printable ASCII characters only."
        for name in names
        if name and len(name) <= longest and not is_possible_scope(name)
    ]
    if not names:
        problems.append(
            "Choose at least one scope: without one Cognito answers every token request with invalid_scope."
        )
    if len(names) > limits.scopes_per_client():
        problems.append(f"At most {limits.scopes_per_client()} scopes per client; {len(names)} are chosen.")
    return problems


def check_claim_name(name: str) -> list[str]:
    if name in RESERVED_CLAIMS or name.lower().startswith("cognito:") or name.startswith("custom:"):
        return [f"{name} is reserved: Cognito or the OAuth standard gives it a meaning. Choose another claim name."]
    if not CLAIM_NAME.fullmatch(name):
        return ["A claim name begins with a letter and has at most 64 letters, digits and _ . : / -"]
    return []


def check_choices(choices: list[str]) -> list[str]:
    if not choices:
        return ["Give at least one choice, each on a line of its own."]
    problems = [f"{choice} stands there twice." for choice in sorted({c for c in choices if choices.count(c) > 1})]
    for choice in choices:
        try:
            _text(choice)
        except ValueError as error:
            problems.append(f"{choice[:40]}: {error}")
    return problems


SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
SLUG_MAX = 40


def check_slug(slug: str) -> list[str]:
    """`new` is a page of the portal."""
    if len(slug) > SLUG_MAX or not SLUG.fullmatch(slug):
        return [f"Use a to z, digits and single hyphens between them, at most {SLUG_MAX} characters."]
    return [f"{slug} is a word of the portal itself. Choose another."] if slug == "new" else []


def clean_value(kind: str, raw: Any, choices: list[str]) -> Any:
    """The typed value of an attribute, from text as people give it. Raises ValueError with a sentence."""
    if kind == "choice":
        if raw not in choices:
            raise ValueError(f"Choose one of {', '.join(choices)}.")
        return raw
    return {"string": _text, "integer": _integer, "boolean": _boolean, "strings": _texts}[kind](raw)


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("Enter a text.")
    if len(raw) > VALUE_MAX:
        raise ValueError(f"At most {VALUE_MAX} characters; this has {len(raw)}.")
    if not is_plain_line(raw):
        raise ValueError("Control characters, line breaks and invisible ones do not belong in a token.")
    return raw


def _integer(raw: Any) -> int:
    if isinstance(raw, bool) or not re.fullmatch(r"-?[0-9]{1,15}", str(raw).strip(), re.ASCII):
        raise ValueError("Enter a whole number with at most 15 digits.")
    return int(raw)


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    known = {"true": True, "yes": True, "false": False, "no": False}
    if str(raw).strip().lower() not in known:
        raise ValueError("Choose yes or no.")
    return known[str(raw).strip().lower()]


def _texts(raw: Any) -> list[str]:
    parts = raw if isinstance(raw, list) else [part.strip() for part in str(raw).split(",")]
    if not parts or len(parts) > 50:
        raise ValueError("Enter 1 to 50 texts, separated by commas.")
    return [_text(part) for part in parts]


# --- Catalogue -----------------------------------------------------------------------------------


def check_server(identifier: str, name: str) -> dict[str, list[str]]:
    """Problems of `identifier` and `name` of a resource server (cognito_facts section 3)."""
    problems: dict[str, list[str]] = {"identifier": [], "name": []}
    limit = limits.server_identifier()
    if not limit.allows(identifier):
        problems["identifier"].append(
            f"1 to {limit.maximum} printable ASCII characters without spaces, quotes and backslashes, such as orders."
        )
    if not limits.server_name().allows(name) or not name.strip():
        problems["name"].append("Cognito takes a to z, digits, spaces and + = , . @ - _ in a resource server's name.")
    return problems


def check_new_scopes(identifier: str, scopes: dict[str, str]) -> list[str]:
    """Problems of scope names and descriptions, each naming its scope."""
    problems = []
    if len(scopes) > limits.scopes_per_server():
        problems.append(
            f"At most {limits.scopes_per_server()} scopes per resource server; this would be {len(scopes)}."
        )
    longest, limit = limits.scope().maximum, limits.scope_name()
    for name, description in scopes.items():
        if not limit.allows(name):
            problems.append(
                f"{name[:40] or 'A scope'}: use printable ASCII without spaces, slashes, quotes, backslashes."
            )
        elif len(identifier) + 1 + len(name) > longest:
            problems.append(
                f"{name[:40]}: with its resource server over {longest} characters, so nobody could hold it."
            )
        if not description.strip() or len(description) > limits.scope_description_length():
            problems.append(f"{name[:40]}: describe it in 1 to {limits.scope_description_length()} characters.")
        elif not is_plain_line(description):
            problems.append(f"{name[:40]}: keep its description on one line, without invisible characters.")
    return problems


def check_api_url(kind: str, url: str) -> list[str]:
    if kind == "none":
        return ["Choose what kind of API this address is."] if url else []
    parts = urlsplit(url)
    is_own_machine = parts.hostname in ("localhost", "127.0.0.1", "::1")
    schemes = ("https", "http") if is_own_machine else ("https",)  # kits would send tokens in the clear
    if parts.scheme not in schemes or not parts.hostname or any(c.isspace() for c in url):
        return ["Enter the whole address of the API, beginning with https://."]
    if "@" in parts.netloc:
        return ["Leave out user name and password: everybody who gets a kit would read them."]
    return []
