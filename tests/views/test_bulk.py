"""What is done to the clients ticked in the list: set contact, export."""

import csv
import io

import pytest
from django.test import Client

from clients.forms import bulk
from clients.models import AppClient, AuditEntry, BulkRun, Status, User
from clients.models.ids import new_ulid
from clients.views import listing
from tests.support import PASSWORD


@pytest.fixture
def rows(make):
    return [make(f"client-{n}") for n in range(3)]


def send(client, chosen, contact, **more):
    ids = [getattr(row, "public_id", row) for row in chosen]
    return client.post("/clients/contact/", {"chosen": ids, "contact": getattr(contact, "pk", contact)} | more)


def contacts():
    return dict(AppClient.objects.values_list("name", "contact"))


def acts():
    return AuditEntry.objects.filter(action="client:set_contact")


@pytest.mark.parametrize("who", ["administrator", "operator"])
def test_set_contact_of_the_chosen_is_an_act_for_each(client, world, rows, who):
    actor, support = world.people[who], world.people["support"]
    client.force_login(actor)

    answer = send(client, rows[:2], support)

    assert answer.status_code == 302 and answer["Location"] == "/clients/"
    assert contacts() == {"client-0": support.pk, "client-1": support.pk, "client-2": None}
    assert sorted((e.app_client.name, e.actor) for e in acts()) == [("client-0", actor), ("client-1", actor)]
    assert f"{support} is now the contact of 2 clients." in client.get("/clients/").content.decode()


def test_set_contact_twice_is_done_once(client, operator, rows):
    send(client, rows, operator)
    client.get("/clients/")
    send(client, rows, operator)
    assert acts().count() == 3 and "was the contact already." in client.get("/clients/").content.decode()


def test_set_contact_says_of_whom_it_already_was(client, operator, rows):
    AppClient.objects.filter(pk=rows[0].pk).update(contact=operator)
    send(client, rows[:2], operator)
    body = client.get("/clients/").content.decode()
    assert "is now the contact of 1 client." in body and "was that of 1 client already." in body


@pytest.mark.parametrize("who", ["support", "auditor", "manager", "developer"])
def test_set_contact_is_forbidden_to_others_who_see_no_boxes(client, world, rows, who):
    client.force_login(world.people[who])
    assert send(client, rows, world.people["operator"]).status_code == 403
    assert set(contacts().values()) == {None} and not acts().exists()
    body = client.get("/clients/").content.decode()
    assert "client-0" in body and "Set contact" not in body
    assert ('name="chosen"' in body) == ('id="bulk"' in body) == (who == "support"), "who may rotate them chooses too"


@pytest.mark.parametrize("rubbish", ["x", "", "1", "a\x00b", "0" * 26, "0" * 25 + "\n", "../..", "9" * 5000])
def test_set_contact_of_rubbish_changes_nothing(client, operator, rows, rubbish):
    assert send(client, [rows[0], rubbish], operator).status_code == 302
    assert "One of the chosen clients is not there. Nothing was changed." in client.get("/clients/").content.decode()
    assert set(contacts().values()) == {None} and not acts().exists()


@pytest.mark.parametrize(
    ("chosen", "contact", "sentence"),
    [
        ([], "operator", "Choose at least one client."),
        (["one"], "", "Choose a contact among the staff."),
        (["one"], "manager", "Choose a contact among the staff."),
        (["one"], "left", "Choose a contact among the staff."),
        (["one"], "x", "Choose a contact among the staff."),
        (["too many"], "operator", "Choose at most 50 clients at once."),
    ],
)
def test_set_contact_refused_says_why(client, world, operator, rows, chosen, contact, sentence):
    User.objects.filter(pk=world.people["auditor"].pk).update(is_active=False)
    people = world.people | {"left": world.people["auditor"]}
    ids = [new_ulid() for _ in range(51)] if "too many" in chosen else rows[: len(chosen)]
    send(client, ids, people.get(contact, contact))
    assert f"{sentence} Nothing was changed." in client.get("/clients/").content.decode()
    assert set(contacts().values()) == {None} and not acts().exists()


def test_set_contact_leaves_out_who_was_deleted_meanwhile(client, operator, rows):
    AppClient.objects.filter(pk=rows[1].pk).update(status=Status.DELETED)
    send(client, rows, operator)
    body = client.get("/clients/").content.decode()
    assert "is now the contact of 2 clients. Left out: client-1 was deleted" in body
    assert contacts() == {"client-0": operator.pk, "client-1": None, "client-2": operator.pk} and acts().count() == 2


@pytest.mark.parametrize(
    ("back", "location"),
    [
        ("status=active&never_used=on&after=5-0000", "/clients/?status=active&never_used=on&after=5-0000"),
        ("q=caf%C3%A9&scope=", "/clients/?q=caf%C3%A9"),
        ("", "/clients/"),
        ("https://evil.example/", "/clients/"),
        ("next=//evil.example&status=nonsense", "/clients/?status=nonsense"),
        ("tenant=a%00b", "/clients/?tenant=a%EF%BF%BDb"),
        ("status=active#x\r\nSet-Cookie: a=b", "/clients/?status=active%23x%0D%0ASet-Cookie%3A+a%3Db"),
    ],
)
def test_set_contact_goes_back_to_the_same_list_and_nowhere_else(client, operator, rows, back, location):
    assert send(client, rows, operator, back=back)["Location"] == location


def test_as_many_can_be_chosen_as_a_page_has_rows():
    assert bulk.AT_ONCE == listing.PAGE


# --- Export ----------------------------------------------------------------------------------------


def test_export_of_the_chosen_has_those_rows_and_says_which(client, operator, rows):
    answer = client.post("/clients/export.csv", {"chosen": [rows[2].public_id, rows[0].public_id], "contact": ""})
    text = b"".join(answer.streaming_content).decode().removeprefix("\ufeff")
    assert [row["Name"] for row in csv.DictReader(io.StringIO(text, newline=""))] == ["client-0", "client-2"]
    detail = AuditEntry.objects.get(action="client:export").detail
    assert detail == {"count": 2, "filter": {"chosen": [rows[0].public_id, rows[2].public_id]}}


def test_export_of_the_chosen_gives_members_nothing_of_others(client, world, make):
    theirs, foreign = make("theirs"), make("foreign", tenant="acme-robotics")
    client.force_login(world.people["developer"])
    answer = client.post("/clients/export.csv", {"chosen": [theirs.public_id, foreign.public_id]})
    assert answer.status_code == 302 and not AuditEntry.objects.filter(action="client:export").exists()


def test_export_of_none_goes_back_with_a_sentence(client, operator, rows):
    answer = client.post("/clients/export.csv", {"back": "status=active"}, follow=True)
    assert answer.redirect_chain == [("/clients/?status=active", 302)]
    assert "Choose at least one client. Nothing was exported." in answer.content.decode()


# --- Rotate ----------------------------------------------------------------------------------------


def rotate(client, query="", **fields):
    return client.post(f"/clients/rotate/{query}", fields)


@pytest.mark.parametrize("who", ["operator", "support"])
def test_rotate_of_the_chosen_begins_one_for_each_of_them_alone(client, world, rows, who):
    client.force_login(world.people[who])
    ids = [rows[0].public_id, rows[2].public_id]
    asked = rotate(client, chosen=ids, contact="", back="status=active").content.decode()
    assert "2 active clients of the 2 you chose." in asked and all(f'value="{public_id}"' in asked for public_id in ids)
    assert "client-1" not in asked and not BulkRun.objects.exists()

    sent = {"run_id": new_ulid(), "overlap_hours": "168", "reason": "Yearly"}
    answer = rotate(client, chosen=ids, back="status=active", **sent)
    again = rotate(client, chosen=ids, back="status=active", **sent)

    run = BulkRun.objects.get()
    assert answer["Location"] == again["Location"] == f"/rotations/runs/{run.public_id}/"
    assert sorted(run.items.values_list("app_client__name", flat=True)) == ["client-0", "client-2"]


def test_rotate_with_none_chosen_is_of_the_list_and_says_so(client, operator, rows):
    AppClient.objects.filter(pk=rows[0].pk).update(drift=["name"])
    assert "3 active clients of the whole list." in rotate(client, back="").content.decode()
    body = rotate(client, "?out_of_sync=on", back="out_of_sync=on").content.decode()
    assert "1 active client of the filtered list." in body and 'href="/clients/?out_of_sync=on">Cancel' in body
    assert not BulkRun.objects.exists()


def test_rotate_of_the_chosen_leaves_out_who_is_not_active(client, operator, rows):
    AppClient.objects.filter(pk=rows[0].pk).update(status=Status.PAUSED)
    body = rotate(client, chosen=[row.public_id for row in rows[:2]]).content.decode()
    assert "1 active client of the 2 you chose." in body and "client-0" not in body
    assert "No active client among them" in rotate(client, chosen=[rows[0].public_id]).content.decode()


@pytest.mark.parametrize("rubbish", ["x", "0" * 26])
def test_rotate_of_rubbish_starts_nothing(client, operator, rows, rubbish):
    sent = {"run_id": new_ulid(), "overlap_hours": "168", "reason": "Yearly"}
    answer = client.post(
        "/clients/rotate/", sent | {"chosen": [rows[0].public_id, rubbish], "back": "q=c"}, follow=True
    )
    assert answer.redirect_chain == [("/clients/?q=c", 302)] and not BulkRun.objects.exists()
    assert "One of the chosen clients is not there. Nothing was started." in answer.content.decode()


def test_rotate_of_the_chosen_asks_who_it_is_and_forgets_none(world, rows):
    visitor = Client()
    visitor.force_login(world.people["operator"])
    ids = [row.public_id for row in rows[:2]]
    sent = {"run_id": new_ulid(), "overlap_hours": "168", "reason": "Yearly", "chosen": ids}
    page = visitor.post("/clients/rotate/", sent).content.decode()
    assert "Confirm that it is you" in page and all(f'value="{public_id}"' in page for public_id in ids)
    visitor.post("/clients/rotate/", sent | {"confirm_password": PASSWORD})
    assert BulkRun.objects.get().items.count() == 2
