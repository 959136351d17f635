"""Rules for secret scanners, made of the shape secrets have here, so that the two cannot drift apart."""

import re
from dataclasses import dataclass

from clients import sealing

NAME = "Cognito Client Portal secret"
# Without its groups: scanners number them, and give them a meaning of their own.
SECRET = re.sub(r"[()]", "", sealing.SHAPE.pattern)
OUTSIDE = "[^0-9A-Za-z]"


@dataclass(frozen=True)
class Scanner:
    """`file_name` is what a download is called; `use` one sentence: where it goes."""

    name: str
    title: str
    language: str
    file_name: str
    use: str
    text: str


# No look-around: gitleaks reads RE2, which has none. What stands after the secret is outside the group.
_GITLEAKS = f"""\
# Finds client secrets by their shape. Use it with: gitleaks dir --config gitleaks.toml
[extend]
useDefault = true

[[rules]]
id = "cognito-client-portal-secret"
description = "{NAME}"
regex = '''({SECRET})(?:{OUTSIDE}|$)'''
secretGroup = 1
keywords = ["cps_"]
"""

_DETECT_SECRETS = f'''\
"""detect-secrets plugin: {NAME}s, by their shape and their checksum.

    detect-secrets scan --plugin client_portal_secret.py

By itself detect-secrets leaves out what stands in a call or in brackets, as in f("..."). To find it there too, add:

    --disable-filter detect_secrets.filters.heuristic.is_indirect_reference
"""

import re
import zlib

from detect_secrets.plugins.base import RegexBasedDetector

DIGITS = "{sealing.BASE62}"


def is_whole(text):
    """The last six characters are the CRC32 of all before them: what only looks like a secret is not reported."""
    number, digits = zlib.crc32(text[:-6].encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = DIGITS[rest] + digits
    return digits == text[-6:]


class ClientPortalSecretDetector(RegexBasedDetector):
    secret_type = "{NAME}"
    denylist = (re.compile(r"{SECRET}", re.ASCII),)

    def analyze_string(self, string):
        for shape in self.denylist:
            for match in shape.finditer(string):
                if is_whole(match.group()):
                    yield match.group()
'''

# The fields of docs.github.com/en/code-security/reference/secret-security/custom-patterns
_GITHUB = f"""\
Pattern name:
{NAME}

Secret format:
{SECRET}

Before secret:
\\A|{OUTSIDE}

After secret:
\\z|{OUTSIDE}
"""

SCANNERS = (
    Scanner("gitleaks", "gitleaks", "TOML", "gitleaks.toml",
            "As .gitleaks.toml in a repository, or named with --config.", _GITLEAKS),
    Scanner("detect-secrets", "detect-secrets", "Python", "client_portal_secret.py",
            "Named with --plugin. It verifies the checksum too.", _DETECT_SECRETS),
    Scanner("github", "GitHub secret scanning", "fields", "github-custom-pattern.txt",
            "Field by field, in the settings of an organisation or a repository, as a custom pattern.", _GITHUB),
)  # fmt: skip
