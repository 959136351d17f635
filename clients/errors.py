"""One tree of errors; every one carries a sentence for people and says whether the outcome is known."""

import re

# Not its 49 characters exactly: texts are cut to a length, and a secret cut in two is still most of a secret.
SHAPED_LIKE_A_SECRET = re.compile(r"cps_[a-z0-9]{1,8}_[0-9A-Za-z]{6,}")


def scrubbed(text: str) -> str:
    """Without anything shaped like one of our secrets: the last net under logs and stored details."""
    return SHAPED_LIKE_A_SECRET.sub("cps_***", text)


class PortalError(Exception):
    """`sentence`: what happened and what to do, for people. `technical`: folded detail, scrubbed of secrets."""

    code = "error"

    def __init__(self, sentence: str, *, technical: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.technical = sentence, scrubbed(technical)


class InvalidInput(PortalError):
    """Refused before anything was written; `fields` maps each field to its sentences."""

    code = "invalid"

    def __init__(self, fields: dict[str, list[str]]) -> None:
        super().__init__(" ".join(s for group in fields.values() for s in group))
        self.fields = fields


def refuse(problems: dict[str, list[str]]) -> None:
    """Raises InvalidInput when any field has a sentence against it."""
    found = {name: sentences for name, sentences in problems.items() if sentences}
    if found:
        raise InvalidInput(found)


class Conflict(PortalError):
    """Somebody else was first: a newer generation, another live operation, other parameters under the same id."""

    code = "conflict"


class ReviewOutdated(Conflict):
    """What was reviewed is not what would happen any more: it is reviewed again."""

    code = "review_outdated"


class NotReady(PortalError):
    """Something it is made of is missing or unusable. Nothing was spent in finding out."""

    code = "not_ready"


class AlreadyShown(PortalError):
    """The one reveal was used, or there is nothing sealed to show."""

    code = "already_shown"


class SealBroken(PortalError):
    """A sealed value does not open: wrong key, swapped row or damaged bytes."""

    code = "seal_broken"


class AuditUnavailable(Exception):
    """The trail takes no entry, so the act was not done. No PortalError: nobody may take it for a refusal."""


class AwsError(PortalError):
    """Something between us and AWS. Children say whether the call may have been applied."""

    code = "aws"


class Refused(AwsError):
    """AWS answered no, and will again: nothing was applied."""

    code = "refused"


class NotFound(Refused):
    """The thing does not exist in AWS."""

    code = "not_found"


class Overruled(Refused):
    """AWS holds something else than the person was shown, so the portal stopped: they look and decide anew."""

    code = "overruled"


class LimitReached(Refused):
    """A quota on how many, not on how often."""

    code = "limit"


class Throttled(AwsError):
    """Too often, or a parallel write: nothing was applied, later it may be."""

    code = "throttled"


class OutcomeUnknown(AwsError):
    """No answer, or a 5xx: the call may have been applied. Look before acting again."""

    code = "unknown"
