"""The two secrets of an app client. `cognito_facts.md` section 2."""

import threading
import time

import pytest

from tests.sandbox.cognito_kit import code_of

CHOSEN = "chosen_" + "x" * 30


def add(pool, robot, **options):
    return pool.call("add_user_pool_client_secret", ClientId=robot["ClientId"], **options)["ClientSecretDescriptor"]


def delete(pool, robot, secret_id):
    pool.call("delete_user_pool_client_secret", ClientId=robot["ClientId"], ClientSecretId=secret_id)


def test_original_secret_is_a_list_member(pool):
    robot = pool.create()

    [row] = pool.secrets(robot)

    assert set(row) == {"ClientSecretId", "ClientSecretCreateDate"}
    name, _, epoch = row["ClientSecretId"].partition("--")
    assert name == robot["ClientId"] and abs(int(epoch) - time.time()) < 60


def test_added_value_is_returned_only_when_generated(pool):
    robot, other = pool.create(), pool.create()

    assert len(add(pool, robot)["ClientSecretValue"]) >= 24
    assert "ClientSecretValue" not in add(pool, other, ClientSecret=CHOSEN)
    assert pool.token(other, CHOSEN)[0] == 200


def test_secret_ids_are_unique_within_a_second(pool):
    robot = pool.create()
    seen = {pool.secrets(robot)[0]["ClientSecretId"]}

    for _ in range(3):
        added = add(pool, robot)["ClientSecretId"]
        delete(pool, robot, added)
        seen.add(added)

    assert len(seen) == 4


def test_third_secret_is_refused(pool):
    robot = pool.create()
    add(pool, robot)

    assert code_of(add, pool, robot) == "LimitExceededException"
    assert len(pool.secrets(robot)) == 2


def test_secrets_added_at_once_are_still_two_at_most(pool):
    robot, codes = pool.create(), []
    threads = [threading.Thread(target=lambda: codes.append(code_of(add, pool, robot))) for _ in range(6)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes.count(None) == 1 and len(pool.secrets(robot)) == 2


def test_last_secret_cannot_be_deleted(pool):
    robot = pool.create()
    [row] = pool.secrets(robot)

    assert code_of(delete, pool, robot, row["ClientSecretId"]) == "InvalidParameterException"
    assert pool.token(robot)[0] == 200


def test_deleting_the_original_leaves_the_added_one(pool):
    robot = pool.create()
    [original] = pool.secrets(robot)
    value = add(pool, robot)["ClientSecretValue"]

    delete(pool, robot, original["ClientSecretId"])

    assert pool.token(robot)[1] == {"error": "invalid_client"}
    assert pool.token(robot, value)[0] == 200
    described = pool.call("describe_user_pool_client", ClientId=robot["ClientId"])["UserPoolClient"]
    assert "ClientSecret" not in described
    assert not [name for name in described if name.startswith("_")]


@pytest.mark.parametrize("operation", ["add_user_pool_client_secret", "list_user_pool_client_secrets"])
def test_unknown_client_is_not_found(pool, operation):
    assert code_of(pool.call, operation, ClientId="nobody") == "ResourceNotFoundException"


def test_unknown_secret_is_not_found(pool):
    assert code_of(delete, pool, pool.create(), "nobody--1") == "ResourceNotFoundException"


def test_public_client_takes_no_secret(pool):
    robot = pool.create(GenerateSecret=None, AllowedOAuthFlows=None)

    assert pool.secrets(robot) == []
    assert code_of(add, pool, robot) == "InvalidParameterException"


@pytest.mark.parametrize("value", ["x" * 23, "x" * 65, "x" * 30 + "-", "ü" * 30, "x" * 30 + "\n"])
def test_chosen_secret_of_a_wrong_shape_is_refused(pool, value):
    robot = pool.create()
    refused = {"ClientSecret": value}
    # boto3 itself refuses what is too short, so ask without its checks.
    cognito = pool.kit.client("cognito-idp", parameter_validation=False)

    names = {"UserPoolId": pool.id, "ClientId": robot["ClientId"]}
    assert code_of(cognito.add_user_pool_client_secret, **names, **refused) == "InvalidParameterException"
    names = {"UserPoolId": pool.id, "ClientName": "robot"}
    assert code_of(cognito.create_user_pool_client, **names, **refused) == "InvalidParameterException"


def test_generated_and_chosen_together_are_refused(pool):
    assert code_of(pool.create, ClientSecret=CHOSEN) == "InvalidParameterException"


def test_new_secret_works_after_its_delay(calm):
    pool = calm.pool()
    robot = pool.create()
    calm.control("POST", "/_sandbox/settings", {"secret_delay_seconds": 0.4})

    value = add(pool, robot)["ClientSecretValue"]

    assert pool.token(robot, value)[1] == {"error": "invalid_client"}
    assert pool.token(robot)[0] == 200
    time.sleep(0.5)
    assert pool.token(robot, value)[0] == 200


def test_removed_secret_works_within_its_grace(calm):
    pool = calm.pool()
    robot = pool.create()
    [original] = pool.secrets(robot)
    add(pool, robot)
    calm.control("POST", "/_sandbox/settings", {"removed_secret_grace_seconds": 0.5})

    delete(pool, robot, original["ClientSecretId"])

    assert pool.token(robot)[0] == 200
    time.sleep(0.6)
    assert pool.token(robot)[1] == {"error": "invalid_client"}
