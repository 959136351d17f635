"""Resource servers compared with Cognito: what differs is noted, nothing is changed here or there."""

from django.utils import timezone

from clients.aws.cognito import Gateway
from clients.models import AuditEntry, Operation, UserPool
from clients.services import catalogue, catalogue_sync, pool_sync
from clients.services.operations import resume_due
from tests.services.test_catalogue import change, orders, quick, remote  # noqa: F401  (one is a fixture)


def in_console(world, scopes, name="orders"):
    described = [{"ScopeName": key, "ScopeDescription": told} for key, told in scopes.items()]
    world.cognito.update_resource_server(
        UserPoolId=world.pool.user_pool_id, Identifier="orders", Name=name, Scopes=described
    )


def sweep(world):
    """As the worker does it; what stands on the server `orders` afterwards."""
    UserPool.objects.update(compared_at=None)
    pool_sync.compare_due()
    return orders(world).drift


def is_gone(world):
    return {scope.name: scope.gone_at is not None for scope in orders(world).scopes.all()}


def test_servers_as_adopted_are_in_sync(world):
    assert sweep(world) == {} and not AuditEntry.objects.filter(action="resource_server:observe").exists()


def test_what_differs_in_cognito_is_noted_once_and_overwrites_nothing(world):
    world.create(scopes=["orders/write"])
    in_console(world, {"read": "By the console", "void": "Void"}, name="Renamed there")
    world.sandbox.clear()
    found = {"name": "Renamed there", "gone": ["write"], "added": ["void"], "described": {"read": "By the console"}}
    assert sweep(world) == found and sweep(world) == found
    assert world.sandbox.writes() == [] and orders(world).generation == 1
    assert dict(orders(world).scopes.values_list("name", "description"))["read"] == "read orders"
    assert is_gone(world) == {"read": False, "write": True}
    assert AuditEntry.objects.get(action="resource_server:observe").detail["differs"] == found


def test_reading_again_ends_what_was_noted(world):
    world.create(scopes=["orders/write"])
    in_console(world, {"read": "By the console"})
    sweep(world)
    catalogue.adopt_resource_server(world.pool, actor=world.people["operator"], identifier="orders")
    assert orders(world).drift == {} and is_gone(world) == {"read": False, "write": True}
    assert sweep(world) == {}, "read and marked: nothing new"


def test_what_comes_back_in_cognito_is_not_noted_any_more(world):
    in_console(world, {"read": "read orders"})
    assert sweep(world) == {"gone": ["write"]}
    in_console(world, {"read": "read orders", "write": "write orders"})
    assert sweep(world) == {} and is_gone(world) == {"read": False, "write": False}


def test_a_server_that_is_gone_is_noted_with_all_of_its_scopes(world):
    world.cognito.delete_resource_server(UserPoolId=world.pool.user_pool_id, Identifier="orders")
    assert sweep(world) == {"missing": True} and is_gone(world) == {"read": True, "write": True}


def test_cognito_out_of_reach_leaves_what_was_noted(world):
    in_console(world, {"read": "read orders"})
    sweep(world)
    in_console(world, {"read": "read orders", "write": "write orders"})
    world.sandbox.fault("ListResourceServers", "throttle")
    assert sweep(world) == {"gone": ["write"]} and UserPool.objects.get().compared_at is not None


def test_a_change_that_waits_is_no_difference(world):
    world.sandbox.fault("UpdateResourceServer", "lose_answer")
    waiting = change(world, orders(world), descriptions={"read": "See"})
    assert waiting.is_live and remote(world, "orders")[1]["read"] == "See"
    assert sweep(world) == {}
    Operation.objects.update(next_try_at=timezone.now())
    resume_due()
    assert sweep(world) == {} and orders(world).scopes.get(name="read").description == "See"


def test_a_server_changed_here_during_the_look_is_not_noted(world, monkeypatch):
    in_console(world, {"read": "By the console", "write": "write orders"})
    look = Gateway.list_resource_servers

    def late(self):
        found = list(look(self))
        catalogue.adopt_resource_server(world.pool, actor=world.people["operator"], identifier="orders")
        return found

    monkeypatch.setattr(Gateway, "list_resource_servers", late)
    catalogue_sync.compare_servers(world.pool)
    assert orders(world).drift == {}


def test_all_pages_of_a_pools_servers_are_compared(world):
    for n in range(50):
        world.cognito.create_resource_server(
            UserPoolId=world.pool.user_pool_id, Identifier=f"a{n:02}", Name="x", Scopes=[]
        )
    world.sandbox.clear()
    assert sweep(world) == {}
    assert [call["operation"] for call in world.sandbox.calls()].count("ListResourceServers") == 2
