"""What settings.py reads, set before Django is loaded; a pytest plugin (`-p tests.environment`)."""

import base64
import os
import secrets
import tempfile


def random_keys(key_id: str) -> str:
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


# Ours whatever the shell says: tests never reach a person's own AWS account, database or .env.
FIXED = {
    "PORTAL_ENV_FILE": os.devnull,
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL") or "sqlite://:memory:",
    "EMAIL_URL": "",
    "PORTAL_MAIL_PROVIDER": "",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    # Until a sandbox is started nothing listens here: a forgotten call fails at once and never leaves the machine.
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}
# May be set from outside; xdist's workers inherit the first process's random keys this way.
DEFAULTS = {
    "PORTAL_TEST": "1",
    "TEST_SQLITE_FILE": os.path.join(tempfile.mkdtemp(prefix="portal-test-"), "portal.sqlite3"),
    "PORTAL_DEMO": "1",  # http on localhost works
    "SECRET_KEY": secrets.token_urlsafe(50),
    "SEALING_KEYS": random_keys("test"),
    "FINGERPRINT_KEYS": random_keys("test"),
    "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    "PORTAL_OUTBOUND_HOSTS": "127.0.0.1,localhost",
    "LOG_LEVEL": "WARNING",
    # Nobody waits for a slot of the pool; tests/prove/test_quota.py shows the pace itself.
    "COGNITO_WRITES_PER_SECOND": "0",
}

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(FIXED)
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)
