"""What is typed into the forms of each route so that they are taken, and the routes without one."""

from tests.support import PASSWORD

NEW_PASSWORD = "another long passphrase"  # noqa: S105
# What is typed into the forms of a route so that they are taken; the rest is sent as the page fills it in.
TYPED = {
    "client-create": {"name": "extra-check", "scopes": ["orders/read"]},
    "handover-create": {"to": "link"},
    "change-request": {"text": "More"},
    "client-settings": {"notes": "Mine"},
    "client-scopes": {"scopes": ["orders/read", "orders/write"]},
    "client-attributes": {"attribute:rate_limit": "7"},
    "client-pause": {"reason": "Holidays"},
    "secret-rotate": {"overlap": "24", "reason": "Yearly"},
    "secret-revoke": {"reason": "Leaked", "typed": "{ending}"},
    "rotation-finish": {"reason": "They called", "typed": "{ending}"},
    "rotation-dismiss": {"reason": "Not needed"},
    "bulk-rotate": {"reason": "Yearly"},
    "secret-find": {"text": "nothing of ours"},
    "client-reminders": {"reason": "They are away"},
    "tenant-policies": {"overlap_hours": "24"},
    "client-resume": {"reason": "Back"},
    "client-delete": {"reason": "Done", "typed": "northwind-orders-prod"},
    "tenant-create": {"name": "Extra Ltd", "slug": "extra", "attribute:tier": "gold"},
    "tenant-details": {"keep_days": "9"},
    "tenant-values": {"attribute:rate_limit": "7"},
    "tenant-change-start": {"reason": "Left", "typed": "acme-robotics"},
    "attribute-define": {"claim_name": "region", "type": "string"},
    "attribute-change": {"description": "Mine"},
    "server-create": {"identifier": "bills", "name": "Bills", "scope-0-name": "read", "scope-0-description": "Read"},
    "server-api": {"api_kind": "rest", "api_url": "https://api.example/"},
    "server-change": {"description:read": "Mine"},
    "server-retire": {"reason": "Old", "scopes": ["read"]},
    "person-invite": {"email": "new@portal.example", "role": "support"},
    "person-role": {"role": "auditor"},
    "person-factor-remove": {"reason": "Lost"},
    "account_change_password": {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    "account_reset_password": {"email": "support@portal.example"},
    "account_login": {"login": "manager@northwind.example", "password": PASSWORD},
    "invitation-accept": {"name": "Nora", "password": NEW_PASSWORD},
}  # fmt: skip
# Routes that take a POST and have no form that a page shows here, with the reason.
NO_FORM = {
    "openid_connect_login": "leads to the identity provider, from the sign-in page where one is set up",
    "openid_connect_callback": "where the identity provider sends people back",
    "handover-stored": "on the one answer that shows a secret; see test_handovers.py",
    "restore-page": "has its form in restore mode only; see test_restore_page.py",
    "healthz": "no page: it answers whatever it is asked",
    "client-export": "a link with filters; what is sent to it is asked for again by GET",
    "mfa_login_webauthn": "signs in by a passkey alone, on the page of account_login",
    "mfa_remove_webauthn": "needs a passkey, which only a browser can make",
    "mfa_authenticate": "stands between two halves of a sign-in; see test_second_factor.py",
    "account_reset_password_from_key": "behind a mailed link; a form of two passwords",
}
