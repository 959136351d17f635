"""Django's entry for the app."""

from django.apps import AppConfig


class ClientsConfig(AppConfig):
    name = "clients"
    verbose_name = "Client Portal"

    def ready(self) -> None:
        from clients import checks  # noqa: F401  (registers the system checks)
        from clients.aws import keys  # noqa: F401  (lets KMS open what it sealed)
        from clients.services import client_changes, revocations  # noqa: F401  (registers the steps with the engine)
