"""Creating 200 clients through the service against a bare boto3 loop that makes the same calls on the same sandbox."""

from collections.abc import Iterator

from clients import sealing
from clients.models.ids import new_ulid
from tests.bench.__main__ import stopwatch
from tests.support import World

COUNT = 200


def rows(world: World) -> Iterator[tuple[str, float, str, bool]]:
    _bare(world, 5)
    _ours(world, 5, "warm")
    for hold, name in ((0, "a sandbox that answers at once"), (0.01, "the sandbox as shipped")):
        world.sandbox.settings(write_hold_seconds=hold)
        bare, ours = _bare(world, COUNT), _ours(world, COUNT, f"bench-{hold}".replace(".", "-"))
        yield f"create {COUNT} clients: service / bare loop, {name}", ours / bare, "at most 1.4", ours / bare <= 1.4
    world.sandbox.settings(write_hold_seconds=0)


def _ours(world: World, count: int, prefix: str) -> float:
    with stopwatch() as seconds:
        for number in range(count):
            app_client = world.create(name=f"{prefix}-{number}")
            assert app_client.status == "active", app_client.operations.latest("id").technical
        return seconds()


def _bare(world: World, count: int) -> float:
    dynamodb = world.sandbox.aws("dynamodb")
    pool_id = world.pool.user_pool_id
    with stopwatch() as seconds:
        for _ in range(count):
            created = world.cognito.create_user_pool_client(
                UserPoolId=pool_id,
                ClientName=f"bare {new_ulid()}",
                ClientSecret=sealing.generate("prod").reveal(),
                AllowedOAuthFlows=["client_credentials"],
                AllowedOAuthFlowsUserPoolClient=True,
                AllowedOAuthScopes=["orders/read"],
                ExplicitAuthFlows=["ALLOW_REFRESH_TOKEN_AUTH"],
                AccessTokenValidity=3600,
                TokenValidityUnits={"AccessToken": "seconds"},
            )["UserPoolClient"]
            world.cognito.list_user_pool_client_secrets(UserPoolId=pool_id, ClientId=created["ClientId"])
            item = {"client_id": {"S": created["ClientId"]}, "version": {"N": "1"}, "claims": {"S": "{}"}}
            dynamodb.put_item(
                TableName=world.pool.claims_table, Item=item, ConditionExpression="attribute_not_exists(version)"
            )
        return seconds()
