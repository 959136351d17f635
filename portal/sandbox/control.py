"""Faults on request and the log of calls, behind a token that only the owner of the state folder can read."""

import hmac
import json
import os
import random
import secrets
import threading
import time
from collections import defaultdict, deque
from dataclasses import asdict, dataclass, fields

KINDS = ("drop", "lose_answer", "throttle", "error_500", "slow")
LOG_LENGTH = 50_000
# `cognito_facts.md` section 7: 5 requests a second per operation per pool. The secret operations stand in no
# category of AWS's page and are assumed to count like the client ones.
QUOTA = 5
COUNTED = frozenset(
    """CreateUserPoolClient UpdateUserPoolClient DeleteUserPoolClient DescribeUserPoolClient ListUserPoolClients
    AddUserPoolClientSecret ListUserPoolClientSecrets DeleteUserPoolClientSecret CreateResourceServer
    UpdateResourceServer DeleteResourceServer DescribeResourceServer ListResourceServers""".split()
)


@dataclass
class Settings:
    """How the sandbox behaves where AWS leaves a choice or promises nothing."""

    secret_delay_seconds: float = 0.0
    removed_secret_grace_seconds: float = 0.0
    quotas: bool = False
    write_hold_seconds: float = 0.01
    throttled_share: float = 0.0  # of all calls but those for tokens, by chance: an account others use as well


# One process is one sandbox: the rules read these, the control path writes them.
SETTINGS = Settings()


@dataclass
class Fault:
    """What happens to the next `times` calls of one operation, after `skip` calls have passed untouched."""

    operation: str
    kind: str
    times: int = 1
    skip: int = 0
    seconds: float = 1.0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")


@dataclass
class Call:
    """One request as the log keeps it: what was asked of what, never with what contents."""

    operation: str
    service: str
    pool: str | None = None
    app_client: str | None = None
    table: str | None = None
    n: int = 0
    at: float = 0.0
    status: int | None = None
    fault: str | None = None


class Control:
    """What a test may ask of the sandbox itself."""

    def __init__(self, folder):
        self._token = _token(folder / "control-token").encode()
        self._faults = []
        self._calls = deque(maxlen=LOG_LENGTH)
        self._count = 0
        self._recent = defaultdict(deque)
        self._lock = threading.Lock()

    def is_unlucky(self, call):
        """Whether this call is one of the share that is throttled by chance."""
        return call.operation != "Token" and random.random() < SETTINGS.throttled_share

    def note(self, call):
        """Put the call into the log before it runs, so that the order is that of arrival."""
        with self._lock:
            self._count += 1
            call.n, call.at = self._count, time.time()
            self._calls.append(call)

    def fault_for(self, call):
        """The fault this call meets, if any, and one time less for the next."""
        with self._lock:
            for fault in self._faults:
                if fault.operation != call.operation or fault.times <= 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                call.fault = fault.kind
                return fault
        return None

    def is_over_quota(self, call):
        """Whether this call is the sixth of its kind to its pool within a second. `cognito_facts.md` section 7."""
        if not SETTINGS.quotas or call.operation not in COUNTED:
            return False
        now = time.monotonic()
        recent = self._recent[call.operation, call.pool]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= QUOTA:
            return True
        recent.append(now)
        return False

    def answer(self, method, path, token, body):
        """Status and document for a request under `/_sandbox/`."""
        if not hmac.compare_digest(token, self._token):
            return 403, {"message": "The header X-Sandbox-Token must hold the value in the state folder."}
        act = self._acts().get((method, path))
        if act is None:
            return 404, {"message": "No such control path."}
        try:
            return 200, act(json.loads(body or b"null"))
        except (TypeError, ValueError) as error:
            return 400, {"message": str(error)}

    def _acts(self):
        return {
            ("POST", "/_sandbox/faults"): self._add_faults,
            ("GET", "/_sandbox/faults"): lambda _: [asdict(fault) for fault in self._faults],
            ("DELETE", "/_sandbox/faults"): lambda _: self._faults.clear(),
            ("GET", "/_sandbox/calls"): lambda _: [asdict(call) for call in self._calls],
            ("DELETE", "/_sandbox/calls"): lambda _: self._calls.clear(),
            ("GET", "/_sandbox/settings"): lambda _: asdict(SETTINGS),
            ("POST", "/_sandbox/settings"): _change_settings,
        }

    def _add_faults(self, wanted):
        faults = [Fault(**each) for each in wanted]
        with self._lock:
            self._faults.extend(faults)
        return [asdict(fault) for fault in faults]


def _change_settings(wanted):
    unknown = set(wanted) - {field.name for field in fields(Settings)}
    if unknown:
        raise ValueError(f"No such setting: {', '.join(sorted(unknown))}")
    for name, value in wanted.items():
        setattr(SETTINGS, name, value)
    return asdict(SETTINGS)


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
