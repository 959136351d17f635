"""The local AWS the edge is tried against."""

import os

import boto3
import pytest

from tests.local_aws import REGION


@pytest.fixture(scope="session")
def shared_session():
    """One for all: each new one reads botocore's models again."""
    return boto3.Session(region_name=REGION)


@pytest.fixture
def session(sandbox, shared_session, monkeypatch):
    """A boto3 session that reaches the sandbox and nothing else."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.endpoint)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return shared_session
