"""AWS's words to ours, at one door: which answers mean "no", which "later", which "we do not know"."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    EndpointProviderError,
    MissingParametersError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    UnknownEndpointError,
    ValidationError,
)

from clients.errors import AwsError, LimitReached, NotFound, OutcomeUnknown, Refused, Throttled

LATER = {
    "TooManyRequestsException",
    "ThrottlingException",
    "ConcurrentModificationException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
}
NO_PERMISSION = "AWS refused: the portal's credentials may not do this. Ask an administrator to check its policy."
SENTENCES = {
    "ScopeDoesNotExistException": "Cognito does not know one of the scopes. Choose again.",
    "InvalidOAuthFlowException": "Cognito refused the combination of flows and scopes.",
    "NotAuthorizedException": NO_PERMISSION,
    "AccessDeniedException": NO_PERMISSION,
    "InvalidParameterException": "Cognito refused a value as invalid.",
    "DisabledException": "The KMS key is disabled. Enable it in AWS.",
    "KMSInvalidStateException": "The KMS key cannot be used as it is, for example because it is to be deleted.",
    "FeatureUnavailableInTierException": "The user pool's plan does not include this.",
}


# What botocore finds out by itself, before anything is sent. ParamValidationError is no ValidationError there.
UNSENT = (
    ParamValidationError,
    ValidationError,
    MissingParametersError,
    NoRegionError,
    UnknownEndpointError,
    EndpointProviderError,
)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turns botocore's exceptions into our tree; a 5xx or a lost answer is an unknown outcome, never a failure."""
    try:
        yield
    except ClientError as error:
        raise _from_answer(operation, error) from None
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        # Nothing was sent, so nothing was applied: this one may simply be tried again.
        raise Throttled("AWS cannot be reached just now.", technical=f"{operation}: {error}") from None
    except UNSENT as error:
        # Sending the same again would be refused again.
        raise Refused("The request is not one AWS takes, so it was not sent.", technical=str(error)[:500]) from None
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise Refused("The portal has no AWS credentials. Ask an administrator.", technical=str(error)) from None
    except BotoCoreError as error:
        raise OutcomeUnknown(
            "AWS did not answer, so it is not known whether it was applied.",
            technical=f"{operation}: {error}",
        ) from None


def _from_answer(operation: str, error: ClientError) -> AwsError:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    technical = f"{operation}: {code} (HTTP {status}): {error.response.get('Error', {}).get('Message', '')}"[:500]
    if code in LATER or status == 429:
        return Throttled("AWS asks to slow down.", technical=technical)
    if code == "ResourceNotFoundException":
        return NotFound("AWS answers that this does not exist.", technical=technical)
    if code == "LimitExceededException":
        return LimitReached(
            "A quota of the user pool is used up. Raise it in AWS or remove what is unused.", technical=technical
        )
    if status >= 500:
        return OutcomeUnknown(
            "AWS had an internal error, so it is not known whether it was applied.", technical=technical
        )
    return Refused(SENTENCES.get(code, "AWS refused the request."), technical=technical)
