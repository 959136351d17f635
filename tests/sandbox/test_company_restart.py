"""The company's API answers the same rows after a restart of its sandbox, with a token from before and a new one."""

from types import SimpleNamespace

import pytest

from portal.sandbox.company import EXAMPLE_CALLS, Company, get_token
from tests.sandbox.test_company import SECRET, ask, token_for
from tests.sandbox.test_process_state import Process


@pytest.fixture
def process(tmp_path):
    process = Process(tmp_path / "state")
    yield process
    process.stop(9)


def test_graphql_rows_are_equal_before_and_after_a_clean_stop(process):
    process.start()
    company = Company(process.kit.endpoint)
    company.facts = company.build()
    tokens = {table: token_for(company, "northwind", f"{table}/read") for table in EXAMPLE_CALLS}
    clients = company.cognito.list_user_pool_clients(UserPoolId=company.facts["user_pool_id"], MaxResults=60)
    before = {table: ask(company, call, tokens[table]) for table, call in EXAMPLE_CALLS.items()}
    assert all(len(answer["data"][table]["items"]) >= 3 for table, answer in before.items())

    assert process.stop() == (0, "")
    process.start()

    again = SimpleNamespace(facts=Company(process.kit.endpoint).build())
    assert again.facts == company.facts, "nothing is made anew"
    assert {table: ask(again, call, tokens[table]) for table, call in EXAMPLE_CALLS.items()} == before
    client_id = clients["UserPoolClients"][0]["ClientId"]
    fresh = get_token(again.facts["token_url"], client_id, SECRET, "orders/read")
    assert ask(again, EXAMPLE_CALLS["orders"], fresh) == before["orders"]
