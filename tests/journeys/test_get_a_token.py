"""A token asked for by the portal itself, with the trigger in place: every claim with its source."""

from urllib.parse import urlencode

from clients.aws import outbound
from clients.models import Handover, Tenant, User, UserPool
from clients.models.ids import new_ulid
from clients.services import app_clients, handovers
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


def test_first_real_token_marks_the_timeline_of_the_hand_over(harbourline, client):
    """By the kit's own request, not by the portal's."""
    operator = User.objects.get(name="Olga")
    app_client = made(operator)
    offer = handovers.offer_by_link(app_client.secrets.get(), hours=24, with_pin=False, actor=operator)
    value = handovers.reveal_by_link(handovers.find_by_link(offer.token), "", address="192.0.2.7")
    get_token(app_client, value, ["orders/read"], actor=operator)
    refresh_usage(app_client)
    assert Handover.objects.get().first_token_at is None, "the portal's own does not count"

    sent = urlencode(
        {"grant_type": "client_credentials", "client_id": app_client.client_id, "client_secret": value.reveal()}
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert outbound.ask(app_client.pool.token_url, body=sent, headers=headers).status == 200
    refresh_usage(app_client)
    first = Handover.objects.get().first_token_at
    assert first is not None
    outbound.ask(app_client.pool.token_url, body=sent, headers=headers)
    refresh_usage(app_client)
    assert Handover.objects.get().first_token_at == first
    client.force_login(operator)
    page = client.get(f"/hand-overs/{offer.handover.public_id}/").content.decode()
    assert "<b>First token</b>" in page
