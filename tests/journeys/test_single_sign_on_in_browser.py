"""A member of staff comes in through the organisation's own user pool; somebody nobody invited does not."""

import pytest

from clients.models import AuditEntry, User
from tests.journeys.steps import is_fit
from tests.single_sign_on import OPERATOR, PASSWORD, Pool

pytestmark = pytest.mark.browser
SCRIPT = [{}, {"java_script_enabled": False}]


@pytest.fixture
def staff_pool(live_harbourline, live_server, settings, page):
    settings.BASE_URL = live_server.url
    pool = Pool(live_harbourline, live_server.url)
    settings.OIDC = pool.settings()

    def forget(message):
        """What the pool's own page lacks, an icon, is no complaint about ours."""
        if message.type == "error" and message.location["url"] == f"{pool.endpoint}/favicon.ico":
            page.complaints.remove(message.text)

    page.on("console", forget)
    return pool


def sign_in_there(page, login="staff"):
    """From our page to the pool's, and whatever comes back."""
    page.goto("/account/login/?next=/tenants/")
    is_fit(page)
    page.get_by_role("button", name="Sign in with Harbourline").click()
    page.get_by_label("Username").fill(login)
    assert "/_domain/" in page.url
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("page", SCRIPT, ids=["javascript", "no-javascript"], indirect=True)
def test_staff_come_in_and_stay_who_they_are_when_their_address_changes(staff_pool, page):
    staff_pool.add(OPERATOR)
    sign_in_there(page)
    page.get_by_role("heading", name="Tenants").wait_for()
    assert page.url.endswith("/tenants/")
    is_fit(page)

    page.context.clear_cookies()
    staff_pool.change_email("olga.married@portal.example")
    sign_in_there(page)
    page.get_by_role("heading", name="Tenants").wait_for()
    page.goto("/account/second-factor/")
    page.get_by_text(OPERATOR).first.wait_for()
    assert AuditEntry.objects.get(action="person:link").actor == User.objects.get(email=OPERATOR)
    assert AuditEntry.objects.filter(action="person:sign_in", actor__email=OPERATOR).count() == 2


def test_uninvited_meet_a_calm_page_and_go_back(staff_pool, page):
    staff_pool.add("nobody@portal.example")
    before = User.objects.count()
    sign_in_there(page)
    page.get_by_role("heading", name="You have no account here").wait_for()
    # The browser itself notes an answer of 403; that and nothing else.
    assert all("403" in complaint for complaint in page.complaints)
    page.complaints.clear()
    is_fit(page)
    page.get_by_role("link", name="Back to sign in").click()
    page.get_by_role("button", name="Sign in", exact=True).wait_for()
    assert User.objects.count() == before
    page.goto("/")
    assert "/account/login/" in page.url
