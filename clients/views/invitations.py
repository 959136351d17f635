"""How an invited person becomes a user."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from clients.errors import InvalidInput, PortalError
from clients.forms.errors import add_refusals
from clients.forms.invitations import InvitationForm
from clients.services.people import accept_invitation
from clients.views.errors import method_not_allowed


@sensitive_post_parameters()
@never_cache
def invitation_accept(request: HttpRequest) -> HttpResponse:
    """GET consumes nothing: link scanners may open it as often as they like."""
    if request.method not in ("GET", "HEAD", "POST"):
        return method_not_allowed(request, ("GET", "POST"))
    form = InvitationForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "clients/invitation_accept.html", {"form": form}, status=422 if form.is_bound else 200)
    try:
        accept_invitation(**form.cleaned_data)
    except InvalidInput as error:
        add_refusals(form, error)
    except PortalError as error:
        form.add_error("token", error.sentence)
    else:
        messages.success(request, "Your account is ready. Sign in with your address and the new password.")
        return redirect("account_login")
    return render(request, "clients/invitation_accept.html", {"form": form}, status=422)
