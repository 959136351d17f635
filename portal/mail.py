"""Mail of the demo and of development: files that only their owner can read, since a link to sign in may be in one."""

import os

from django.core.mail.backends.filebased import EmailBackend


class PrivateFiles(EmailBackend):
    """Django's files, but the folder is 0700 and each file 0600 from its first byte."""

    def open(self) -> bool:
        if self.stream is not None:
            return False
        os.chmod(self.file_path, 0o700)  # the parent class made it, or it stood there before
        self.stream = os.fdopen(os.open(self._get_filename(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        return True
