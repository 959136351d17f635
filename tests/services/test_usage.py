"""Use: what the trigger noted in its table, copied to the client's row."""

from datetime import UTC, datetime, timedelta

import pytest

from clients.models import AppClient
from clients.services import usage


@pytest.fixture
def note(world):
    """Writes what the trigger would write for this client."""

    def write(app_client, **facts):
        item = {"client_id": {"S": app_client.client_id}} | {name: {"N": str(n)} for name, n in facts.items()}
        world.sandbox.aws("dynamodb").put_item(TableName=world.pool.usage_table, Item=item)

    return write


def fresh(app_client):
    return AppClient.objects.get(pk=app_client.pk)


def day(ago):
    return (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y%m%d")


def test_refresh_copies_last_token_and_the_days(world, note):
    app_client = world.create()
    note(app_client, last_issued_at=1_790_000_000, **{f"d_{day(0)}": 3, f"d_{day(29)}": 40, f"d_{day(30)}": 50})
    usage.refresh_usage(app_client)
    found = fresh(app_client)
    assert found.last_token_at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert found.tokens_per_day == {day(0): 3, day(29): 40}, "thirty days and no more"


def test_refresh_of_a_client_never_used_notes_that_it_looked(world):
    app_client = world.create()
    usage.refresh_usage(app_client)
    found = fresh(app_client)
    assert found.usage_checked_at and found.last_token_at is None and found.tokens_per_day == {}


def test_refresh_keeps_what_was_known_when_the_table_is_away(world, note):
    app_client = world.create()
    note(app_client, last_issued_at=1_790_000_000, **{f"d_{day(0)}": 3})
    usage.refresh_usage(app_client)
    world.sandbox.fault("GetItem", "throttle", times=5)
    usage.refresh_usage(fresh(app_client))
    found = fresh(app_client)
    assert found.tokens_per_day == {day(0): 3} and found.last_token_at and found.pool.usage_unread_since
    since = found.pool.usage_unread_since
    usage.refresh_usage(found)
    assert fresh(app_client).pool.usage_unread_since == since, "the first failure counts"
    world.sandbox.clear()
    usage.refresh_usage(fresh(app_client))
    assert fresh(app_client).pool.usage_unread_since is None


def test_refresh_overlooks_what_is_no_day(world, note):
    app_client = world.create()
    note(app_client, last_issued_at=1_790_000_000, d_all=7, d_2026=8, **{f"d_{day(1)}": 2})
    usage.refresh_usage(app_client)
    assert fresh(app_client).tokens_per_day == {day(1): 2}


def test_collect_looks_at_each_once_a_minute(world):
    world.create()
    assert usage.collect_due() == 1
    assert usage.collect_due() == 0
