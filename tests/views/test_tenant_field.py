"""Choosing a tenant where there are more than a list may hold."""

import html
import re

import pytest

from clients.forms.url_filter import LONGEST_CHOICE
from clients.models import Tenant


def text(answer):
    return html.unescape(answer.content.decode())


@pytest.fixture
def many(world, client):
    client.force_login(world.people["administrator"])
    Tenant.objects.bulk_create(Tenant(slug=f"many-{n}", name=f"Many {n}") for n in range(LONGEST_CHOICE))


def test_few_are_chosen_from_a_list(world, client):
    client.force_login(world.people["administrator"])
    assert '<option value="northwind"' in text(client.get("/clients/new/"))


@pytest.mark.parametrize("page", ["/clients/new/", "/people/invite/"])
def test_many_are_not_listed(many, client, page):
    body = text(client.get(page))
    assert "many-7" not in body and re.search(r'<input[^>]*name="tenant"', body)
    assert "Its name or slug." in body


@pytest.mark.parametrize("typed", ["northwind", "Northwind Logistics", " northwind logistics "])
def test_one_of_many_is_found_by_name_or_slug(many, client, typed):
    answer = client.get("/clients/new/", {"tenant": typed})
    assert answer.context["draft"].tenant.slug == "northwind"


@pytest.mark.parametrize(
    ("typed", "said"), [("north", "Did you mean Northwind Logistics?"), ("nobody", "Look for it on the Tenants page.")]
)
def test_one_that_is_not_there_is_told_beside_the_field(many, client, typed, said):
    body = text(client.get("/clients/new/", {"tenant": typed}))
    assert "No tenant has this name or slug. " + said in body and f'value="{typed}"' in body


def test_few_and_many_cost_the_same(world, client, django_assert_num_queries):
    client.force_login(world.people["administrator"])
    client.get("/clients/new/")
    with django_assert_num_queries(12):
        client.get("/clients/new/")
    Tenant.objects.bulk_create(Tenant(slug=f"many-{n}", name=f"Many {n}") for n in range(LONGEST_CHOICE))
    with django_assert_num_queries(12):
        client.get("/clients/new/")
