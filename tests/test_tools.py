"""The checkers of `make check` find what is planted; a checker that finds nothing proves nothing."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent


def ruff(path: str, code: str) -> str:
    command = [TOOLS / "ruff", "check", "--no-cache", "--output-format", "concise", "--stdin-filename", path, "-"]
    return subprocess.run(command, cwd=ROOT, input=code, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("clients/services/planted.py", "from django.http import HttpRequest\n\nHttpRequest()\n"),
        ("clients/models/planted.py", "from django import forms\n\nforms.Form()\n"),
        ("clients/aws/planted.py", "from django.contrib import messages\n\nmessages.info(None, '')\n"),
        ("clients/services/planted.py", "from unittest import mock\n\nmock.Mock()\n"),
    ],
)
def test_ruff_finds_what_belongs_to_another_level(module, code):
    assert "TID251" in ruff(module, code)


def test_ruff_lets_views_have_requests():
    assert "TID251" not in ruff("clients/views/planted.py", "from django.http import HttpRequest\n\nHttpRequest()\n")


def lint_imports(copy: Path) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": str(copy)}
    command = [TOOLS / "lint-imports", "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True)


@pytest.mark.slow
def test_import_linter_finds_a_broken_level(tmp_path):
    for folder in ("clients", "portal"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = {
        "clients/models/planted.py": ("clients.services.audit", "Each level imports only"),
        "clients/services/planted.py": ("boto3", "Only the gateway"),
        "clients/edge/claims_trigger.py": ("clients.errors", "What runs in AWS"),
        "portal/middleware.py": ("portal.sandbox.server", "The portal never knows"),
        "portal/sandbox/planted.py": ("clients.models", "The sandbox knows AWS"),
    }
    for path, (module, _) in planted.items():
        with (tmp_path / path).open("a") as file:
            file.write(f"\nimport {module}\n")
    answer = lint_imports(tmp_path)
    assert answer.returncode == 1
    for _, contract in planted.values():
        (line,) = [
            line for line in answer.stdout.splitlines() if line.startswith(contract) and line[-4:] in ("OKEN", "KEPT")
        ]
        assert line.endswith("BROKEN"), answer.stdout


def test_djlint_finds_an_orphan(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<main><p>Text</p></section></main>\n")
    answer = subprocess.run([TOOLS / "djlint", "--lint", page], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 1 and "H025" in answer.stdout


def test_missing_migration_is_found(tmp_path):
    """makemigrations --check on a copy with one more field."""
    from tests.check_deploy import example_environment

    for folder in ("clients", "portal", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    people = tmp_path / "clients/models/people.py"
    people.write_text(
        people.read_text() + "\n\nclass Planted(models.Model):\n    name = models.CharField(max_length=3)\n"
    )
    answer = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=tmp_path,
        env=example_environment(str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1 and "Planted" in answer.stdout


# --- Code made of text -----------------------------------------------------------------------------------

RUNS = {"eval", "exec", "compile", "__import__", "system", "popen", "getoutput", "raw", "extra", "RawSQL"}


def runs_text(source: str) -> list[str]:
    """Calls that make code, a shell's line or SQL of whatever text they are given; `re.compile` is none."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        is_pattern = name == "compile" and isinstance(call.func, ast.Attribute)
        is_shell = any(key.arg == "shell" for key in call.keywords)
        is_sql = name in ("execute", "executemany") and not isinstance(call.args[0], ast.Constant)
        if (name in RUNS and not is_pattern) or is_shell or is_sql:
            found.append(f"{call.lineno} {name}")
    return found


@pytest.mark.asvs("1.2.4", "1.2.5", "1.3.2")
def test_portal_runs_no_code_command_or_sql_made_of_text():
    """The sandbox, the demo's supervisor and migrations apart: nobody's input comes there."""
    apart = {"sandbox", "migrations", "demo.py"}
    files = [path for folder in ("clients", "portal") for path in (ROOT / folder).rglob("*.py")]
    looked_at = [path for path in files if not apart & set(path.relative_to(ROOT).parts)]
    assert {str(path): found for path in looked_at if (found := runs_text(path.read_text()))} == {}
    assert ROOT / "clients/services/audit.py" in looked_at


@pytest.mark.parametrize(
    "planted",
    ["eval(x)", "exec(x)", "os.system(x)", "subprocess.run(x, shell=True)", "cursor.execute(f'SELECT {x}')",
     "Client.objects.raw(x)", "RawSQL(x, [])", "rows.extra(where=[x])", "cursor.execute(x)"],
)  # fmt: skip
def test_planted_call_that_runs_text_is_found(planted):
    assert len(runs_text(planted)) == 1
    assert runs_text("re.compile(x); cursor.execute('SELECT %s', [x]); subprocess.run([x])") == []
