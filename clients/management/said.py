"""How commands answer: rows found by what people call them, refusals as one sentence per field."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError

from clients.errors import InvalidInput, PortalError
from clients.management.actor import find_actor
from clients.models import Tenant, User, UserPool


@contextmanager
def refusals_told() -> Iterator[None]:
    """Turns what a service refuses into the command's own ending: exit 1, the sentences on stderr."""
    try:
        yield
    except InvalidInput as error:
        lines = [f"{field}: {sentence}" for field, group in error.fields.items() for sentence in group]
        raise CommandError("\n".join(lines)) from None
    except PortalError as error:
        raise CommandError(error.sentence) from None


def find_actor_who_may(email: str, may: Callable[[Any], bool], act: str) -> tuple[User, str]:
    """(person, the way as the trail names it). Refused for people whose role may not do it."""
    actor, via = find_actor(email)
    if not may(actor):
        raise CommandError(f"{actor.email} is {actor.get_role_display()} and may not {act}.")
    return actor, via


def find_pool(name: str) -> UserPool:
    """By environment label or Cognito's pool id."""
    pool = UserPool.objects.filter(environment=name).first() or UserPool.objects.filter(user_pool_id=name).first()
    if pool is None:
        raise CommandError(f"There is no pool {name}. `manage.py connect_pool` connects one.")
    return pool


def find_tenant(slug: str) -> Tenant:
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise CommandError(f"There is no tenant {slug}. `manage.py create_tenant` makes one.")
    return tenant


def pairs(option: str, given: list[str]) -> dict[str, str]:
    """`claim=value`, repeated, as a mapping."""
    split = [pair.partition("=") for pair in given]
    for name, equals, _ in split:
        if not equals or not name:
            raise CommandError(f"{option} {name}: write claim=value.")
    return {name: value for name, _, value in split}
