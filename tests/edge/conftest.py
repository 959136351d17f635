"""The local AWS the edge is tried against."""

import boto3
import pytest

from tests import local_aws


@pytest.fixture(scope="session")
def edge_endpoint(tmp_path_factory):
    with local_aws.sandbox(tmp_path_factory.mktemp("edge")) as endpoint:
        yield endpoint


@pytest.fixture
def session(edge_endpoint, monkeypatch):
    """A boto3 session that reaches the local AWS and nothing else."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", edge_endpoint)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", local_aws.REGION)
    return boto3.Session(region_name=local_aws.REGION)
