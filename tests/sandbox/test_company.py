"""The demo's company: complete, the same when built again, and its API answers each tenant with its own rows."""

import hashlib
import json
import urllib.request

import pytest

from portal.sandbox.company import CLAIMS_TABLE, EXAMPLE_CALLS, TRADE, Company, get_token
from tests import local_aws

SECRET = "ccp_test_0123456789012345678901234567890"


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    with local_aws.sandbox(tmp_path_factory.mktemp("company")) as endpoint:
        built = Company(endpoint)
        built.facts = built.build()
        yield built


def token_for(company, tenant, scope):
    """A token of a client whose published attributes name `tenant`."""
    created = company.cognito.create_user_pool_client(
        UserPoolId=company.facts["user_pool_id"],
        ClientName=tenant,
        ClientSecret=SECRET,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=["orders/read", "shipments/read"],
    )
    client_id = created["UserPoolClient"]["ClientId"]
    claims = json.dumps({"tenant_id": tenant})
    digest = hashlib.sha256(f"{client_id}\n1\nactive\n{claims}".encode()).hexdigest()
    item = {"client_id": client_id, "state": "active", "claims": claims, "digest": digest}
    document = {**{name: {"S": value} for name, value in item.items()}, "version": {"N": "1"}}
    company.dynamodb.put_item(TableName=CLAIMS_TABLE, Item=document)
    return get_token(company.facts["token_url"], client_id, SECRET, scope)


def ask(company, query, token):
    headers = {"Authorization": token, "Content-Type": "application/json"}
    request = urllib.request.Request(company.facts["graphql_url"], json.dumps({"query": query}).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def rows_of(company, table, tenant):
    items = company.dynamodb.scan(TableName=table)["Items"]
    return {item["id"]["S"] for item in items if item["tenant"]["S"] == tenant}


def test_company_built_again_is_the_same(company):
    before = {table: company.dynamodb.scan(TableName=table)["Items"] for table in EXAMPLE_CALLS}
    assert company.build() == company.facts
    assert {table: company.dynamodb.scan(TableName=table)["Items"] for table in EXAMPLE_CALLS} == before
    assert len(company.cognito.list_user_pools(MaxResults=60)["UserPools"]) == 1
    assert len(company.appsync.list_graphql_apis()["graphqlApis"]) == 1


@pytest.mark.parametrize("tenant", TRADE)
@pytest.mark.parametrize("table", EXAMPLE_CALLS)
def test_example_call_returns_the_rows_of_one_tenant(company, tenant, table):
    answer = ask(company, EXAMPLE_CALLS[table], token_for(company, tenant, f"{table}/read"))
    rows = answer["data"][table]["items"]
    assert {row["tenant"] for row in rows} == {tenant}
    assert {row["id"] for row in rows} == rows_of(company, table, tenant) and len(rows) >= 3


def test_example_call_without_its_scope_is_refused(company):
    answer = ask(company, EXAMPLE_CALLS["shipments"], token_for(company, "northwind", "orders/read"))
    assert answer["data"] == {"shipments": None} and "Unauthorized" in json.dumps(answer["errors"])
