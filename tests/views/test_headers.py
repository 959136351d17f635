"""The headers that protect a page stand on every answer there is, and no page holds a script or a style of its own."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from allauth.account.views import LoginView
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from clients.errors import AuditUnavailable
from tests import check_deploy
from tests.support import PASSWORD
from tests.views.forms import form_of
from tests.views.test_permissions import TABLE

FIXED = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NONE, SELF = ["'none'"], ["'self'"]
POLICY = {"default-src": NONE, "script-src": SELF, "style-src": SELF, "frame-ancestors": NONE, "base-uri": NONE,
          "form-action": SELF}  # fmt: skip


# --- What has to be there ----------------------------------------------------------------------------


def missing(answer, *, is_private=False):
    """What an answer lacks, in words; empty: nothing."""
    lacks = [f"{name}: {answer.get(name)}" for name, value in FIXED.items() if answer.get(name) != value]
    policy = {name: values for name, *values in (part.split() for part in answer.get(CSP, "").split(";") if part)}
    lacks += [f"{name} {policy.get(name)}" for name, values in POLICY.items() if policy.get(name) != values]
    lacks += [f"{name} {value}" for name, values in policy.items() for value in values if [value] not in (NONE, SELF)]
    if is_private and "no-store" not in answer.get("Cache-Control", ""):
        lacks.append("no-store")
    return lacks


CSP = "Content-Security-Policy"


class Inline(HTMLParser):
    """Whatever the policy would stop: a style or a script in the page itself, or from elsewhere."""

    LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("use", "href")}

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        told = {name: (value or "").strip() for name, value in attrs}
        is_data = told.get("type") in ("application/json", "application/ld+json")
        if tag in ("style", "base") or (tag == "script" and "src" not in told and not is_data):
            self.found.append(f"<{tag}>")
        for name, value in told.items():
            is_elsewhere = (tag, name) in self.LOADED and not (value.startswith("/") and value[1:2] not in ("/", "\\"))
            is_code = "".join(value.split()).lower().startswith(("javascript:", "vbscript:", "data:text/html"))
            if name == "style" or name.startswith("on") or is_code or is_elsewhere:
                self.found.append(f"<{tag} {name}>")


def inline(answer):
    if answer.streaming or "html" not in answer.get("Content-Type", ""):
        return []
    reader = Inline()
    reader.feed(answer.content.decode())
    return reader.found


@pytest.fixture(autouse=True)
def fresh_counts(db):
    cache.clear()


@pytest.fixture
def visitor():
    return Client(raise_request_exception=False)


# --- Every route ---------------------------------------------------------------------------------------


@pytest.mark.asvs("3.2.1")
@pytest.mark.parametrize("role", ["administrator", "manager", "anonymous"])
def test_every_answer_of_every_route_is_protected_and_has_nothing_inline(world, client, app_client, address, role):
    found, statuses, is_in = {}, set(), False
    for row in TABLE:
        if role != "anonymous" and not is_in:
            client.force_login(world.people[role])
        is_in = row["method"] == "GET"  # what is sent may sign them out
        answer = client.generic(row["method"], address(row["route"]))
        statuses.add(answer.status_code)
        found[row["route"], row["method"]] = missing(answer, is_private=role != "anonymous") + inline(answer)
    assert {where: lacks for where, lacks in found.items() if lacks} == {}
    assert statuses >= {"administrator": {200, 302, 404, 405, 422}, "manager": {200, 302, 403, 404, 405},
                        "anonymous": {200, 302, 405}}[role]  # fmt: skip


def test_answer_that_signs_out_is_not_stored(world, client):
    client.force_login(world.people["operator"])
    assert "no-store" in client.post(reverse("account_logout")).get("Cache-Control", "")


def test_answer_that_signs_out_clears_what_the_browser_kept(world, client):
    client.force_login(world.people["operator"])
    assert '"cache"' in client.post(reverse("account_logout")).get("Clear-Site-Data", "")


def test_pages_that_answer_a_form_are_protected_and_have_nothing_inline(world, app_client, address, visitor, client):
    """The step-up, the secret itself, a review, a form that lacks something."""
    visitor.force_login(world.people["operator"])
    client.force_login(world.people["operator"])
    scopes = form_of(client.get(address("client-scopes")), address("client-scopes"))
    pages = {
        "Confirm that it is you": visitor.post(address("secret-show")),
        "Save this secret now": client.post(address("secret-show")),
        "tokens already issued keep the old": client.post(
            address("client-scopes"), scopes.data(scopes=["orders/write"])
        ),
        "This field is required": client.post(address("client-pause")),
    }
    found = {words: missing(page, is_private=True) + inline(page) for words, page in pages.items()}

    assert {words: words.lower() in page.content.decode().lower() for words, page in pages.items()} == dict.fromkeys(
        pages, True
    )
    assert found == {words: [] for words in pages}


# --- Answers nobody asked for ---------------------------------------------------------------------------


def too_many(visitor):
    return [visitor.post("/account/login/", {"login": "x@example.org", "password": str(n)}) for n in range(31)][-1]


UTF_16 = "application/x-www-form-urlencoded; charset=utf-16"
ODD = [
    ("unknown address", lambda visitor: visitor.get("/nowhere/"), 404),
    ("unknown file", lambda visitor: visitor.get("/static/nowhere.css"), 404),
    ("too many tries", too_many, 429),
    ("too many fields", lambda visitor: visitor.post("/invitation/", {f"f{n}": "" for n in range(1100)}), 400),
    ("not a method of the page", lambda visitor: visitor.get("/theme/"), 405),
    ("not a method of the site", lambda visitor: visitor.put("/clients/"), 405),
    ("charset", lambda visitor: visitor.post("/theme/", "x", content_type=UTF_16), 415),
    ("host", lambda visitor: visitor.get("/", headers={"host": "evil.example"}), 400),
    ("missing slash", lambda visitor: visitor.get("/clients"), 301),
]


@pytest.mark.parametrize(("circumstance", "ask", "status"), ODD)
def test_answer_to_an_odd_request_is_protected(visitor, circumstance, ask, status):
    answer = ask(visitor)

    assert answer.status_code == status
    assert missing(answer) + inline(answer) == []


def test_refusals_of_somebody_signed_in_are_protected(world, visitor):
    checking = Client(enforce_csrf_checks=True)
    for each in (visitor, checking):
        each.force_login(world.people["support"])

    answers = {403: visitor.get("/clients/new/"), "token": checking.post("/account/logout/"), 404: visitor.get("/no/")}

    assert [answer.status_code for answer in answers.values()] == [403, 403, 404]
    assert {why: missing(answer, is_private=True) + inline(answer) for why, answer in answers.items()} == {
        403: [], "token": [], 404: [],
    }  # fmt: skip


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("insides"), 500), (AuditUnavailable(), 503)])
def test_mistake_of_ours_is_protected(world, visitor, monkeypatch, error, status):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr("clients.views.app_clients.ClientFilter", broken)
    monkeypatch.setattr(LoginView, "get_context_data", broken)
    outside = visitor.get("/account/login/")
    visitor.force_login(world.people["operator"])
    inside = visitor.get("/clients/")

    assert (outside.status_code, inside.status_code) == (status, status)
    assert missing(outside) + inline(outside) + missing(inside, is_private=True) + inline(inside) == []


@pytest.fixture
def files(settings):
    """A visitor of a site that serves its files, as production does; here uncollected."""
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    return Client()


FILES = ["clients/css/base.css", "clients/js/ui.js", "clients/icons.svg", "clients/favicon.svg"]


@pytest.mark.asvs("3.2.1")
@pytest.mark.parametrize("file", FILES)
def test_file_is_not_sniffed_and_kept_to_this_origin(files, file):
    answer = files.get(f"/static/{file}")

    assert answer.status_code == 200 and answer["Content-Type"].split(";")[0] in (
        "text/css", "text/javascript", "application/javascript", "image/svg+xml",
    )  # fmt: skip
    assert {name: answer.get(name) for name in FIXED if name != "X-Frame-Options"} == {
        name: value for name, value in FIXED.items() if name != "X-Frame-Options"
    }


@pytest.mark.asvs("4.1.1")
def test_every_body_names_its_charset(world, client, address, files):
    said = {file: files.get(f"/static/{file}")["Content-Type"] for file in FILES}
    client.force_login(world.people["administrator"])
    for row in TABLE:
        answer = client.generic(row["method"], address(row["route"])) if row["route"] != "account_logout" else None
        if answer is not None and (answer.streaming or answer.content):
            said[row["route"], row["method"]] = answer["Content-Type"]
    odd = [client.put("/clients/"), client.post("/theme/", "x", content_type=UTF_16), client.get("/nowhere/")]
    said |= {str(answer.status_code): answer["Content-Type"] for answer in odd}
    without = {where: kind for where, kind in said.items() if "charset=utf-8" not in kind.replace('"', "").lower()}
    assert without == {} and len(said) > 60


@pytest.mark.asvs("5.2.1")
@pytest.mark.parametrize("path", ["/account/login/", "/invitation/", "/clients/new/"])
def test_file_that_is_sent_along_is_not_read_beyond_a_mebibyte(world, client, path):
    client.force_login(world.people["operator"])
    long = SimpleUploadedFile("long.bin", b"x" * 1_048_577)
    answer = client.post(path, {"file": long})
    assert answer.status_code == 413 and "longer than any form" in answer.content.decode()
    assert client.post(path, {"name": "x" * 1000}).status_code != 413


@pytest.mark.parametrize("file", FILES)
def test_file_is_framed_by_nobody(files, file):
    """A picture in SVG is a document: opened by itself it may hold scripts, and it may be framed."""
    assert missing(files.get(f"/static/{file}")) == []


@pytest.mark.asvs("3.4.2")
def test_no_page_may_be_read_by_another_origin(world, client, address, files):
    """What is the same for everybody may: style, script and icons."""
    asked, found = {"origin": "https://evil.example"}, {}
    for row in TABLE:
        client.force_login(world.people["administrator"])
        answer = client.generic(row["method"], address(row["route"]), headers=asked)
        found[row["route"], row["method"]] = [name for name in answer.headers if name.startswith("Access-Control-")]
    assert {where: names for where, names in found.items() if names} == {}
    assert {files.get(f"/static/{file}", headers=asked).get("Access-Control-Allow-Origin") for file in FILES} == {"*"}


# What makes markup or code of a text; `DOMParser` reads a page of the portal's own and runs nothing.
MARKUP = re.compile(r"(inner|outer)HTML|insertAdjacentHTML|ContextualFragment|document\.write|\beval\b|Function\(")


@pytest.mark.asvs("3.2.2")
def test_scripts_write_text_and_never_markup():
    scripts = list((check_deploy.ROOT / "clients" / "static").rglob("*.js"))
    assert scripts and {path.name: MARKUP.findall(path.read_text()) for path in scripts} == {
        path.name: [] for path in scripts
    }
    assert MARKUP.search("box.innerHTML = name") and MARKUP.search("eval (name)")


# --- Production ------------------------------------------------------------------------------------------

# Run by a process of its own: what a cookie is called is decided once, when the settings are read.
SCRIPT = """
import json, django
from django.conf import settings
django.setup()
from django.core.management import call_command
from django.test import Client
from clients.models import Tenant, User
settings.MIGRATION_MODULES = {config.label: None for config in django.apps.apps.get_app_configs()}  # tables at once
call_command("migrate", run_syncdb=True, verbosity=0)
call_command("createcachetable")
acme = Tenant.objects.create(slug="acme", name="Acme")
User.objects.create_user("ada@acme.example", PASSWORD, role="manager", tenant=acme)
browser = Client(headers={"host": "portal.example.com", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"})
plain = Client(headers={"host": "portal.example.com", "x-forwarded-for": "203.0.113.7"})
sent = {"login": "ada@acme.example", "password": PASSWORD}
answers = {
    "page": browser.get("/account/login/"),
    "sign-in": browser.post("/account/login/", sent),
    "clients": browser.get("/clients/"),
    "unknown": browser.get("/nowhere/"),
    "method": browser.put("/clients/"),
    "theme": browser.post("/theme/", {"theme": "dark", "next": "/"}),
    "sign-out": browser.post("/account/logout/"),
    "after": browser.get("/account/login/"),
    "over http": plain.get("/account/login/"),
}
print(json.dumps({name: {
    "status": answer.status_code,
    "headers": dict(answer.items()),
    "cookies": {key: {k: v for k, v in morsel.items() if v} for key, morsel in answer.cookies.items()},
} for name, answer in answers.items()}))
"""


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """Answers under the settings of .env.example filled in; the files alone are not collected."""
    environment = check_deploy.example_environment(str(tmp_path_factory.mktemp("production")))
    environment |= {"DJANGO_SETTINGS_MODULE": "portal.settings", "PORTAL_TEST": "1", "LOG_LEVEL": "CRITICAL"}
    script = f"PASSWORD = {PASSWORD!r}\n{SCRIPT}"
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=check_deploy.ROOT, env=environment,
                            capture_output=True, text=True, timeout=120)  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.mark.asvs("3.4.1", "12.2.1")
def test_production_answers_hold_browsers_to_https_for_a_year(production):
    secure = {name: answer["headers"].get("Strict-Transport-Security", "") for name, answer in production.items()}
    over_http = production["over http"]

    assert over_http["status"] == 301 and over_http["headers"]["Location"].startswith("https://portal.example.com/")
    assert [answer["status"] for answer in production.values()] == [200, 302, 200, 404, 405, 302, 302, 200, 301]
    del secure["over http"]  # browsers disregard it there
    for said in secure.values():
        parts = [part.strip() for part in said.split(";")]
        assert int(parts[0].removeprefix("max-age=")) >= 31_536_000 and "includeSubDomains" in parts


def test_production_pages_are_protected(production):
    pages = ("page", "sign-in", "clients", "unknown", "theme", "sign-out", "after")
    private = ("sign-in", "clients", "unknown", "theme")
    lacks = {name: missing(production[name]["headers"], is_private=name in private) for name in pages}
    assert lacks == {name: [] for name in pages}


@pytest.mark.asvs("3.3.1")
def test_production_cookies_are_bound_to_host_and_https(production):
    cookies = [(key, said) for answer in production.values() for key, said in answer["cookies"].items()]
    assert {key for key, _ in cookies} == {"__Host-session", "__Host-csrf", "__Host-theme"}
    for key, said in cookies:
        assert (said["path"], said.get("domain"), said["samesite"]) == ("/", None, "Lax"), key
        is_taken_back = said.get("max-age") == 0 or "1970" in said.get("expires", "")
        assert is_taken_back or (said["secure"] and said["httponly"]), key


# --- Planted defects ---------------------------------------------------------------------------------------

GOOD = {**FIXED, "Cache-Control": "private, no-store", CSP: "; ".join(f"{k} {v[0]}" for k, v in POLICY.items())}


@pytest.mark.parametrize("changes", [
    *({name: None} for name in GOOD),
    {"X-Frame-Options": "SAMEORIGIN"},
    {"Cache-Control": "private"},
    {CSP: GOOD[CSP] + "; img-src *"},
    {CSP: GOOD[CSP].replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")},
    {CSP: GOOD[CSP].replace("style-src 'self'", "style-src 'unsafe-inline'")},
    {CSP: GOOD[CSP].replace("frame-ancestors 'none'", "frame-ancestors 'self'")},
])  # fmt: skip
def test_planted_gap_in_the_headers_is_found(changes):
    assert missing(GOOD, is_private=True) == []
    assert missing({name: value for name, value in (GOOD | changes).items() if value}, is_private=True)


@pytest.mark.parametrize("planted", [
    "<style>p{}</style>", '<p style="color:red">', "<script>1</script>", '<script type="module">1</script>',
    '<a onclick="f()">', '<a href="javascript:f()">', '<a href=" java\nscript:f()">', '<form action="JavaScript:f()">',
    '<script src="//cdn.example/x.js"></script>', '<script src="https://cdn.example/x.js"></script>',
    '<link href="/\\evil.example/x.css">', '<img src="data:image/png;base64,x">', '<base href="/">',
])  # fmt: skip
def test_planted_script_or_style_is_found(planted):
    reader, calm = Inline(), Inline()
    calm.feed('<script src="/static/x.js"></script><script type="application/json">{}</script><a href="/x">y</a>')
    reader.feed(planted)
    assert len(reader.found) == 1 and calm.found == []
