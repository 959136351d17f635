"""What survives a restart, and what a `kill -9` may cost. `design.md`, the sandbox."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests import local_aws
from tests.sandbox import cognito_kit
from tests.sandbox.cognito_kit import Kit


class Process:
    """A sandbox that can be stopped and started again on the same state."""

    def __init__(self, state_dir):
        self.port = local_aws.free_port()
        self.kit = Kit(f"http://127.0.0.1:{self.port}", state_dir)
        self._process = None

    def start(self):
        command = [sys.executable, "-m", "portal.sandbox", "--port", str(self.port)]
        command += ["--state-dir", str(self.kit.state_dir)]
        self._process = subprocess.Popen(
            command, cwd=local_aws.ROOT, env={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self._process.stdout.readline()

    def stop(self, number=signal.SIGTERM):
        """The exit code, and everything said on the way."""
        if self._process.poll() is None:
            os.kill(self._process.pid, number)
        output = self._process.communicate(timeout=15)
        return self._process.returncode, "".join(output)


@pytest.fixture
def process(tmp_path):
    process = Process(tmp_path / "state")
    yield process
    process.stop(signal.SIGKILL)


def furnish(kit):
    """One of everything that must come back."""
    pool = kit.pool()
    pool.set_trigger(cognito_kit.ECHO)
    robot = pool.create()
    added = pool.call("add_user_pool_client_secret", ClientId=robot["ClientId"])["ClientSecretDescriptor"]
    table = kit.client("dynamodb")
    table.create_table(
        TableName="claims",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.put_item(TableName="claims", Item={"id": {"S": robot["ClientId"]}, "tenant": {"S": "acme"}})
    api = kit.client("appsync").create_graphql_api(name="orders", authenticationType="API_KEY")["graphqlApi"]
    return pool, robot, added["ClientSecretValue"], api["apiId"]


def assert_furnished(kit, pool, robot, added, api):
    assert {row["ClientSecretId"].partition("--")[0] for row in pool.secrets(robot)} == {robot["ClientId"]}
    assert len(pool.secrets(robot)) == 2
    for value in (robot["ClientSecret"], added):
        status, document = pool.token(robot, value)
        assert status == 200, document
    assert pool.verified(document["access_token"])["tenant_id"] == "acme"
    item = kit.client("dynamodb").get_item(TableName="claims", Key={"id": {"S": robot["ClientId"]}})["Item"]
    assert item["tenant"] == {"S": "acme"}
    assert kit.client("appsync").get_graphql_api(apiId=api)["graphqlApi"]["name"] == "orders"


def kids(kit, pool):
    return [key["kid"] for key in json.loads(kit.http("GET", f"/{pool.id}/.well-known/jwks.json")[1])["keys"]]


def test_everything_is_back_after_a_clean_stop(process):
    process.start()
    furnished = furnish(process.kit)
    before = kids(process.kit, furnished[0])
    old_token = furnished[0].token(furnished[1])[1]["access_token"]
    control_token = (process.kit.state_dir / "control-token").read_text()

    code, output = process.stop()
    assert (code, output) == (0, "")
    process.start()

    assert_furnished(process.kit, *furnished)
    assert kids(process.kit, furnished[0]) == before
    assert furnished[0].verified(old_token)["client_id"] == furnished[1]["ClientId"]
    assert (process.kit.state_dir / "control-token").read_text() == control_token


def test_kill_loses_at_most_five_seconds(process):
    process.start()
    furnished = furnish(process.kit)
    time.sleep(5)

    process.stop(signal.SIGKILL)
    process.start()

    assert_furnished(process.kit, *furnished)


def test_ready_line_means_ready(process):
    line = process.start()

    assert f"http://127.0.0.1:{process.port}" in line
    assert urllib.request.urlopen(f"{process.kit.endpoint}/_ministack/health", timeout=2).status == 200


def test_interrupt_stops_cleanly(process):
    process.start()

    assert process.stop(signal.SIGINT) == (0, "")
