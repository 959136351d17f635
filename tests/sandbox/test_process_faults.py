"""Faults on request, quotas and the log of calls. `design.md`, the sandbox."""

import json
import time

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.sandbox.cognito_kit import code_of


def names(pool):
    return [item["ClientName"] for item in pool.call("list_user_pool_clients", MaxResults=60)["UserPoolClients"]]


def test_dropped_call_is_not_applied(calm):
    pool = calm.pool()
    calm.fault("CreateUserPoolClient", "drop")

    with pytest.raises(ConnectionClosedError):
        pool.create(ClientName="dropped")

    assert names(pool) == []
    pool.create(ClientName="second")
    assert names(pool) == ["second"]


def test_call_that_loses_its_answer_is_applied(calm):
    pool = calm.pool()
    calm.fault("CreateUserPoolClient", "lose_answer")

    with pytest.raises(ConnectionClosedError):
        pool.create(ClientName="there")

    assert names(pool) == ["there"]


def test_boto3_left_to_itself_creates_several(calm):
    """Why calls that are not idempotent get one attempt: section 13."""
    pool = calm.pool()
    calm.fault("CreateUserPoolClient", "lose_answer", times=2)
    eager = calm.client("cognito-idp", retries={"total_max_attempts": 3})

    eager.create_user_pool_client(UserPoolId=pool.id, ClientName="twin")

    assert names(pool) == ["twin"] * 3


def test_throttle_and_error_are_not_applied(calm):
    pool = calm.pool()
    calm.fault("CreateUserPoolClient", "throttle")
    calm.fault("CreateUserPoolClient", "error_500")

    assert code_of(pool.create) == "TooManyRequestsException"
    assert code_of(pool.create) == "InternalErrorException"
    assert names(pool) == []


def test_throttled_table_uses_its_own_word(calm):
    calm.fault("ListTables", "throttle")

    assert code_of(calm.client("dynamodb").list_tables) == "ProvisionedThroughputExceededException"


def test_slow_call_is_applied_after_its_caller_gave_up(calm):
    pool = calm.pool()
    hasty = calm.client("cognito-idp", read_timeout=0.2)
    calm.fault("CreateUserPoolClient", "slow", seconds=0.5)

    with pytest.raises(ReadTimeoutError):
        hasty.create_user_pool_client(UserPoolId=pool.id, ClientName="late")

    assert names(pool) == []
    time.sleep(0.6)
    assert names(pool) == ["late"]


def test_fault_skips_and_stops(calm):
    pool = calm.pool()
    calm.fault("CreateUserPoolClient", "throttle", skip=1, times=2)

    assert [code_of(pool.create) for _ in range(4)] == [None, *["TooManyRequestsException"] * 2, None]


def test_deleted_faults_are_gone(calm):
    calm.fault("CreateUserPoolClient", "throttle", times=9)
    calm.control("DELETE", "/_sandbox/faults")

    assert code_of(calm.pool().create) is None


@pytest.mark.parametrize(("kind", "status"), [("throttle", 429), ("error_500", 500)])
def test_fault_of_the_token_endpoint(calm, kind, status):
    pool = calm.pool()
    robot = pool.create()
    calm.fault("Token", kind)

    assert pool.token(robot)[0] == status
    assert pool.token(robot)[0] == 200


def test_dropped_token_request(calm):
    pool = calm.pool()
    calm.fault("Token", "drop")

    with pytest.raises(OSError):
        pool.token(pool.create())


def test_log_tells_what_was_asked_and_nothing_of_its_contents(calm):
    pool = calm.pool()
    calm.control("DELETE", "/_sandbox/calls")

    robot = pool.create()
    pool.token(robot)
    calm.client("dynamodb").list_tables()
    calm.client("lambda").list_functions()
    calm.client("sts").get_caller_identity()
    code_of(pool.create, ClientName="a/b")

    calls = calm.control("GET", "/_sandbox/calls")
    assert [(call["operation"], call["service"], call["status"]) for call in calls] == [
        ("CreateUserPoolClient", "cognito-idp", 200),
        ("Token", "cognito-idp", 200),
        ("ListTables", "dynamodb", 200),
        ("GET /2015-03-31/functions", "lambda", 200),
        ("GetCallerIdentity", "sts", 200),
        ("CreateUserPoolClient", "cognito-idp", 400),
    ]
    assert [call["pool"] for call in calls[:2]] == [pool.id, pool.id]
    assert [call["n"] for call in calls] == list(range(calls[0]["n"], calls[0]["n"] + 6))
    assert robot["ClientSecret"] not in json.dumps(calls)


def test_lost_call_stands_in_the_log_without_a_status(calm):
    pool = calm.pool()
    calm.control("DELETE", "/_sandbox/calls")
    calm.fault("CreateUserPoolClient", "lose_answer")

    with pytest.raises(ConnectionClosedError):
        pool.create()

    [call] = calm.control("GET", "/_sandbox/calls")
    assert (call["status"], call["fault"]) == (None, "lose_answer")


def test_quotas_are_per_operation_and_pool(calm):
    pool, other = calm.pool(), calm.pool()
    calm.control("POST", "/_sandbox/settings", {"quotas": True})
    started = time.monotonic()

    codes = [code_of(pool.call, "list_user_pool_clients", MaxResults=1) for _ in range(6)]

    if time.monotonic() - started < 0.9:
        assert codes == [None] * 5 + ["TooManyRequestsException"]
    assert code_of(other.call, "list_user_pool_clients", MaxResults=1) is None
    time.sleep(1.05)
    assert code_of(pool.call, "list_user_pool_clients", MaxResults=1) is None


def test_without_quotas_nothing_is_refused(calm):
    pool = calm.pool()

    for _ in range(12):
        try:
            pool.call("list_user_pool_clients", MaxResults=1)
        except ClientError as error:
            raise AssertionError("refused") from error
