"""How the portal stands to OWASP ASVS 5.0.0: the rows of asvs.csv, the tests marked with them, and the table of
docs/security.md.

python -m tests.asvs_table prints that table.
"""

import ast
import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = 2  # tests named in a row; the others are counted

Row = dict[str, str]
Marked = dict[str, list[str]]  # id of a requirement: the tests marked with it, as file::test


def read_rows() -> list[Row]:
    return list(csv.DictReader((ROOT / "tests" / "asvs.csv").read_text(encoding="utf-8").splitlines()))


def read_marks(folder: Path = ROOT / "tests") -> tuple[Marked, list[str]]:
    """(what is marked, where a marker stands that marks no test), read from the source: a run that selects a few tests
    sees the same."""
    marked: Marked = {}
    astray: list[str] = []
    for path in sorted(folder.rglob("test_*.py")):
        tree, name = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(folder).as_posix()
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        known = set()
        for test in tests:
            for call in filter(_is_mark, test.decorator_list):
                known.add(id(call.func))
                for argument in call.args:
                    marked.setdefault(ast.unparse(argument).strip("'"), []).append(f"{name}::{test.name}")
        found = [node for node in ast.walk(tree) if _names_mark(node) and id(node) not in known]
        astray += [f"{name}:{node.lineno}" for node in found]
    return marked, astray


def _names_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.asvs"


def _is_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _names_mark(node.func) and bool(node.args) and not node.keywords


def how(row: Row, tests: list[str]) -> str:
    """Where it is shown, or why it is not."""
    names = [f"`{test}`" for test in tests[:SHOWN]]
    more = [f"and {len(tests) - SHOWN} more"] if len(tests) > SHOWN else []
    shown = ", ".join(names + more) if row["verdict"] == "tests" else ""
    if row["verdict"] == "not met":
        return f"**Not met**, {row['reason']}"
    setting, colon, rest = row["reason"].partition(":")
    told = f"`{setting}`{colon}{rest}" if row["verdict"] == "setting" else row["reason"]
    return "; ".join(filter(None, [shown, told]))


def table(rows: list[Row], marked: Marked) -> str:
    lines = [f"| {row['id']} | {row['requirement']} | {how(row, marked.get(row['id'], []))} |" for row in rows]
    return "\n".join(["| id | what | how |", "|---|---|---|", *lines]) + "\n"


if __name__ == "__main__":
    print(table(read_rows(), read_marks()[0]), end="")
