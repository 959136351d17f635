"""SES's refusals of whole messages: each rule the sandbox adds passes here and fails on plain MiniStack 1.5.33."""

import json
from uuid import uuid4

import pytest

from tests.sandbox.cognito_kit import code_of

MAIL = "From: a@{domain}\r\nTo: Nora <n@{domain}>\r\nSubject: Hello\r\n\r\nA line.\r\n"


def domain_of(kit):
    """A domain SES lets the caller send from."""
    domain = f"{uuid4().hex[:8]}.example"
    kit.client("sesv2").create_email_identity(EmailIdentity=domain)
    return domain


def refusal(kit, text, **beside):
    wanted = {"Content": {"Raw": {"Data": text.encode()}}, **beside}
    return code_of(kit.client("sesv2").send_email, **wanted)


def no_sender(kit):
    text = MAIL.replace("From: a@{domain}\r\n", "").format(domain=domain_of(kit))
    assert refusal(kit, text) == "BadRequestException"


def no_recipient(kit):
    text = MAIL.replace("To: Nora <n@{domain}>\r\n", "").format(domain=domain_of(kit))
    assert refusal(kit, text) == "BadRequestException"


def too_many_recipients(kit):
    domain = domain_of(kit)
    whom = {"ToAddresses": [f"n{number}@{domain}" for number in range(51)]}
    assert refusal(kit, MAIL.format(domain=domain), Destination=whom) == "BadRequestException"


def half_an_address(kit):
    domain = domain_of(kit)
    assert refusal(kit, MAIL.format(domain=domain), Destination={"ToAddresses": ["nora"]}) == "BadRequestException"


def long_line(kit):
    assert refusal(kit, MAIL.format(domain=domain_of(kit)) + "x" * 999) == "BadRequestException"


def recipients_in_the_message_alone(kit):
    domain = domain_of(kit)
    assert refusal(kit, MAIL.format(domain=domain)) is None
    answer = json.loads(kit.http("GET", "/_ministack/ses/messages")[1])["messages"]
    assert [f"n@{domain}"] in [mail["To"] for mails in answer.values() for mail in mails]


RULES = pytest.mark.parametrize(
    "probe",
    [no_sender, no_recipient, too_many_recipients, half_an_address, long_line, recipients_in_the_message_alone],
)


@RULES
def test_rule_on_the_sandbox(sandbox, probe):
    probe(sandbox)


@RULES
def test_rule_missing_from_plain_ministack(plain_ministack, probe):
    with pytest.raises(AssertionError):
        probe(plain_ministack)


def test_sender_that_is_not_verified_is_rejected_and_a_throttle_says_so(calm):
    text = MAIL.format(domain=domain_of(calm))
    assert refusal(calm, text.replace("From: a@", "From: a@other.")) is None  # below a verified domain
    assert refusal(calm, text.replace("From: a@", "From: a@x")) == "MessageRejected"
    calm.fault("SendEmail", "throttle")
    assert refusal(calm, text) == "TooManyRequestsException"
    assert refusal(calm, text) is None
