"""One boto3 client per service and Region and process, with one attempt per call."""

import threading
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from django.conf import settings

_building = threading.Lock()


def default_region() -> str | None:
    """Where boto3 goes when it is told no Region: AWS_DEFAULT_REGION, or the profile's."""
    return boto3.session.Session().region_name


@cache
def aws_client(service: str, region: str | None) -> Any:
    """One attempt: with every retry mode of the SDK a lost answer to a create was measured to leave several clients
    (failure_model.md, top). What may be repeated is repeated by the engine, which looks first."""
    seconds = settings.COGNITO_TIMEOUT_SECONDS
    config = Config(
        retries={"total_max_attempts": 1}, connect_timeout=seconds, read_timeout=seconds, max_pool_connections=20
    )
    session: Any = boto3.session.Session()  # Any: the service is a variable, the stubs want literals
    with _building:  # creating clients from one session is not thread-safe
        return session.client(service, region_name=region, config=config)
