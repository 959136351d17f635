"""Attributes: from definitions, tenant values and overrides to one document per client, and on to the claims table."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.utils import timezone

from clients.aws import claims_table
from clients.errors import Conflict, PortalError, Throttled
from clients.models import (
    AppClient,
    AttributeDefinition,
    ClientOverride,
    Outcome,
    Status,
    Tenant,
    TenantValue,
    UserPool,
)
from clients.services import audit, restores
from clients.validators import DOCUMENT_MAX_BYTES, clean_value

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """One claim of a future token and where it comes from: cognito, pool, scopes, tenant, client or default."""

    name: str
    value: Any
    source: str
    was: Any = None
    definition: AttributeDefinition | None = None
    is_in_words: bool = False  # `value` says what it will be: only the token itself has it

    @property
    def as_json(self) -> str:
        return json.dumps(self.value, ensure_ascii=False)


@dataclass
class Preview:
    """The payload of the next token. `size`: bytes of the attribute document. `problems`: sentences per claim name."""

    claims: list[Claim] = field(default_factory=list)
    size: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)  # the client's own values, typed

    @property
    def missing(self) -> list[str]:
        """Everything that keeps it from being one."""
        return [sentence for sentences in self.problems.values() for sentence in sentences]


def present_definitions() -> list[AttributeDefinition]:
    return list(AttributeDefinition.objects.filter(retired_at__isnull=True))


def _clean_overrides(
    raw: dict[str, Any], definitions: list[AttributeDefinition]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """(typed values by claim name, problems by claim name). None and empty text mean: no override."""
    known = {definition.claim_name: definition for definition in definitions}
    values: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    for name, value in raw.items():
        if value is None or value == "":
            continue
        definition = known.get(name)
        if definition is None:
            problems[name] = [f"There is no attribute {name}."]
        elif not definition.is_overridable:
            problems[name] = [f"{name} is set on the tenant and cannot differ per client."]
        else:
            try:
                values[name] = clean_value(definition.type, value, definition.choices)
            except ValueError as error:
                problems[name] = [str(error)]
    return values, problems


def hold_definitions() -> None:
    """Until the caller's transaction ends, no other one changes definitions, values or overrides: each sees whose
    documents the other touches. Take it after a tenant's row and before a client's. SQLite has one writer anyway."""
    if connection.features.has_select_for_update:
        list(AttributeDefinition.objects.select_for_update().order_by("pk").values_list("pk", flat=True))


def stored_values(tenant: Tenant) -> dict[int, Any]:
    """The tenant's values by definition, also of retired ones."""
    return dict(TenantValue.objects.filter(tenant=tenant).values_list("definition_id", "value"))


def values_by_tenant() -> dict[int, dict[int, Any]]:
    """The same of every tenant."""
    found: dict[int, dict[int, Any]] = {}
    for tenant_id, definition_id, value in TenantValue.objects.values_list("tenant", "definition", "value"):
        found.setdefault(tenant_id, {})[definition_id] = value
    return found


def _effective(
    pool: UserPool,
    tenant: Tenant,
    overrides: dict[str, Any],
    definitions: list[AttributeDefinition],
    tenant_values: dict[int, Any],
) -> tuple[list[Claim], dict[str, list[str]]]:
    """The claims we add, in order, and what is missing."""
    claims = [Claim(pool.tenant_claim, tenant.slug, "tenant")]
    problems: dict[str, list[str]] = {}
    for definition in definitions:
        name, inherited = definition.claim_name, tenant_values.get(definition.pk)
        if name in overrides:
            was = inherited if inherited is not None else definition.default
            claims.append(Claim(name, overrides[name], "client", was, definition))
        elif inherited is not None:
            claims.append(Claim(name, inherited, "tenant", definition=definition))
        elif definition.default is not None:
            claims.append(Claim(name, definition.default, "default", definition=definition))
        elif definition.is_required:
            problems[name] = [f"{name} is required: set it on the tenant {tenant.name} or here."]
    return claims, problems


def _document_text(claims: list[Claim]) -> str:
    return json.dumps({c.name: c.value for c in claims}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def preview(
    pool: UserPool,
    tenant: Tenant,
    overrides: dict[str, Any],
    *,
    scopes: list[str] | tuple[str, ...] = (),
    app_client: AppClient | None = None,
    access_token_seconds: int | None = 3600,
) -> Preview:
    """What the next token will carry, with each claim's source; `overrides` as typed by a person, and no seconds where
    what is typed is no validity."""
    definitions = present_definitions()
    values, problems = _clean_overrides(overrides, definitions)
    ours, missing = _effective(pool, tenant, values, definitions, stored_values(tenant))
    known = app_client.client_id if app_client else None
    client_id: dict[str, Any] = {"value": known or "made by Cognito", "source": "cognito", "is_in_words": not known}
    ends = f"issued + {access_token_seconds // 60} min" if access_token_seconds else "not known"
    size = len(_document_text(ours).encode())
    problems = missing | problems | _too_large(size)
    claims = [
        Claim("iss", pool.issuer, "cognito"),
        Claim("sub", **client_id),
        Claim("client_id", **client_id),
        Claim("token_use", "access", "cognito"),
        Claim("scope", " ".join(scopes), "scopes"),
        *ours,
        Claim("exp", ends, "pool", is_in_words=True),
    ]
    return Preview(claims, size, problems, values)


def _too_large(size: int) -> dict[str, list[str]]:
    if size <= DOCUMENT_MAX_BYTES:
        return {}
    return {"": [f"The attributes need {size} bytes; at most {DOCUMENT_MAX_BYTES} fit. Shorten a value."]}


def first_misfit(
    app_clients: QuerySet[AppClient],
    definitions: list[AttributeDefinition],
    tenant_values: dict[int, dict[int, Any]],
) -> tuple[AppClient, dict[str, list[str]]] | None:
    """The first of them whose document would not be whole under these definitions and values (by tenant), with its
    problems by claim name; None when all fit. For looking before anything is saved."""
    own: dict[int, dict[str, Any]] = {}
    overrides = ClientOverride.objects.filter(Exists(app_clients.filter(pk=OuterRef("app_client"))))
    for pk, claim_name, value in overrides.values_list("app_client", "definition__claim_name", "value"):
        own.setdefault(pk, {})[claim_name] = value
    differing = app_clients.filter(pk__in=ClientOverride.objects.values("app_client"))
    for app_client in chain(_alike(app_clients), differing.select_related("pool", "tenant")):
        overridden = own.get(app_client.pk, {})
        values = tenant_values.get(app_client.tenant_id, {})
        ours, missing = _effective(app_client.pool, app_client.tenant, overridden, definitions, values)
        if problems := missing | _too_large(len(_document_text(ours).encode())):
            return app_client, problems
    return None


def _alike(app_clients: QuerySet[AppClient]) -> Iterator[AppClient]:
    """Most clients have no values of their own, so one look does for all of a tenant's in a pool: the first one found,
    by its index."""
    plain = app_clients.filter(~Exists(ClientOverride.objects.filter(app_client=OuterRef("pk")))).order_by()
    for pool in UserPool.objects.all():
        first = Subquery(plain.filter(pool=pool, tenant=OuterRef("pk")).values("pk")[:1])
        found = list(Tenant.objects.annotate(one=first).filter(one__isnull=False).values_list("one", flat=True))
        yield from AppClient.objects.filter(pk__in=found).select_related("pool", "tenant")


def overrides_of(app_client: AppClient) -> dict[str, Any]:
    """The client's own values, of definitions still in use."""
    present = app_client.overrides.filter(definition__retired_at__isnull=True)
    return dict(present.values_list("definition__claim_name", "value"))


def write_overrides(app_client: AppClient, values: dict[str, Any]) -> None:
    """Replaces the overrides with typed values, inside the caller's transaction. Those of retired definitions stay:
    they count again when the definition is taken back."""
    hold_definitions()
    definitions = {d.claim_name: d for d in AttributeDefinition.objects.filter(claim_name__in=values)}
    app_client.overrides.filter(definition__retired_at__isnull=True).delete()
    ClientOverride.objects.bulk_create(
        ClientOverride(app_client=app_client, definition=definitions[name], value=value)
        for name, value in values.items()
    )


def raise_generation(app_client: AppClient, generation: int) -> None:
    """Compare-and-set on what the form saw. Raises Conflict when somebody else saved in between."""
    if not AppClient.objects.filter(pk=app_client.pk, generation=generation).update(generation=F("generation") + 1):
        raise Conflict(
            "Somebody changed this client since you opened the page. Look at the new values, then decide again."
        )
    app_client.generation = generation + 1


def document_for(app_client: AppClient) -> claims_table.Document:
    """The document at the client's present version: claims when it may have tokens, else a denial or a tombstone."""
    if app_client.client_id is None:
        raise ValueError("No document without a client id.")
    state = {Status.PAUSED: "paused", Status.DELETED: "deleted"}.get(Status(app_client.status), "active")
    claims: list[Claim] = []
    if state == "active":
        values = stored_values(app_client.tenant)
        claims, _ = _effective(
            app_client.pool, app_client.tenant, overrides_of(app_client), present_definitions(), values
        )
    return claims_table.Document(app_client.client_id, app_client.document_version, state, _document_text(claims))


def put_current_document(app_client: AppClient) -> int:
    """The remote call alone: puts the document and returns its version.

    The version is read before the values: a change in between raises it, and is published again under the newer one.
    """
    fresh = AppClient.objects.select_related("pool", "tenant").get(pk=app_client.pk)
    document = document_for(fresh)
    held = claims_table.put_document(fresh.pool.region, fresh.pool.claims_table, document)
    if held is None or held.document == document:
        return document.version
    newest = AppClient.objects.values_list("document_version", flat=True).get(pk=fresh.pk)
    if document.version < held.version <= newest:  # a newer one of ours was faster
        return document.version
    return _overrule(fresh, held)


def _overrule(app_client: AppClient, held: claims_table.Held) -> int:
    """Somebody else wrote there: our document goes over it, under a version above both, and the trail says so."""
    above = max(app_client.document_version, held.version) + 1
    with transaction.atomic():
        same = AppClient.objects.filter(pk=app_client.pk, document_version=app_client.document_version)
        if not same.update(document_version=above):
            raise Throttled("The attributes were changed at this moment. The portal publishes the newer ones.")
        detail = {"held": "something damaged" if held.is_damaged else f"version {held.version}", "version": above}
        audit.append("attributes:repair", Outcome.OK, actor=None, via="portal", app_client=app_client, detail=detail)
    fresh = AppClient.objects.select_related("pool", "tenant").get(pk=app_client.pk)
    claims_table.put_document(fresh.pool.region, fresh.pool.claims_table, document_for(fresh), over=True)
    return fresh.document_version


def record_published(app_client: AppClient, version: int) -> None:
    """Raises `published_version` to what the table holds, never lowers it. Inside the caller's transaction."""
    behind = AppClient.objects.filter(pk=app_client.pk, published_version__lt=version)
    behind.update(
        published_version=version, published_at=timezone.now(), publish_error="", publish_after=None, publish_attempts=0
    )


def publish(app_client: AppClient) -> bool:
    """Brings the table to the model's version. True when it is there; a failure is noted and tried again later, each
    time after a longer pause, so that one document that cannot be written never stands before the others."""
    try:
        version = put_current_document(app_client)
        with transaction.atomic():
            record_published(app_client, version)
            detail = {"version": version}
            audit.append(
                "attributes:publish", Outcome.OK, actor=None, via="portal", app_client=app_client, detail=detail
            )
    except Exception as error:
        _note_failure(app_client, error)
        return False
    return True


def _note_failure(app_client: AppClient, error: Exception) -> None:
    if isinstance(error, PortalError):
        sentence = error.sentence
        logger.warning("publishing client %s: %s", app_client.public_id, error.technical)
    else:
        sentence = "The portal made a mistake while publishing. It is logged and will be tried again."
        logger.exception("publishing client %s", app_client.public_id)
    pause = timedelta(seconds=min(10 * 2**app_client.publish_attempts, 900))
    AppClient.objects.filter(pk=app_client.pk).update(
        publish_error=sentence[:300], publish_after=timezone.now() + pause, publish_attempts=F("publish_attempts") + 1
    )


def publish_due(limit: int = 100) -> int:
    """Publishes where model and table differ, longest waiting first; how many. Creating clients are left to their
    operation's own step."""
    if restores.is_on():
        return 0
    now = timezone.now()
    due = AppClient.objects.unpublished().exclude(status=Status.CREATING).exclude(publish_after__gt=now)
    due = due.select_related("pool", "tenant").order_by(F("publish_after").asc(nulls_first=True), "pk")
    return sum(publish(app_client) for app_client in due[:limit])


def why_not_in_token(app_client: AppClient) -> str:
    """Empty when the next token will carry the claims; else the reason, in a sentence."""
    if app_client.status == Status.PAUSED:
        return "Paused: no token is issued until it is resumed."
    if app_client.pool.why_no_claims:
        return app_client.pool.why_no_claims
    if app_client.status == Status.CREATING:
        return "They are published as the last step of creating the client."
    if not app_client.is_published:
        return "The attributes are saved but not published yet. The portal goes on by itself."
    return ""
