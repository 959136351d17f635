"""House rule: functions of at most 40 lines, views 25, modules 400. Counted from `def` to the last line, docstring
included and decorators not: what a person has to read to know what it does."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("clients", "portal", "tests")
FUNCTION, VIEW, MODULE = 40, 25, 400


def python_files(root: Path) -> Iterator[Path]:
    """Everything written by hand; migrations are generated."""
    for folder in FOLDERS:
        yield from (path for path in sorted((root / folder).rglob("*.py")) if "migrations" not in path.parts)


def too_long(root: Path) -> list[str]:
    return [line for path in python_files(root) for line in _of_one(path, str(path.relative_to(root)))]


def _of_one(path: Path, name: str) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if (lines := len(text.splitlines())) > MODULE:
        yield f"{name} has {lines} lines, {MODULE} are allowed"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines, allowed = node.end_lineno - node.lineno + 1, VIEW if _is_view(node, name) else FUNCTION
            if lines > allowed:
                yield f"{name}:{node.lineno} {node.name} has {lines} lines, {allowed} are allowed"


def _is_view(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> bool:
    """Whatever in `clients/views` answers a request."""
    first = function.args.args[:1]
    return name.startswith("clients/views/") and [argument.arg for argument in first] == ["request"]


def test_functions_and_modules_keep_their_size():
    assert too_long(ROOT) == []


def body(lines: int) -> str:
    return "    x = 1\n" * lines


def test_sizes_planted_too_long_are_found(tmp_path):
    planted = {
        "clients/services/planted.py": "def whole():\n" + body(40),
        "clients/views/planted.py": "@signed_in('GET')\ndef view(request):\n"
        + body(25)
        + "def not_a_view(x):\n"
        + body(25),
        "portal/planted.py": "class A:\n    async def inner(self):\n" + body(40).replace("    ", "        "),
        "tests/planted.py": "x = 1\n" * 401,
        "clients/migrations/0001_planted.py": "x = 1\n" * 401,
    }
    for name, text in planted.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [line.split(" has ")[0] for line in too_long(tmp_path)] == [
        "clients/services/planted.py:1 whole",
        "clients/views/planted.py:2 view",
        "portal/planted.py:2 inner",
        "tests/planted.py",
    ]


def test_sizes_at_their_limit_pass(tmp_path):
    for folder, lines in (("clients/views", VIEW), ("clients", FUNCTION)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "limit.py").write_text("@decorated\ndef view(request):\n" + body(lines - 1))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "limit.py").write_text("x = 1\n" * MODULE)
    assert too_long(tmp_path) == []
