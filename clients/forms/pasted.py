"""What is typed to be looked for, and may be a secret somebody pasted by mistake."""

from unicodedata import category

from clients import sealing
from clients.errors import SHAPED_LIKE_A_SECRET, scrubbed

HIDDEN = scrubbed("cps_x_xxxxxx")  # fits nothing, so that a search for it does not come to mean everything


def without_secret(text: str) -> str:
    """The text, or, where it holds what may be a secret, nothing of it but the ending of the one that surely is."""
    bare = "".join(letter for letter in text if category(letter) != "Cf")  # what a mail put into it unseen
    found = SHAPED_LIKE_A_SECRET.findall(bare)
    if not found and not SHAPED_LIKE_A_SECRET.search("".join(bare.split())):
        return text
    is_one = len(found) == 1 and sealing.is_well_formed(found[0])
    return found[0][-4:] if is_one else HIDDEN
