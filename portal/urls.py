"""Where each path goes; the app's own routes stand in `clients/urls.py`."""

from django.urls import include, path

urlpatterns = [
    path("account/", include("allauth.account.urls")),
    path("", include("clients.urls")),
]

handler400 = "clients.views.errors.bad_request"
handler403 = "clients.views.errors.permission_denied"
handler404 = "clients.views.errors.not_found"
handler500 = "clients.views.errors.server_error"
