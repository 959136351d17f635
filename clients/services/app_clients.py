"""App clients: creating one, an operation with its steps."""

import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from clients.aws.cognito import Gateway
from clients.errors import InvalidInput, NotFound, OutcomeUnknown
from clients.models import (
    AppClient,
    Operation,
    Scope,
    Secret,
    SecretState,
    Status,
    Tenant,
    TenantStatus,
    User,
    UserPool,
)
from clients.services import claims, secrets
from clients.services.operations import Record, begin, drive, find_repeated, step
from clients.validators import check_client_name, check_scope_names, check_validity, is_possible_scope

CREATE = "client:create"
LIFETIMES = (90, 180, 365)


def gateway_for(pool: UserPool) -> Gateway:
    return Gateway(pool.region, pool.user_pool_id)


# --- Create ------------------------------------------------------------------------------------


def create_client(
    pool: UserPool,
    *,
    actor: User,
    operation_id: str,
    tenant: Tenant,
    name: str,
    scopes: list[str],
    attributes: dict[str, Any],
    access_token_seconds: int = 3600,
    lifetime_days: int | None = 180,
    no_expiry_reason: str = "",
    contact: User | None = None,
    notes: str = "",
    via: str = "web",
) -> AppClient:
    """An app client exists in Cognito with our secret, its attributes are published, its secret waits sealed.

    Refused before anything is written (InvalidInput by field): bad or taken name, unknown, foreign or retiring scopes,
    attribute values, validity outside 5 minutes to 24 hours (seconds), a lifetime without end and without reason.
    A failure midway leaves the client *Creating*, its secret sealed, and the operation for the worker; nothing is
    created twice. Calling again with the same `operation_id` returns the same client. Source: cognito_facts 1, 2.
    """
    params = {
        "pool": pool.public_id, "tenant": tenant.slug, "name": name, "scopes": sorted(set(scopes)),
        "attributes": attributes, "access_token_seconds": access_token_seconds, "lifetime_days": lifetime_days,
        "no_expiry_reason": no_expiry_reason, "contact": contact.pk if contact else None, "notes": mark_of(notes),
    }  # fmt: skip
    new = _new_row(pool, tenant, params, op_tag=operation_id, contact=contact, notes=notes, created_by=actor)
    try:
        operation = _begin_creation(new, params, via)
    except (IntegrityError, InvalidInput) as error:
        if repeated := _created_by(operation_id, params, actor):  # an earlier click took the id, and with it the name
            return repeated
        if isinstance(error, IntegrityError) and is_taken(new):
            raise InvalidInput({"name": [taken(tenant, name)]}) from None
        raise
    drive(operation)
    new.refresh_from_db()
    return new


def _begin_creation(app_client: AppClient, params: dict[str, Any], via: str) -> Operation:
    scope_rows, overrides = _check_creation(app_client.pool, app_client.tenant, params)
    secret = secrets.seal_new_secret(app_client, actor=app_client.created_by)
    with transaction.atomic():
        return _write_creation(secret, scope_rows, overrides, params, via)


def _created_by(operation_id: str, params: dict[str, Any], actor: User) -> AppClient | None:
    """What the same form created already, however often it was sent."""
    repeated = find_repeated(operation_id, CREATE, params, actor)
    return repeated.app_client if repeated else None


def _new_row(pool: UserPool, tenant: Tenant, params: dict[str, Any], **fields: Any) -> AppClient:
    days = params["lifetime_days"]
    return AppClient(
        pool=pool, tenant=tenant, name=params["name"], access_token_seconds=params["access_token_seconds"],
        secret_lifetime_days=days, no_expiry_reason=params["no_expiry_reason"], document_version=1,
        expires_at=timezone.now() + timedelta(days=days) if days else None, **fields,
    )  # fmt: skip


def mark_of(text: str) -> str:
    """Tells one text from another without keeping it: notes may hold what a trail must not keep for ever."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_taken(app_client: AppClient) -> bool:
    same = AppClient.objects.present().filter(pool=app_client.pool, tenant=app_client.tenant)
    return same.filter(name__iexact=app_client.name).exclude(pk=app_client.pk).exists()


def taken(tenant: Tenant, name: str) -> str:
    return f"{tenant.name} already has a client named {name}. Choose another name."


def _check_creation(pool: UserPool, tenant: Tenant, params: dict[str, Any]) -> tuple[list[Scope], dict[str, Any]]:
    name = params["name"]
    problems = {"name": check_client_name(name), "access_token_seconds": check_validity(params["access_token_seconds"])}
    if not problems["name"] and is_taken(AppClient(pool=pool, tenant=tenant, name=name)):
        problems["name"].append(taken(tenant, name))
    scope_rows, problems["scopes"] = assignable(pool, params["scopes"], held=frozenset())
    problems["secret_lifetime"] = check_lifetime(params["lifetime_days"], params["no_expiry_reason"])
    checked = claims.preview(pool, tenant, params["attributes"])
    for claim_name, sentences in checked.problems.items():
        problems[f"attribute:{claim_name}" if claim_name else "attributes"] = sentences
    if tenant.why_no_clients:
        problems["tenant"] = [tenant.why_no_clients]
    found = {field: sentences for field, sentences in problems.items() if sentences}
    if found:
        raise InvalidInput(found)
    return scope_rows, checked.overrides


def check_lifetime(days: int | None, reason: str) -> list[str]:
    if days is None and not reason.strip():
        return ["A secret without an end needs a reason."]
    if days is not None and days not in LIFETIMES:
        return ["Choose 90, 180 or 365 days, or no end with a reason."]
    return []


def assignable(pool: UserPool, names: list[str], *, held: frozenset[str]) -> tuple[list[Scope], list[str]]:
    """Rows for the names, and sentences for those this pool does not offer. What a client already holds may stay."""
    problems = check_scope_names(names)
    possible = [name for name in names if not name or is_possible_scope(name)]  # PostgreSQL cannot be asked for a NUL
    rows = list(Scope.objects.filter(resource_server__pool=pool, full_name__in=possible))
    known = {row.full_name for row in rows}
    unknown = [n for n in possible if n not in known and not any(n in p for p in problems)]
    problems += [f"There is no scope {n[:80]} in the pool {pool.environment}." for n in unknown]
    problems += [
        f"{r.full_name} is {'gone in Cognito' if r.gone_at else 'being retired'} and cannot be given out."
        for r in rows
        if not r.is_offered and r.full_name not in held
    ]
    return rows, problems


def _write_creation(
    secret: Secret, scope_rows: list[Scope], overrides: dict[str, Any], params: dict[str, Any], via: str
) -> Operation:
    """The intent, whole: client, scopes, overrides, sealed secret, operation, audit entry."""
    app_client, actor, tenant = secret.app_client, secret.created_by, secret.app_client.tenant
    # Locked until the commit: a tenant being off-boarded at this moment must not miss the client. Not against rows that
    # only refer to it, as every audit entry does: with those two locks creations of one tenant were seen to deadlock.
    if not Tenant.objects.select_for_update(no_key=True).filter(pk=tenant.pk, status=TenantStatus.ACTIVE).exists():
        tenant.refresh_from_db()
        raise InvalidInput({"tenant": [tenant.why_no_clients or f"{tenant} changed at this moment. Send it again."]})
    app_client.save(force_insert=True)
    through = AppClient.scopes.through
    through.objects.bulk_create(through(appclient_id=app_client.pk, scope_id=row.pk) for row in scope_rows)
    claims.hold_definitions()  # one defined at this moment must not miss the client
    if overrides:
        claims.write_overrides(app_client, overrides)
    secret.save(force_insert=True)
    return begin(
        app_client.op_tag, CREATE, target=f"client:{app_client.public_id}", params=params, actor=actor, via=via,
        pool=app_client.pool, app_client=app_client,
    )  # fmt: skip


def client_of(operation: Operation) -> AppClient:
    if operation.app_client is None:
        raise ValueError(f"Operation {operation.pk} has no client.")
    return operation.app_client


@step(CREATE, "create", writes_to_pool=True)
def _create_in_cognito(operation: Operation, unknown: bool) -> Record:
    """Not idempotent: after an unknown outcome the tag in the name finds our own client (cognito_facts section 1)."""
    app_client = client_of(operation)
    gateway = gateway_for(app_client.pool)
    left = gateway.find_clients_by_tag(app_client.op_tag) if unknown else []
    client_id = app_client.client_id or (left[0] if left else None)
    if client_id is None:
        secret = app_client.secrets.get(state=SecretState.PENDING)
        client_id = gateway.create_client(
            name=app_client.cognito_name,
            secret=secrets.open_for_cognito(secret),
            access_token_seconds=app_client.access_token_seconds,
            scopes=sorted(app_client.scopes.values_list("full_name", flat=True)),
        )
    found = bool(left)

    def record() -> dict[str, Any]:
        AppClient.objects.filter(pk=app_client.pk, client_id__isnull=True).update(client_id=client_id)
        app_client.client_id = client_id
        return {"client_id": client_id, "adopted": found}

    return record


@step(CREATE, "settle", writes_to_pool=True, after_unknown=True)
def _remove_duplicates(operation: Operation, unknown: bool) -> Record:
    """A request believed lost may still have been applied, also after a second one: look once more, keep the recorded
    client and remove our others. A removal may be repeated."""
    app_client = client_of(operation)
    gateway = gateway_for(app_client.pool)
    removed = [found for found in gateway.find_clients_by_tag(app_client.op_tag) if found != app_client.client_id]
    for client_id in removed:
        with suppress(NotFound):
            gateway.delete_client(client_id)
    return lambda: {"duplicates_removed": removed}


@step(CREATE, "list-secrets")
def _learn_secret_id(operation: Operation, unknown: bool) -> Record:
    """Create's answer does not name the secret's id, List does (cognito_facts section 2)."""
    app_client = client_of(operation)
    listed = gateway_for(app_client.pool).list_secrets(str(app_client.client_id))
    if not listed:
        raise OutcomeUnknown("Cognito does not list the new secret yet.")

    def record() -> dict[str, Any]:
        secret_id = listed[0].secret_id
        Secret.objects.filter(app_client=app_client, state=SecretState.PENDING).update(
            cognito_secret_id=secret_id, state=SecretState.CURRENT, expires_at=app_client.expires_at
        )
        return {"secret_id": secret_id, "listed": len(listed)}

    return record


@step(CREATE, "publish")
def _publish_attributes(operation: Operation, unknown: bool) -> Record:
    app_client = client_of(operation)
    version = claims.put_current_document(app_client)

    def record() -> dict[str, Any]:
        claims.record_published(app_client, version)
        AppClient.objects.filter(pk=app_client.pk, status=Status.CREATING).update(status=Status.ACTIVE)
        return {"published_version": version, "client_id": app_client.client_id}

    return record
