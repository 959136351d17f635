"""Harbourline's account in the sandbox with our rows for it, and a real browser."""

import os

import pytest
from django.db import connection
from playwright.sync_api import sync_playwright

from clients.models import Role, User
from clients.services import attributes, catalogue, pools, tenants
from portal.sandbox import company
from tests.journeys.browser import ARGUMENTS, CHROMIUM
from tests.support import PASSWORD, drop_audit_triggers

# Playwright's loop runs in the thread of the test; the ORM is used there between its calls, never inside one.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def fill(sandbox):
    """The demo's AWS account and two of its tenants."""
    sandbox.clear()
    facts = company.Company(sandbox.endpoint).build()
    forget_other_servers(sandbox.aws("cognito-idp"), facts["user_pool_id"])
    admin = User.objects.create_user("administrator@portal.example", role=Role.ADMINISTRATOR)
    User.objects.create_user("operator@portal.example", PASSWORD, role=Role.OPERATOR, name="Olga")
    User.objects.create_user("support@portal.example", PASSWORD, role=Role.SUPPORT, name="Sam")
    User.objects.create_user("left@portal.example", role=Role.OPERATOR, is_active=False)
    pool = pools.connect_pool(
        actor=admin, environment="demo", region=facts["region"], user_pool_id=facts["user_pool_id"], token_url=facts["token_url"],
        jwks_url=facts["jwks_url"], claims_table="claims", usage_table="usage", trigger_mode="observe",
    )  # fmt: skip
    for identifier, call in company.EXAMPLE_CALLS.items():
        api = catalogue.Api("appsync", facts["graphql_url"], example_call=call)
        catalogue.adopt_resource_server(pool, actor=admin, identifier=identifier, api=api)
    attributes.define_attribute(
        actor=admin, claim_name="tier", type="choice", choices=["silver", "gold"], is_required=True
    )
    attributes.define_attribute(actor=admin, claim_name="rate_limit", type="integer", default=60, is_overridable=True)
    for slug, name in (("northwind", "Northwind"), ("acme-robotics", "Acme Robotics")):
        tenants.create_tenant(actor=admin, slug=slug, name=name, values={"tier": "gold"})
    return sandbox


def forget_other_servers(cognito, pool_id):
    """The account outlives a test; what another test created there would be refused as taken."""
    for server in cognito.list_resource_servers(UserPoolId=pool_id, MaxResults=50)["ResourceServers"]:
        if server["Identifier"] not in company.EXAMPLE_CALLS:
            cognito.delete_resource_server(UserPoolId=pool_id, Identifier=server["Identifier"])


@pytest.fixture
def harbourline(db, sandbox):
    return fill(sandbox)


@pytest.fixture
def live_harbourline(transactional_db, sandbox, live_server):
    """The same, served over real HTTP."""
    drop_audit_triggers(connection)
    return fill(sandbox)


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        pytest.skip("NO CHROMIUM: the browser journeys did not run. Install it, then run this again.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(request, chromium, live_server):
    """A fresh profile, with the parameter's context options. What the console says ends up in `page.complaints`:
    a violation of the content security policy is a failed test."""
    options = getattr(request, "param", {})
    context = chromium.new_context(base_url=live_server.url, accept_downloads=True, **options)
    page = context.new_page()
    page.has_script, page.complaints = options.get("java_script_enabled", True), []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.set_default_timeout(15_000)
    yield page
    context.close()


@pytest.fixture
def another(chromium, live_server):
    """The browser of somebody else: of a member of the tenant, or without an account."""
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    page.has_script, page.complaints = True, []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    page.set_default_timeout(15_000)
    yield page
    context.close()
