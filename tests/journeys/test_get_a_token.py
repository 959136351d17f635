"""A token asked for by the portal itself, with the trigger in place: every claim with its source."""

from clients.models import Tenant, User, UserPool
from clients.models.ids import new_ulid
from clients.services import app_clients
from clients.services.secrets import open_for_cognito
from clients.services.tokens import get_token
from clients.services.usage import refresh_usage


def test_claims_of_the_token_stand_beside_where_they_come_from(harbourline):
    operator = User.objects.get(name="Olga")
    app_client = made(operator)
    secret = open_for_cognito(app_client.secrets.get())

    attempt = get_token(app_client, secret, ["orders/read"], actor=operator)

    told = {claim.name: (claim.value, claim.source) for claim in attempt.claims}
    assert attempt.status == 200 and attempt.absent == [] and attempt.granted == ["orders/read"]
    assert told["tier"] == ("gold", "tenant") and told["rate_limit"] == (7, "client")
    assert told["client_id"] == (app_client.client_id, "cognito") and told["tenant_id"] == ("northwind", "tenant")
    refresh_usage(app_client)
    app_client.refresh_from_db()
    assert app_client.last_token_at is None, "it does not count as use"


def made(operator):
    return app_clients.create_client(
        UserPool.objects.get(), actor=operator, operation_id=new_ulid(), tenant=Tenant.objects.get(slug="northwind"),
        name="northwind-orders-prod", scopes=["orders/read"], attributes={"rate_limit": "7"},
    )  # fmt: skip
