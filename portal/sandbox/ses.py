"""SES as AWS runs it, for whole messages: what is nobody's, for nobody or malformed is refused.

MiniStack 1.5.33 refuses a sender that is not verified, but takes any bytes as `Content.Raw` and looks for recipients
only where the caller names them beside the message. SES wants at least one and at most 50, with whole addresses, and
lines of at most 1,000 characters with their end:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_RawMessage.html
"""

import base64
import json
from email import message_from_bytes, policy

from ministack.services import ses_v2

SEND = ("POST", "/v2/email/outbound-emails")
KINDS = ("To", "Cc", "Bcc")
MOST_RECIPIENTS = 50
LONGEST_LINE = 998


def install():
    """Call once, before the first request."""
    ses_v2.handle_request = _strict(ses_v2.handle_request)


def _strict(original):
    async def handler(method, path, headers, body, query_params):
        wanted = json.loads(body) if (method, path) == SEND else {}
        raw = wanted.get("Content", {}).get("Raw")
        if raw is None:
            return await original(method, path, headers, body, query_params)
        data = base64.b64decode(raw.get("Data", ""))
        message = message_from_bytes(data, policy=policy.default)
        sender = wanted.get("FromEmailAddress") or str(message.get("From", ""))
        # The recipients named beside the message win over those in it, as with AWS.
        recipients = wanted.get("Destination") or {f"{kind}Addresses": _addresses(message, kind) for kind in KINDS}
        if problem := _problem(data, sender, [each for some in recipients.values() for each in some]):
            return ses_v2._json_err("BadRequestException", problem)
        whole = {**wanted, "FromEmailAddress": sender, "Destination": recipients}
        return await original(method, path, headers, json.dumps(whole).encode(), query_params)

    return handler


def _addresses(message, kind):
    return [address.addr_spec for value in message.get_all(kind, []) for address in value.addresses]


def _problem(data, sender, recipients):
    """Why SES would refuse it; None for a mail."""
    if not sender:
        return "Missing required header 'From'."
    if not recipients:
        return "No recipient."
    if len(recipients) > MOST_RECIPIENTS:
        return f"Recipient count exceeds {MOST_RECIPIENTS}."
    if any("" in address.rpartition("@") for address in [sender, *recipients]):
        return "Missing final '@domain'"
    if any(len(line) > LONGEST_LINE for line in data.splitlines()):
        return "A line of the message is too long."
    return None
