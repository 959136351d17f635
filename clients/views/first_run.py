"""The first run: from an empty database to the first token, one step after the other."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from clients import permissions
from clients.attention import setup_done
from clients.models import ResourceServer, User, UserPool

ADMINISTRATORS = (permissions.can_connect_pool, permissions.can_define_attribute)


@dataclass(frozen=True)
class Step:
    """`command` is for the shell, where there is no page or the person has none; `who`: whom to ask instead."""

    title: str
    why: str
    command: str
    path: str
    act: str
    state: str  # done, now, then, any time
    who: str = ""


@dataclass(frozen=True)
class Plan:
    title: str
    why: str
    page: str = ""
    act: str = ""
    may: Any = None
    is_optional: bool = False


PLANS = {
    "pool": Plan("Connect a user pool", "The portal looks after the app clients of a pool that exists in Cognito, "
                 "with two DynamoDB tables that clients/edge/template.yaml makes.", may=permissions.can_connect_pool),
    "trigger": Plan("Install the trigger", "It puts the attributes into tokens, and reports when they are issued.",
                    may=permissions.can_connect_pool),
    "server": Plan("Adopt a resource server", "It names your API; its scopes are what a client may ask for.",
                   "server-adopt", "Adopt resource server", permissions.can_change_catalogue),
    "attribute": Plan("Define an attribute", "What tokens say of a tenant beside its name: its plan, its region.",
                      "attribute-define", "Define attribute", permissions.can_define_attribute, is_optional=True),
    "tenant": Plan("Create a tenant", "The customer organisation a client belongs to.",
                   "tenant-create", "Create tenant", permissions.can_change_tenants),
    "client": Plan("Create a client", "One for each of the customer’s servers.",
                   "client-create", "Create client", permissions.can_create_client),
    "delivered": Plan("Deliver its secret", "It is shown once, with a curl kit that is ready to run.",
                      "client-list", "Find the client", permissions.can_view_clients),
    "token": Plan("See the first token", "As soon as the customer’s server asked for one it stands here, within a "
                  "minute.", may=permissions.can_view_clients),
}  # fmt: skip


def setup_steps(user: User, pools: list[UserPool]) -> list[Step]:
    """Nothing once a first token was seen. The first step that is open, and may not wait, is the next."""
    done = setup_done(user, pools)
    if done["token"]:
        return []
    following = next(name for name, plan in PLANS.items() if not done[name] and not plan.is_optional)
    commands = _commands(pools)

    def step(name: str, plan: Plan) -> Step:
        return _step(user, name, plan, commands.get(name, ""), is_done=done[name], is_next=name == following)

    return [step(name, plan) for name, plan in PLANS.items()]


def _step(user: User, name: str, plan: Plan, command: str, *, is_done: bool, is_next: bool) -> Step:
    is_open = not is_done and (is_next or plan.is_optional)
    state = "done" if is_done else "now" if is_next else "any time" if plan.is_optional else "then"
    if not is_open:
        return Step(plan.title, plan.why, "", "", "", state)
    if not plan.may(user):
        whose = "administrator" if plan.may in ADMINISTRATORS else "operator"
        return Step(plan.title, plan.why, "", "", "", state, f"An {whose} does this.")
    return Step(plan.title, plan.why, command, _page(name, plan) if plan.page else "", plan.act, state)


def _page(name: str, plan: Plan) -> str:
    bare = ResourceServer.objects.first() if name == "server" else None
    return reverse("server-change", args=[bare.pk]) if bare else reverse(plan.page)  # one without scopes gets them


def _commands(pools: list[UserPool]) -> dict[str, str]:
    """Of what no page does: whole, but for what only the person knows, in capitals."""
    found = {
        "pool": "manage.py connect_pool --environment prod --region REGION --user-pool-id POOL_ID --claims-table claims"
        " --usage-table usage --trigger-mode observe --actor YOUR_EMAIL"
    }
    for pool in pools[:1]:
        found["trigger"] = (
            f"manage.py install_trigger --pool-id {pool.user_pool_id} --region {pool.region} --claims-table "
            f"{pool.claims_table} --usage-table {pool.usage_table} --role-arn ROLE_ARN --mode observe"
        )
    return found
