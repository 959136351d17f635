"""Nothing shaped like a secret stays in what is stored or logged about an error."""

import logging
import sys

import pytest

from clients import sealing
from clients.errors import OutcomeUnknown, PortalError, scrubbed
from portal.logs import ScrubSecrets

SECRET = sealing.generate("prod").reveal()


@pytest.mark.parametrize(
    "text",
    [f"before {SECRET} after", repr(ValueError({"ClientSecret": SECRET})), f"a={SECRET}&b"],
    ids=["sentence", "repr", "form"],  # never the secret itself: it is another one in each process
)
def test_technical_detail_holds_no_secret(text):
    technical = OutcomeUnknown("The portal made a mistake.", technical=text).technical
    assert "cps_***" in technical and SECRET[9:20] not in technical


@pytest.mark.parametrize("kept", [20, 30, 57])
def test_a_secret_cut_by_a_limit_on_length_is_scrubbed_too(kept):
    assert PortalError("x", technical=f"Value '{SECRET}"[: 7 + kept]).technical == "Value 'cps_***"


@pytest.mark.parametrize("text", ["", "cps_", "cps_prod_ is how ours begin", "eu-west-1_AbCdEfGhI: HTTP 400"])
def test_what_is_no_secret_stays_readable(text):
    assert scrubbed(text) == text


def test_log_holds_no_secret_in_message_or_traceback():
    try:
        raise ValueError(SECRET)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "sent %s", (SECRET,), sys.exc_info())
    assert ScrubSecrets().filter(record)
    assert SECRET not in logging.Formatter().format(record) and "cps_***" in record.getMessage()
