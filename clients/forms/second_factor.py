"""The sign-in library's forms where they let something through: a code used before, rubbish for a passkey's answer."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from fido2.webauthn import AuthenticationResponse, RegistrationResponse


class ActivateAppForm(ActivateTOTPForm):
    """The code that set the app up does not sign in as well: the library forgets that it was used."""

    def clean_code(self) -> str:
        code = str(super().clean_code())
        TOTP(Authenticator(user=self.user, type=Authenticator.Type.TOTP))._mark_code_used(code)
        return code


class PasskeyAnswer(forms.JSONField):
    """What a browser answers, taken apart before anybody relies on its shape: the library's parser raises whatever
    the rubbish in it leads to."""

    widget = forms.HiddenInput

    def __init__(self, shape: Any) -> None:
        super().__init__(required=True)
        self.shape = shape

    def clean(self, value: Any) -> Any:
        answer = super().clean(value)
        try:
            self.shape.from_dict(answer)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise forms.ValidationError("The browser's answer about the passkey cannot be read. Try again.") from None
        return answer


class AddPasskeyForm(webauthn.AddWebAuthnForm):
    name = forms.CharField(max_length=100, required=False, help_text="So that you know it again, such as Work laptop.")
    credential = PasskeyAnswer(RegistrationResponse)
    passwordless = forms.BooleanField(
        required=False, initial=True, label="Sign in with it alone, without a password",
        help_text="The device asks for its PIN or your fingerprint instead.",
    )  # fmt: skip


class PasskeyForm(webauthn.AuthenticateWebAuthnForm):
    credential = PasskeyAnswer(AuthenticationResponse)


class PasskeyLoginForm(webauthn.LoginWebAuthnForm):
    credential = PasskeyAnswer(AuthenticationResponse)


class PasskeyConfirmForm(webauthn.ReauthenticateWebAuthnForm):
    credential = PasskeyAnswer(AuthenticationResponse)
