"""Parts of `make check` that need an environment: the complete production of .env.example, then each thing missing.

python -m tests.check_deploy {deploy|mypy|makemigrations}
"""

import base64
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
MUST_BE_SET = (
    "SECRET_KEY", "SEALING_KEYS", "FINGERPRINT_KEYS", "ALLOWED_HOSTS", "PORTAL_BASE_URL", "PORTAL_MAIL_PROVIDER",
)  # fmt: skip


def example_environment(folder: str) -> dict[str, str]:
    """.env.example with its empty values filled in, and a database that needs no server."""
    lines = [
        line for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line and not line.startswith("#")
    ]
    values = dict(line.split("=", 1) for line in lines)
    for name in ("SEALING_KEYS", "FINGERPRINT_KEYS"):
        values[name] = f"example:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    values |= {"SECRET_KEY": secrets.token_urlsafe(50), "DATABASE_URL": f"sqlite:///{folder}/check.sqlite3"}
    process = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**process, **values, "PORTAL_ENV_FILE": os.devnull}


def manage(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def ending(answer: subprocess.CompletedProcess) -> str:
    return "\n".join(answer.stdout.splitlines()[-20:])


def check_deploy(env: dict[str, str]) -> list[str]:
    """What is wrong; empty when the complete environment passes and every incomplete one is refused by name."""
    complete = manage("check", "--deploy", "--fail-level", "WARNING", env=env)
    problems = [] if complete.returncode == 0 else [f"The complete example is refused:\n{ending(complete)}"]
    for name in MUST_BE_SET:
        answer = manage("check", "--deploy", env={k: v for k, v in env.items() if k != name})
        if answer.returncode == 0 or name not in answer.stdout:
            problems.append(f"Without {name} the check should fail and name it:\n{ending(answer)}")
    for name, value in {"DEBUG": "1", "PORTAL_DEMO": "1", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}.items():
        answer = manage("check", "--deploy", env={**env, name: value})
        if answer.returncode == 0 or name not in answer.stdout:
            problems.append(f"With {name}={value} the check should fail and name it:\n{ending(answer)}")
    return problems


def main(act: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = example_environment(folder)
        if act == "mypy":
            return subprocess.call([sys.executable, "-m", "mypy"], cwd=ROOT, env=env)
        if act == "makemigrations":
            answer = manage("makemigrations", "--check", "--dry-run", env=env)
            print(answer.stdout, end="")
            return answer.returncode
        problems = check_deploy(env)
    print("\n".join(problems) or "check --deploy: the complete example passes, each incomplete one is refused.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
