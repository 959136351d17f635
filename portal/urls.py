"""Where each path goes; the app's own routes stand in `clients/urls.py`."""

from typing import Any

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.usersessions import views as sessions
from django.db import transaction
from django.urls import include, path, re_path, reverse_lazy

from clients.views import single_sign_on
from clients.views.step_up import confirmed

# Named one by one: allauth would also bring sign-up, an address book and codes by mail. People come by invitation,
# and an address is changed by an administrator. The names are allauth's; it finds its own pages by them.
account_urls = [
    path("login/", single_sign_on.Login.as_view(), name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("password/change/", transaction.atomic(account.password_change), name="account_change_password"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        transaction.atomic(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    path("password/reset/key/done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    path("single-sign-on/", single_sign_on.begin, name="openid_connect_login"),
    path("single-sign-on/callback/", single_sign_on.callback, name="openid_connect_callback"),
]

remove_passkey = webauthn.RemoveWebAuthnView.as_view(success_url=reverse_lazy("mfa_index"))


def recorded(view: Any) -> Any:
    """Whatever changes how one signs in asks first who it is, and is not done when the trail does not take it."""
    return confirmed(transaction.atomic(view))


def enrolling(view: Any) -> Any:
    """The same, but for the first factor of somebody who came by single sign-on and has nothing to confirm with."""
    return single_sign_on.first_factor(transaction.atomic(view), recorded(view))


second_factor_urls = [
    path("", mfa.index, name="mfa_index"),
    path("authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("totp/activate/", enrolling(totp.activate_totp), name="mfa_activate_totp"),
    path("totp/deactivate/", recorded(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("recovery-codes/", confirmed(recovery_codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path("recovery-codes/generate/", recorded(recovery_codes.generate_recovery_codes),
         name="mfa_generate_recovery_codes"),
    path("passkeys/add/", enrolling(webauthn.add_webauthn), name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/remove/", recorded(remove_passkey), name="mfa_remove_webauthn"),
    path("passkeys/login/", webauthn.login_webauthn, name="mfa_login_webauthn"),
]  # fmt: skip

urlpatterns = [
    path("account/second-factor/", include(second_factor_urls)),
    path("account/sessions/", sessions.list_usersessions, name="usersessions_list"),
    path("account/", include(account_urls)),
    path("", include("clients.urls")),
]

handler400 = "clients.views.errors.bad_request"
handler403 = "clients.views.errors.permission_denied"
handler404 = "clients.views.errors.not_found"
handler429 = "clients.views.errors.too_often"  # allauth looks for it
handler500 = "clients.views.errors.server_error"
