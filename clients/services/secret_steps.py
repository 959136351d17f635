"""The steps of rotating, finishing and cancelling: one remote write each, and a look before it."""

from contextlib import suppress

from clients.aws import token_endpoint
from clients.aws.outbound import Unreachable
from clients.errors import Conflict, LimitReached, NotFound, OutcomeUnknown, Throttled
from clients.models import AppClient, Operation, Rotation, Secret
from clients.services import secret_records as records
from clients.services import secrets
from clients.services.app_clients import client_of, gateway_for
from clients.services.operations import Record, step
from clients.services.secret_records import CANCEL, FINISH, ROTATE, alive_secrets, of_operation

NOT_YET = "Cognito does not accept the new secret yet: it needs a moment for it. The portal asks again by itself."


def accepts(app_client: AppClient, secret: Secret) -> bool:
    """Whether the token endpoint takes our sealed value. Only `invalid_client` says no: a refusal by our trigger or by
    the flow's flag comes after the secret was checked (cognito_facts section 4). Raises Throttled when it says
    neither."""
    value = secrets.open_for_cognito(secret)
    try:
        answer = token_endpoint.ask_for_token(app_client.pool.token_url, str(app_client.client_id), value, [])
    except Unreachable as error:
        raise Throttled("The token endpoint does not answer.", technical=error.technical) from None
    if answer.token:
        return True
    if answer.status in (400, 401) and answer.error:
        return answer.error != "invalid_client"
    raise Throttled("The token endpoint did not answer as it should.", technical=f"HTTP {answer.status}")


def held_there(app_client: AppClient) -> tuple[set[str], list[str]]:
    """(ids of the secrets in Cognito, those of them that no living row of ours has)."""
    ids = [held.secret_id for held in gateway_for(app_client.pool).list_secrets(str(app_client.client_id))]
    ours = {secret.cognito_secret_id for secret in alive_secrets(app_client)}
    return set(ids), [secret_id for secret_id in ids if secret_id not in ours]


@step(ROTATE, "add", writes_to_pool=True)
def _add(operation: Operation, unknown: bool) -> Record:
    rotation, app_client = of_operation(operation), client_of(operation)
    ids, strangers = held_there(app_client)
    if rotation.old_secret.cognito_secret_id not in ids:
        raise Conflict("Cognito does not hold the current secret any more. Look at the client in the AWS console.")
    return add_replacement(operation, rotation, strangers)


def add_replacement(operation: Operation, rotation: Rotation, strangers: list[str]) -> Record:
    """Not idempotent. After an unknown outcome a secret nobody knows may be the one we sent: it is taken for ours once
    it is proven to be, by asking for a token with our sealed value."""
    app_client, new = client_of(operation), rotation.new_secret
    if new is None:
        raise ValueError(f"Rotation {rotation.pk} has no new secret.")
    if strangers:
        secret_id = _proven(operation, rotation, new, strangers)
    else:
        try:
            gateway = gateway_for(app_client.pool)
            secret_id = gateway.add_secret(str(app_client.client_id), secrets.open_for_cognito(new))
        except LimitReached as error:  # somebody was faster, or a request of ours that we believed lost
            if not operation.was_unknown:
                raise Conflict("Somebody has just added a secret in Cognito, so there is no room for ours.") from error
            raise OutcomeUnknown("The new secret may be there after all.", technical=error.technical) from error
    return lambda: records.record_added(rotation, new, secret_id, adopted=bool(strangers))


def _proven(operation: Operation, rotation: Rotation, new: Secret, strangers: list[str]) -> str:
    if not operation.was_unknown or len(strangers) > 1:
        raise Conflict(records.foreign_sentence(strangers))
    if accepts(client_of(operation), new):
        return strangers[0]
    if records.gave_up(operation.created_at):
        raise Conflict(records.foreign_sentence(strangers))
    raise OutcomeUnknown("A secret is there that may be the new one. The portal looks whether it works.")


@step(ROTATE, "test")
def _test(operation: Operation, unknown: bool) -> Record:
    """Before anybody sees it. Waits out what Cognito needs; one that never works is taken away again."""
    rotation = of_operation(operation)
    if rotation.new_secret and accepts(client_of(operation), rotation.new_secret):
        return lambda: records.record_accepted(rotation)
    if rotation.added_at and records.gave_up(rotation.added_at):
        return lambda: records.record_never_accepted(rotation)
    raise Throttled(NOT_YET)


@step(FINISH, "remove", writes_to_pool=True)
def _remove_old(operation: Operation, unknown: bool) -> Record:
    """Only while Cognito holds the one that stays. Gone already is gone: what we wanted."""
    rotation = of_operation(operation)
    ids, _ = held_there(client_of(operation))
    if rotation.new_secret is None or rotation.new_secret.cognito_secret_id not in ids:
        raise Conflict("Cognito does not hold the new secret any more, so the old one was not removed.")
    remove(client_of(operation), rotation.old_secret.cognito_secret_id)
    return lambda: records.record_removed(rotation, FINISH)


@step(CANCEL, "remove", writes_to_pool=True)
def _remove_new(operation: Operation, unknown: bool) -> Record:
    """One whose id we never learned is looked for: a secret nobody knows is ours when it opens with our value."""
    rotation, app_client = of_operation(operation), client_of(operation)
    ids, strangers = held_there(app_client)
    new = rotation.new_secret
    secret_id = new.cognito_secret_id if new else ""
    if new and not secret_id and len(strangers) == 1 and new.sealed_value and accepts(app_client, new):
        secret_id = strangers[0]
    if secret_id in ids:
        if rotation.old_secret.cognito_secret_id not in ids:
            raise Conflict("The new secret is the only one Cognito holds, so it was not removed.")
        remove(app_client, secret_id)
    return lambda: records.record_removed(rotation, CANCEL)


def remove(app_client: AppClient, secret_id: str) -> None:
    with suppress(NotFound):
        gateway_for(app_client.pool).delete_secret(str(app_client.client_id), secret_id)
