"""Faults on request and the log of calls, behind a token that only the owner of the state folder can read."""

import os
import secrets


class Control:
    """What a test may ask of the sandbox itself."""

    def __init__(self, folder):
        self.token = _token(folder / "control-token")


def _token(path):
    """The token in the file, written there first if the file is new."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        token = secrets.token_urlsafe(32)
        file.write(token)
    return token
