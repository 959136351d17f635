"""A secret pasted where one searches: out of the address, the page and every link at once, whatever stands around it."""

import html
from urllib.parse import quote

import pytest

from clients import sealing
from clients.forms import url_filter
from clients.models import AuditEntry

LISTS = ["/clients/", "/activity/", "/tenants/", "/people/"]
VALUE, OTHER = (sealing.generate("prod").reveal() for _ in range(2))
WHOLE = [
    VALUE, f" {VALUE}\n", f"CLIENT_SECRET={VALUE}", f'"{VALUE}"', f"'{VALUE}',", f"{VALUE}.", f"secret: {VALUE} (prod)",
    f"{VALUE[:20]}\u200b{VALUE[20:]}", f"\ufeff{VALUE}", f"cp\u00ads{VALUE[3:]}", f"https://x.example/?s={VALUE}&a=b", "x" * 190 + VALUE,
]  # fmt: skip
UNSURE = [
    VALUE[:-1], f"{VALUE[:30]}{VALUE[31:]}", f"{VALUE}x", f"{VALUE} {OTHER}", f"{VALUE}{OTHER}", f"{VALUE[:30]} {VALUE[30:]}",
    f"{VALUE[:-1]}\u200b.", VALUE[:25], f"{VALUE[:11]} {VALUE[11:]}",
]  # fmt: skip


def parts():
    """Any eight characters in a row of what nobody should see; the ending alone may be shown."""
    return {secret[start : start + 8] for secret in (VALUE, OTHER) for start in range(4, 40)}


def search(client, path, text):
    """Where it led, and the page there."""
    answer = client.get(path, {"q": text, "status": ""}, follow=True)
    assert len(answer.redirect_chain) == 1 and answer.status_code == 200
    address, page = answer.redirect_chain[0][0], html.unescape(answer.content.decode())
    assert not [part for part in parts() if part in page or part in address or quote(part) in address], address
    return address, page


@pytest.mark.parametrize("path", LISTS)
def test_whole_secret_leaves_only_its_ending_in_the_address(client, operator, path):
    for text in WHOLE:
        address, page = search(client, path, text)
        assert address == f"{path}?q={VALUE[-4:]}" and "only its last four characters" in page, text


def test_secret_goes_no_further_than_to_the_sign_in(client, db):
    answer = client.get("/clients/", {"q": f"id {VALUE}"})
    assert answer["Location"].startswith("/account/login/?next=/clients/") and "cps_%2A%2A%2A" in answer["Location"]
    assert VALUE not in answer["Location"]


@pytest.mark.parametrize("path", LISTS)
def test_what_may_be_a_secret_is_not_searched_for(client, operator, make, path):
    make("one")
    for text in UNSURE:
        address, page = search(client, path, text)
        assert address == f"{path}?q=cps_%2A%2A%2A" and "looks like a client secret" in page, text
        assert ">one</a>" not in page, "it fits nothing rather than everything"


@pytest.mark.parametrize("text", ["northwind", "cps_prod", "cps_***", "orders/read", "Straße\u00ad", "\u200b"])
def test_other_words_are_searched_for_as_they_are(client, operator, text):
    for path in LISTS:
        assert client.get(path, {"q": text}).status_code == 200


def test_secret_in_any_other_place_of_the_address_goes_too(client, operator, monkeypatch):
    monkeypatch.setattr(url_filter, "LONGEST_CHOICE", 1)  # typed, not chosen
    for query in (f"tenant={VALUE}&status=active", f"contact={VALUE}x", f"{VALUE}=on", f"after={VALUE}"):
        answer = client.get(f"/clients/?{query}")
        assert answer.status_code == 302 and not [part for part in parts() if part in answer["Location"]]
        export = client.get(f"/clients/export.csv?{query}")
        assert b"".join(export.streaming_content)
        told = str(AuditEntry.objects.filter(action="client:export").last().detail)
        assert not [part for part in parts() if part in told]


def test_what_says_nothing_is_left_out_of_the_address(client, operator, make):
    """A form sends its empty fields too; an address somebody shares says only what is set."""
    answer = client.get("/clients/?q=&status=active&tenant=&scope=&idle=on&after=")
    assert answer.status_code == 302 and answer["Location"] == "/clients/?status=active&idle=on"
    assert client.get("/clients/?q=&status=")["Location"] == "/clients/"
    assert client.get("/activity/?q=&period=7&who=")["Location"] == "/activity/?period=7"
    assert client.get("/tenants/?q=")["Location"] == "/tenants/"
