"""Where each path goes; the app's own routes stand in `clients/urls.py`."""

from allauth.account import views as account
from django.urls import include, path, re_path

# Named one by one: allauth would also bring sign-up, an address book and codes by mail. People come by invitation,
# and an address is changed by an administrator. The names are allauth's; it finds its own pages by them.
account_urls = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("password/reset/key/done/", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
]

urlpatterns = [
    path("account/", include(account_urls)),
    path("", include("clients.urls")),
]

handler400 = "clients.views.errors.bad_request"
handler403 = "clients.views.errors.permission_denied"
handler404 = "clients.views.errors.not_found"
handler429 = "clients.views.errors.too_often"  # allauth looks for it
handler500 = "clients.views.errors.server_error"
