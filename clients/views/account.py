"""Sign-in's house rules."""

from urllib.parse import urljoin, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from clients.middleware import client_address


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up: people come by invitation. Attempts are counted for the address that audit records."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_reset_password_from_key_url(self, key: str) -> str:
        """At the configured address: what a request calls its host never ends up in a mail."""
        return urljoin(settings.BASE_URL, urlsplit(super().get_reset_password_from_key_url(key)).path)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request) or super().get_client_ip(request)
