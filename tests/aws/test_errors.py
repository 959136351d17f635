"""AWS's words to ours: what was never sent is refused for good, what may have arrived is unknown."""

import botocore.exceptions as theirs
import pytest

from clients.aws.cognito import Gateway
from clients.aws.errors import translated
from clients.errors import OutcomeUnknown, Refused, Throttled
from tests.support import REGION

NEVER_SENT = [
    theirs.ParamValidationError(report="Missing required parameter"),
    theirs.UnknownKeyError(value="x", param="y", choices="z"),
    theirs.RangeError(value=1, param="y", min_value=2, max_value=3),
    theirs.UnknownParameterError(name="x", operation="y", choices="z"),
    theirs.MissingParametersError(object_name="x", missing="y"),
    theirs.InvalidRegionError(region_name="eu west"),
    theirs.NoRegionError(),
    theirs.UnknownEndpointError(service_name="x", region_name="y"),
    theirs.EndpointResolutionError(msg="x"),
    theirs.NoCredentialsError(),
    theirs.PartialCredentialsError(provider="env", cred_var="x"),
]


@pytest.mark.parametrize("error", NEVER_SENT, ids=lambda error: type(error).__name__)
def test_what_was_never_sent_is_refused(error):
    with pytest.raises(Refused) as caught, translated("any"):
        raise error
    assert caught.value.sentence and str(error)[:40] in caught.value.technical


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (theirs.EndpointConnectionError(endpoint_url="x"), Throttled),
        (theirs.ReadTimeoutError(endpoint_url="x"), OutcomeUnknown),
        (theirs.ConnectionClosedError(endpoint_url="x"), OutcomeUnknown),
    ],
)
def test_what_may_be_tried_again_is_not_refused(error, ours):
    with pytest.raises(ours), translated("any"):
        raise error


def test_an_empty_id_is_refused_and_not_sent(sandbox):
    sandbox.clear()
    with pytest.raises(Refused):
        Gateway(REGION, f"{REGION}_x").describe_client("")
    assert sandbox.calls() == []


def test_a_region_that_cannot_be_is_refused(sandbox):
    with pytest.raises(Refused):
        Gateway("eu west", "eu-west-1_x").describe_pool()
