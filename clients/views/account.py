"""Sign-in's house rules."""

import base64
import logging
from typing import Any
from urllib.parse import urljoin, urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest

from clients import sealing
from clients.middleware import client_address
from clients.models import User
from clients.services.mail import NOT_MAILED, note_not_mailed, send_account_changed
from clients.services.sign_in import has_signed_in_from, record_account_change, record_sign_in, record_sign_out

logger = logging.getLogger(__name__)


# By the name of the mail the library would send: (action of the trail, what the mail and the trail say).
CHANGES = {
    "account/email/password_changed": ("person:password", "Your password was changed."),
    "account/email/password_reset": ("person:password", "Your password was replaced by way of a mailed link."),
    "mfa/email/totp_activated": ("person:factor", "An authenticator app was added to your account."),
    "mfa/email/totp_deactivated": ("person:factor", "The authenticator app was removed from your account."),
    "mfa/email/recovery_codes_generated": ("person:factor", "New recovery codes were made for your account."),
    "mfa/email/webauthn_added": ("person:factor", "A passkey was added to your account."),
    "mfa/email/webauthn_removed": ("person:factor", "A passkey was removed from your account."),
}


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up: people come by invitation. Attempts are counted for the address that audit records."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "Email or password is not correct.",
        "enter_current_password": "This is not your current password.",
    }

    def is_safe_url(self, url: str) -> bool:
        try:
            return super().is_safe_url(url)
        except ValueError:  # a host nobody could name, such as an address in brackets that do not end
            return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """By account and address together: who guesses from one address keeps nobody out who comes from another."""
        return f"{super()._get_login_attempts_cache_key(request, **credentials)}:{ratelimit.get_ip(request)}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """A few addresses could still guess together, so they share a second count; who has signed in from there
        before is not held to it. One address uses up a quarter of it at most."""
        super().pre_authenticate(request, **credentials)
        email = credentials.get("email", "").lower()
        if has_signed_in_from(email, client_address(request)):
            return
        shared = ratelimit.consume(request, app="allauth.account", action="login_failed_elsewhere", key=email)
        if not shared:
            raise self.validation_error("too_many_login_attempts")
        self._login_failed_rl_usage.usage += shared.usage

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_reset_password_from_key_url(self, key: str) -> str:
        """At the configured address: what a request calls its host never ends up in a mail."""
        return urljoin(settings.BASE_URL, urlsplit(super().get_reset_password_from_key_url(key)).path)

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Every way in ends here: password, passkey, single sign-on."""
        if isinstance(user, User):
            record_sign_in(user)
        super().login(request, user)

    def logout(self, request: HttpRequest) -> None:
        if isinstance(request.user, User):
            record_sign_out(request.user)
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Into the log alone, and the same for addresses known and unknown: the trail is no place for a flood."""
        logger.warning("a sign-in failed from %s", client_address(request) or "an unknown address")

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail that fails makes no other answer: an error page would say which addresses have an account."""
        try:
            super().send_mail(template_prefix, email, context)
        except NOT_MAILED as error:
            note_not_mailed(template_prefix, error)

    def send_notification_mail(
        self, template_prefix: str, user: AbstractBaseUser, context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:  # fmt: skip
        """What the library would mail about: recorded, and mailed in our own words."""
        if isinstance(user, User) and template_prefix in CHANGES:
            action, what = CHANGES[template_prefix]
            record_account_change(user, action, what)
            address = client_address(self.request)
            # Not within the transaction: the trail is held by one at a time, and a mail server takes its time.
            transaction.on_commit(lambda: send_account_changed(user, what, address=address))

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
