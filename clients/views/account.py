"""Sign-in's house rules."""

import base64
from urllib.parse import urljoin, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest

from clients import sealing
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


class SecondFactorAdapter(DefaultMFAAdapter):
    """The seeds of codes are sealed; the library would keep them as they are. It does not say whose they are, so they
    are bound to their use alone."""

    def encrypt(self, text: str) -> str:
        sealed = sealing.seal(sealing.SecretValue(text), binding="second-factor")
        return f"{sealed.key_id}:{base64.b64encode(sealed.data).decode()}"

    def decrypt(self, encrypted_text: str) -> str:
        key_id, _, data = encrypted_text.partition(":")
        return sealing.open_sealed(sealing.Sealed(key_id, base64.b64decode(data)), binding="second-factor").reveal()

    def build_totp_svg(self, url: str) -> str:
        """As part of the page: a picture in a `data:` address is not allowed by our content security policy."""
        svg = super().build_totp_svg(url)
        named = '<svg class="qr" role="img" aria-label="The code to scan" '
        return svg[svg.index("<svg") :].replace("<svg ", named, 1)
