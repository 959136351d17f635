"""Who acts on the command line: `--actor` names a person, the operating system says who typed."""

import getpass

from django.core.management.base import CommandError

from clients.models import User


def os_user() -> str:
    return getpass.getuser()


def find_actor(email: str) -> tuple[User, str]:
    """(person, how the audit trail names the way). Refused for unknown and inactive people: --actor is no sign-in."""
    person = User.objects.filter(email=email.lower()).first()
    if person is None or not person.is_active:
        raise CommandError(f"--actor {email}: there is no active person with this address.")
    return person, f"command line, OS user {os_user()}, for {person.email}"[:100]
