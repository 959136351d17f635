"""The forms of a page as a browser would send them: what is filled in, ticked and selected, nothing else."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)  # in the order of the page; a name may come again
    names: set[str] = field(default_factory=set)  # of every control, ticked or not
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def data(self, **changes):
        """As Django's test client takes it: a list for each name. A change of None leaves the name out."""
        sent = {}
        for name, value in self.fields:
            sent.setdefault(name, []).append(value)
        return {name: value for name, value in (sent | changes).items() if value is not None}


class Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.select = self.textarea = None
        self.text = ""

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "form":
            self.forms.append(Form(told.get("action") or "", (told.get("method") or "get").lower()))
        if not self.forms:
            return
        form, name, value = self.forms[-1], told.get("name"), told.get("value") or ""
        if tag == "option" and self.select is not None:
            self.select["options"].append((value, "selected" in told))
        elif "disabled" in told or not name:
            return
        elif tag == "button":
            form.buttons.append((name, value))
        elif tag == "select":
            form.names.add(name)
            self.select = {"name": name, "options": [], "many": "multiple" in told}
        elif tag == "textarea":
            form.names.add(name)
            self.textarea, self.text = name, ""
        elif tag == "input":
            form.names.add(name)
            if told.get("type") not in ("checkbox", "radio") or "checked" in told:
                form.fields.append((name, value or ("on" if told.get("type") == "checkbox" else "")))

    def handle_data(self, data):
        if self.textarea:
            self.text += data

    def handle_endtag(self, tag):
        if tag == "textarea" and self.textarea:
            self.forms[-1].fields.append((self.textarea, self.text.removeprefix("\n")))
            self.textarea = None
        if tag == "select" and self.select is not None:
            options = self.select["options"]
            chosen = [value for value, is_chosen in options if is_chosen]
            if not chosen and options and not self.select["many"]:
                chosen = [options[0][0]]
            self.forms[-1].fields += [(self.select["name"], value) for value in chosen]
            self.select = None


def forms_of(page) -> list[Form]:
    reader = Forms()
    reader.feed(page.content.decode())
    for form in reader.forms:
        form.action = form.action or page.request["PATH_INFO"]  # a form without one goes where the page came from
    return reader.forms


def form_of(page, action: str, button: str = "") -> Form:
    """The one form of the page that goes there (and has that button)."""
    found = [
        form for form in forms_of(page)
        if form.method == "post" and form.action == action and (not button or button in dict(form.buttons))
    ]  # fmt: skip
    assert len(found) == 1, (action, [form.action for form in forms_of(page)])
    return found[0]
