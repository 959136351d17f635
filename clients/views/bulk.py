"""Acts on the clients ticked in the list; each is the act on one client, done to one after the other."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from clients import permissions
from clients.errors import PortalError
from clients.forms.bulk import ContactForm, address_of
from clients.models import User
from clients.services.contacts import set_contact
from clients.views.fetching import need, person, signed_in


@signed_in("POST")
def contact_set(request: HttpRequest) -> HttpResponse:
    user = person(request)
    need(user, permissions.can_set_contact)
    form = ContactForm(request.POST, user=user)
    if not form.is_valid():
        return back_to_list(request, f"{form.problem} Nothing was changed.")
    contact = form.cleaned_data["contact"]
    done, same, left = 0, 0, ""
    for app_client in form.cleaned_data["chosen"]:
        try:
            is_done = set_contact(app_client, actor=user, contact=contact)
        except PortalError as error:
            left += f" Left out: {error.sentence}"
        else:
            done, same = done + is_done, same + (not is_done)
    (messages.warning if left else messages.success)(request, _sentence(contact, done, same) + left)
    return back_to_list(request)


def _sentence(contact: User, done: int, same: int) -> str:
    told = f"{contact} is now the contact of {_clients(done)}." if done else ""
    if same:
        told += f" {contact} was that of {_clients(same)} already." if done else f"{contact} was the contact already."
    return told or "Nothing was changed."


def _clients(count: int) -> str:
    return f"{count} client{'' if count == 1 else 's'}"


def back_to_list(request: HttpRequest, problem: str = "") -> HttpResponse:
    """To the same filtered page of the list, never anywhere else, whatever the form says it came from."""
    if problem:
        messages.error(request, problem)
    address = address_of(request.POST.get("back", ""), user=person(request))
    return redirect(f"{reverse('client-list')}{'?' if address else ''}{address}")
