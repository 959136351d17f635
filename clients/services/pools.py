"""User pools: connect one, and check that it is still there."""

import logging
import re
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from clients.aws.cognito import Gateway
from clients.errors import InvalidInput, NotFound, PortalError
from clients.models import Outcome, User, UserPool
from clients.services import audit

logger = logging.getLogger(__name__)


def connect_pool(
    *,
    actor: User,
    environment: str,
    region: str,
    user_pool_id: str,
    token_url: str = "",
    issuer: str = "",
    jwks_url: str = "",
    claims_table: str,
    usage_table: str,
    trigger_mode: str = "none",
    via: str = "web",
) -> UserPool:
    """Records a pool that Cognito knows. URLs default to AWS's own; overriding them is an administrator's act."""
    if not re.fullmatch(r"[a-z0-9]{1,8}", environment, re.ASCII):
        raise InvalidInput(
            {"environment": ["1 to 8 lower-case letters and digits, such as prod: it is part of every secret."]}
        )
    _refuse_known(environment, user_pool_id)
    described = _look_up(region, user_pool_id)
    domain = described.get("CustomDomain") or described.get("Domain") or ""
    issuer = issuer or f"https://cognito-idp.{region}.amazonaws.com/{user_pool_id}"
    with transaction.atomic():
        pool = UserPool.objects.create(
            environment=environment,
            region=region,
            user_pool_id=user_pool_id,
            domain=domain,
            issuer=issuer,
            token_url=token_url or _token_url(domain, region),
            jwks_url=jwks_url or f"{issuer}/.well-known/jwks.json",
            claims_table=claims_table,
            usage_table=usage_table,
            trigger_mode=trigger_mode,
            **_plan_and_trigger(described),
        )
        audit.append("pool:connect", Outcome.OK, actor=actor, via=via, pool=pool, detail={"user_pool_id": user_pool_id})
    return pool


def _refuse_known(environment: str, user_pool_id: str) -> None:
    problems: dict[str, list[str]] = {}
    if UserPool.objects.filter(environment=environment).exists():
        problems["environment"] = [f"Another pool is connected as {environment}."]
    if UserPool.objects.filter(user_pool_id=user_pool_id).exists():
        problems["user_pool_id"] = [f"{user_pool_id} is connected already."]
    if problems:
        raise InvalidInput(problems)


def _look_up(region: str, user_pool_id: str) -> dict[str, Any]:
    try:
        return Gateway(region, user_pool_id).describe_pool()
    except NotFound:
        raise InvalidInput({"user_pool_id": [f"Cognito has no user pool {user_pool_id} in {region}."]}) from None


def _plan_and_trigger(described: dict[str, Any]) -> dict[str, Any]:
    """What decides whether machine tokens carry claims, and when we looked."""
    return {
        "tier": described.get("UserPoolTier", ""),
        "trigger_version": trigger_version(described),
        "trigger_arn": described.get("LambdaConfig", {}).get("PreTokenGenerationConfig", {}).get("LambdaArn", ""),
        "checked_at": timezone.now(),
    }


def change_urls(pool: UserPool, *, actor: User, token_url: str, jwks_url: str, via: str = "web") -> None:
    """Where tokens and keys of the pool are found, when not at AWS's own addresses. Saying the same again is no act."""
    before = {"token_url": pool.token_url, "jwks_url": pool.jwks_url}
    after = {"token_url": token_url, "jwks_url": jwks_url}
    if before == after:
        return
    with transaction.atomic():
        UserPool.objects.filter(pk=pool.pk).update(**after)
        audit.append(
            "pool:change_urls", Outcome.OK, actor=actor, via=via, pool=pool, detail={"before": before, "after": after}
        )


def _token_url(domain: str, region: str) -> str:
    """Prefix domains live under amazoncognito.com, custom ones stand alone; without a domain there is no endpoint."""
    if not domain:
        return ""
    host = domain if "." in domain else f"{domain}.auth.{region}.amazoncognito.com"
    return f"https://{host}/oauth2/token"


def check_presence(pool: UserPool) -> bool:
    """False, and marked so, when Cognito says the pool does not exist: then nothing about its clients is drift.

    Notes plan and trigger as they are now.
    """
    try:
        described = Gateway(pool.region, pool.user_pool_id).describe_pool()
        facts = {"is_missing": False} | _plan_and_trigger(described)
    except NotFound:
        facts = {"is_missing": True, "checked_at": timezone.now()}
    UserPool.objects.filter(pk=pool.pk).update(**facts)
    return not facts["is_missing"]


def check_due() -> int:
    """Looks at the pools not looked at for a minute. One that cannot be reached keeps what was known."""
    due = UserPool.objects.exclude(checked_at__gt=timezone.now() - timedelta(minutes=1))
    for pool in due:
        try:
            check_presence(pool)
        except PortalError as error:
            logger.warning("checking pool %s: %s", pool, error.technical)
    return len(due)


def trigger_version(described: dict[str, Any]) -> str:
    """V1_0, V2_0, V3_0, or nothing (cognito_facts section 5: the old field without a version is V1_0)."""
    triggers = described.get("LambdaConfig", {})
    version = triggers.get("PreTokenGenerationConfig", {}).get("LambdaVersion", "")
    return version or ("V1_0" if triggers.get("PreTokenGeneration") else "")


def note_trigger(pool: UserPool, *, arn: str, mode: str, actor: User | None, via: str) -> None:
    """A person has just attached our trigger to this pool: from here on another function in its slot is named.

    Saying the same again is no act.
    """
    facts = {"installed_trigger_arn": arn, "trigger_arn": arn, "trigger_version": "V3_0", "trigger_mode": mode}
    if facts == {name: getattr(pool, name) for name in facts}:
        return
    with transaction.atomic():
        UserPool.objects.filter(pk=pool.pk).update(**facts)
        audit.append(
            "pool:install_trigger", Outcome.OK, actor=actor, via=via, pool=pool, detail={"arn": arn, "mode": mode}
        )
