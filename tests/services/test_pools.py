"""Pools: connected as Cognito describes them, looked at again and again."""

import pytest

from clients.errors import InvalidInput
from clients.models import AuditEntry, UserPool
from clients.services import claims, pools

FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:claims"


def with_trigger(world, config, tier="ESSENTIALS"):
    world.cognito.update_user_pool(UserPoolId=world.pool.user_pool_id, UserPoolTier=tier, LambdaConfig=config)
    UserPool.objects.update(checked_at=None)
    pools.check_due()
    world.pool.refresh_from_db()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "no pre token generation trigger"),
        ({"PreTokenGeneration": FUNCTION}, "V1_0"),
        ({"PreTokenGenerationConfig": {"LambdaVersion": "V2_0", "LambdaArn": FUNCTION}}, "V3_0 only"),
    ],
)
def test_why_claims_are_not_in_the_token_is_what_cognito_says(world, config, words):
    with_trigger(world, config)
    app_client = world.create()
    assert words in claims.why_not_in_token(app_client)


def test_claims_are_in_the_token_once_the_trigger_is_there_and_the_document_is_published(world):
    with_trigger(world, {"PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": FUNCTION}})
    app_client = world.create()
    assert claims.why_not_in_token(app_client) == ""
    app_client.document_version += 1
    assert "not published yet" in claims.why_not_in_token(app_client)


def test_pool_out_of_reach_keeps_what_was_known(world):
    with_trigger(world, {"PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": FUNCTION}})
    UserPool.objects.update(checked_at=None)
    world.sandbox.fault("DescribeUserPool", "error_500")
    pools.check_due()
    world.pool.refresh_from_db()
    assert world.pool.trigger_version == "V3_0" and not world.pool.is_missing


@pytest.mark.parametrize(
    ("environment", "field"), [("Prod", "environment"), ("production1", "environment"), ("ü", "environment")]
)
def test_connect_pool_refuses_an_environment_that_cannot_stand_in_a_secret(world, environment, field):
    with pytest.raises(InvalidInput) as refused:
        pools.connect_pool(
            actor=world.people["administrator"], environment=environment, region="eu-west-1", user_pool_id="eu-west-1_x",
            claims_table="c", usage_table="u",
        )  # fmt: skip
    assert field in refused.value.fields


def test_connect_pool_that_cognito_does_not_know_is_refused(world):
    with pytest.raises(InvalidInput, match="no user pool eu-west-1_nothing"):
        pools.connect_pool(
            actor=world.people["administrator"], environment="other", region="eu-west-1", user_pool_id="eu-west-1_nothing",
            claims_table="c", usage_table="u",
        )  # fmt: skip
    assert UserPool.objects.count() == 1


def test_change_urls_is_audited_once(world):
    urls = {"token_url": "https://auth.example/oauth2/token", "jwks_url": "https://auth.example/jwks.json"}
    for _ in range(2):
        pools.change_urls(world.pool, actor=world.people["administrator"], **urls)
        world.pool.refresh_from_db()
    assert AuditEntry.objects.filter(action="pool:change_urls").count() == 1


def test_a_foreign_function_in_the_slot_is_named(world):
    pools.note_trigger(world.pool, arn=FUNCTION, mode="observe", actor=None, via="test")
    with_trigger(world, {"PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": FUNCTION + "-other"}})
    assert "Another function holds" in world.pool.why_no_claims and "-other" in world.pool.why_no_claims
    with_trigger(world, {"PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": FUNCTION}})
    assert world.pool.why_no_claims == ""


def test_a_trigger_nobody_installed_here_is_not_believed(world):
    UserPool.objects.update(trigger_mode="none")
    with_trigger(world, {"PreTokenGenerationConfig": {"LambdaVersion": "V3_0", "LambdaArn": FUNCTION}})
    assert "was not installed by the portal" in world.pool.why_no_claims


def test_install_trigger_writes_what_it_installed_on_the_pools_row(world):
    pools.note_trigger(world.pool, arn=FUNCTION, mode="enforce", actor=None, via="test")
    world.pool.refresh_from_db()
    assert (world.pool.installed_trigger_arn, world.pool.trigger_mode) == (FUNCTION, "enforce")
    assert AuditEntry.objects.get(action="pool:install_trigger").detail == {"arn": FUNCTION, "mode": "enforce"}
