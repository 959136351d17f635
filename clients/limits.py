"""Limits and patterns of Cognito, read from botocore's own service model instead of copied by hand."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape, StructureShape


@dataclass(frozen=True)
class TextLimit:
    """`pattern` is matched whole and in ASCII: the model's patterns are unanchored and Java-flavoured."""

    minimum: int
    maximum: int
    pattern: re.Pattern[str]

    def allows(self, text: str) -> bool:
        return self.minimum <= len(text) <= self.maximum and self.pattern.fullmatch(text) is not None


@cache
def _input(operation: str) -> StructureShape:
    model = botocore.session.get_session().get_service_model("cognito-idp")
    shape = model.operation_model(operation).input_shape
    if shape is None:
        raise LookupError(f"{operation} takes no input.")
    return shape


def _text(shape: Shape) -> TextLimit:
    meta = shape.metadata
    return TextLimit(meta.get("min", 0), meta["max"], re.compile(meta["pattern"], re.ASCII))


@cache
def client_name() -> TextLimit:
    return _text(_input("CreateUserPoolClient").members["ClientName"])


@cache
def scope() -> TextLimit:
    scopes: Any = _input("CreateUserPoolClient").members["AllowedOAuthScopes"]
    return _text(scopes.member)


@cache
def scopes_per_client() -> int:
    return _input("CreateUserPoolClient").members["AllowedOAuthScopes"].metadata["max"]


def _server(member: str) -> Shape:
    return _input("CreateResourceServer").members[member]


@cache
def server_identifier() -> TextLimit:
    return _text(_server("Identifier"))


@cache
def server_name() -> TextLimit:
    return _text(_server("Name"))


@cache
def scope_name() -> TextLimit:
    scopes: Any = _server("Scopes")
    return _text(scopes.member.members["ScopeName"])


@cache
def scope_description_length() -> int:
    scopes: Any = _server("Scopes")
    return scopes.member.members["ScopeDescription"].metadata["max"]


@cache
def scopes_per_server() -> int:
    return _server("Scopes").metadata["max"]
