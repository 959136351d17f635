"""Sign-in's house rules."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from clients.middleware import client_address


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up: people come by invitation. Attempts are counted for the address that audit records."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request) or super().get_client_ip(request)
