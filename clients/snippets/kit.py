"""The curl kit: one bash file that gets a token, calls the API and reuses the token."""

import hashlib
import json
import re
import shlex
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_TEMPLATE = Path(__file__).with_name("curl.sh.tmpl").read_text(encoding="utf-8")
_PLACEHOLDER = re.compile(r"@@([a-z_]+)@@")
_COMMENT_LENGTH = 120


@dataclass(frozen=True)
class ApiCall:
    """The example call of step 2. For AppSync `body` is the JSON text of `{"query": …}`."""

    kind: Literal["appsync", "rest"]
    url: str
    method: str
    body: str
    label: str


@dataclass(frozen=True)
class KitContext:
    """All a kit is made of. `version` is printed as it is; empty means `kit_version`."""

    client_name: str
    client_id: str
    tenant_name: str
    token_url: str
    scopes: tuple[str, ...]
    api: ApiCall | None
    secret_ending: str | None
    version: str


def render_curl(context: KitContext, *, secret: str | None = None) -> str:
    """The text of the kit. The secret stands in it only if given: the reveal panel's own download.

    Raises ValueError for a value no shell can hold (NUL, half a surrogate pair).
    """
    values = {**_comments(context, has_secret=bool(secret)), **_assignments(context, secret or "")}
    # One pass: what a value contains is never looked at again, even if it looks like a placeholder.
    return _PLACEHOLDER.sub(lambda match: values[match[1]], _TEMPLATE)


def render_env(context: KitContext, secret: str) -> str:
    """The `.env` that the kit finds beside itself; other readers of such files, and a shell, read the same."""
    values = {
        "CLIENT_ID": context.client_id,
        "CLIENT_SECRET": secret,
        "TOKEN_URL": context.token_url,
        "SCOPE": " ".join(context.scopes),
    }
    heading = f"# {_comment(context.client_name)}: keep this file as you would keep a password.\n"
    return heading + "".join(f"{name}={_quote_env(value)}\n" for name, value in values.items())


def kit_file_name(client_name: str, *, contains_secret: bool) -> str:
    """A file name any system takes; one that holds the secret says so, whatever the client is called."""
    ascii_name = unicodedata.normalize("NFKD", client_name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_name).strip("-")[:60].rstrip("-") or "client"
    return f"{stem}-curl{'-CONTAINS-SECRET' if contains_secret else ''}.sh"


def kit_version(context: KitContext) -> str:
    """Changes when scopes, URLs or the API call change, so that a page can call an older kit outdated."""
    api = context.api and [context.api.kind, context.api.url, context.api.method, context.api.body]
    content = json.dumps([context.token_url, sorted(set(context.scopes)), api])
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def _comments(context: KitContext, *, has_secret: bool) -> dict[str, str]:
    if has_secret:
        secret_note = "CONTAINS THE CLIENT SECRET: keep this file as you would keep a password."
    else:
        secret_note = "The client secret is not in this file."
    call = f"The example call: {_comment(context.api.label)}" if context.api else "No example call is known."
    return {
        "title": f"Client {_comment(context.client_name)}, client ID {_comment(context.client_id)}",
        "holder": f"For {_comment(context.tenant_name)}",
        "version": _comment(context.version or kit_version(context)),
        "secret_note": secret_note,
        "api_label": call,
    }


def _assignments(context: KitContext, secret: str) -> dict[str, str]:
    api = context.api
    return {
        "client_id": _quote(context.client_id),
        "token_url": _quote(context.token_url),
        "scope": _quote(" ".join(context.scopes)),
        "secret": _quote(secret),
        "secret_ending": _quote(context.secret_ending or ""),
        "api_kind": _quote(api.kind if api else ""),
        "api_method": _quote(api.method if api else ""),
        "api_url": _quote(api.url if api else ""),
        "api_body": _quote(api.body if api else "", multiline=True),
    }


def _comment(text: str) -> str:
    """One line of visible text: no line ends, no terminal escapes, nothing that reverses the reading direction."""
    visible = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(visible.split())[:_COMMENT_LENGTH]


def _quote(text: str, *, multiline: bool = False) -> str:
    """One bash word with exactly this value.

    `shlex.quote` wherever what a reader sees is what the shell gets; otherwise `$'…'`, in which every invisible
    character stands as its bytes in octal, so that no value can disguise itself as another line of the script.
    """
    _refuse_unrepresentable(text)
    if all(char.isprintable() or (multiline and char in "\n\t") for char in text):
        return shlex.quote(text)
    return "$'" + "".join(_ansi_c(char) for char in text) + "'"


def _ansi_c(char: str) -> str:
    if char in "\\'":
        return "\\" + char
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode())


def _quote_env(text: str) -> str:
    _refuse_unrepresentable(text)
    if "\n" in text or "\r" in text:
        raise ValueError("A .env value is one line.")
    if "'" not in text:
        return f"'{text}'"
    return '"' + re.sub(r'([\\"$`])', r"\\\1", text) + '"'


def _refuse_unrepresentable(text: str) -> None:
    if "\0" in text:
        raise ValueError("A shell value cannot hold NUL.")
    text.encode()  # UnicodeEncodeError is a ValueError: half a surrogate pair has no bytes.
