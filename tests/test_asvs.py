"""Every requirement of OWASP ASVS 5.0.0 that applies has its row, and every row holds: a test, a setting, the code, or
the reason why it is not met."""

import re
from collections import Counter

import pytest
from django.conf import settings

from tests.asvs_table import ROOT, read_marks, read_rows, table

# How many requirements of level 1 apply in each chapter: the table "OWASP ASVS 5.0.0: the requirements that apply" of
# the threat model, whose ids have these levels in OWASP's own list (5.0/docs_en, flat.json of 5.0.0). 61 of 70: no rich
# text, XML, WebSocket, public upload folder or CORS preflight is there, nor an authorization server.
LEVEL_1 = {1: 6, 2: 4, 3: 7, 4: 1, 5: 3, 6: 13, 7: 6, 8: 4, 9: 4, 10: 1, 11: 3, 12: 3, 13: 1, 14: 2, 15: 3}
VERDICTS = ("tests", "setting", "design", "not met")
FILE = re.compile(r"[\w/.-]+\.(?:py|md|csv|html|js|toml)\b")
DOCUMENT = ROOT / "docs" / "security.md"


def problems(rows, marked, counts):
    """What is wrong, in sentences; empty: nothing. `counts`: rows of level 1 that each chapter has to have."""
    found = [f"{row['id'] or 'A row'}: {said}" for row in rows for said in of_row(row, marked.get(row["id"], []))]
    ids = [row["id"] for row in rows]
    found += [f"{known}: stands there twice" for known, times in Counter(ids).items() if times > 1]
    found += [f"{known}: marked on {tests[0]}, and has no row" for known, tests in marked.items() if known not in ids]
    if ids != sorted(ids, key=numbers):
        found.append("The rows are not in the order of their ids")
    got = Counter(numbers(row["id"])[0] for row in rows if row["level"] == "1")
    return found + [
        f"V{chapter}: {got[chapter]} rows of level 1, {counts.get(chapter, 0)} apply"
        for chapter in sorted({*got, *counts})
        if got[chapter] != counts.get(chapter, 0)
    ]


def numbers(known):
    return tuple(int(part) for part in known.split(".")) if re.fullmatch(r"\d+\.\d+\.\d+", known) else (0,)


def of_row(row, tests):
    """What is wrong with one row, which these tests are marked with."""
    verdict, reason = row["verdict"], row["reason"] or ""
    files = FILE.findall(reason)
    wrong = {
        "no id": numbers(row["id"]) == (0,),
        "no level": row["level"] not in ("1", "2"),
        "says what in 1 to 90 characters": not 1 <= len(row["requirement"].strip()) <= 90,
        f"unknown verdict {verdict!r}": verdict not in VERDICTS,
        "no test is marked with it": verdict == "tests" and not tests,
        "a test is marked with what is not met": verdict == "not met" and bool(tests),
        "says no because": verdict == "not met" and not re.match(r"because \w", reason),
        "names no setting that exists": verdict == "setting" and not is_setting(reason),
        "names no file": verdict == "design" and not files,
    }
    gone = [file for file in files if not (ROOT / file).is_file()]
    return [said for said, is_so in wrong.items() if is_so] + [f"{file} does not exist" for file in gone]


def is_setting(reason):
    name = re.match(r"([A-Z][A-Z0-9_]+): \S", reason)
    return name is not None and hasattr(settings, name[1])


def test_every_requirement_that_applies_is_met_or_says_why_not():
    marked, astray = read_marks()
    assert problems(read_rows(), marked, LEVEL_1) == []
    assert astray == [], "a marker that marks no test"
    assert sum(LEVEL_1.values()) == 61


def test_document_has_the_table_as_it_is_now():
    """Else: `python -m tests.asvs_table`, and its output between the two comments."""
    (block,) = re.findall(r"<!-- asvs -->\n(.*?)<!-- /asvs -->", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert block == table(read_rows(), read_marks()[0])


# --- Planted defects -------------------------------------------------------------------------------------


def row(**changes):
    return {"id": "6.2.1", "level": "1", "requirement": "Long", "verdict": "tests", "reason": ""} | changes


MARKED = {"6.2.1": ["test_x.py::test_x"]}


@pytest.mark.parametrize(
    ("changes", "marked", "words"),
    [
        ({"verdict": ""}, MARKED, "unknown verdict ''"),
        ({"verdict": "fine"}, MARKED, "unknown verdict 'fine'"),
        ({"requirement": " "}, MARKED, "says what"),
        ({"requirement": "x" * 91}, MARKED, "says what"),
        ({"level": ""}, MARKED, "no level"),
        ({}, {}, "no test is marked"),
        ({}, MARKED | {"6.2.99": ["test_x.py::test_x"]}, "6.2.99: marked on test_x.py::test_x, and has no row"),
        ({"verdict": "setting", "reason": "NO_SUCH_SETTING: 7"}, {}, "names no setting"),
        ({"verdict": "setting", "reason": "SESSION_ENGINE"}, {}, "names no setting"),
        ({"verdict": "setting"}, {}, "names no setting"),
        ({"verdict": "design", "reason": ""}, {}, "names no file"),
        ({"verdict": "design", "reason": "it is so"}, {}, "names no file"),
        ({"verdict": "design", "reason": "clients/nowhere.py"}, {}, "clients/nowhere.py does not exist"),
        ({"verdict": "not met", "reason": ""}, {}, "says no because"),
        ({"verdict": "not met", "reason": "because "}, {}, "says no because"),
        ({"verdict": "not met", "reason": "because of x"}, MARKED, "marked with what is not met"),
    ],
)
def test_planted_row_is_found(changes, marked, words):
    (found,) = problems([row(**changes)], marked, {6: 0 if changes.get("level") == "" else 1})
    assert words in found


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([], "V6: 0 rows of level 1, 2 apply"),
        (["6.2.1"], "V6: 1 rows of level 1, 2 apply"),
        (["6.2.1", "6.2.1"], "6.2.1: stands there twice"),
        (["6.2.2", "6.2.1"], "not in the order"),
        (["6.2.1", "6.2.2", "7.2.1"], "V7: 1 rows of level 1, 0 apply"),
        (["6.2.1", "6.2.2", ""], "no id"),
    ],
)
def test_planted_gap_in_the_rows_is_found(ids, words):
    rows = [row(id=each, level="1" if each else "2") for each in ids]
    assert any(words in said for said in problems(rows, dict.fromkeys(filter(None, ids), ["x"]), {6: 2}))


def test_rows_as_they_should_be_pass():
    rows = [
        row(), row(id="6.2.2", verdict="setting", reason="SESSION_ENGINE: in the database"),
        row(id="6.2.3", verdict="design", reason="see docs/security.md"), row(id="6.2.9", level="2", verdict="not met",
        reason="because of x"),
    ]  # fmt: skip
    assert problems(rows, MARKED, {6: 3}) == []


def test_reading_marks_finds_each_test_and_each_marker_astray(tmp_path):
    (tmp_path / "test_planted.py").write_text(
        "import pytest\n\n@pytest.mark.asvs('1.2.1', '1.2.2')\n@pytest.mark.slow\ndef test_a():\n    pass\n\n"
        "@pytest.mark.asvs('1.2.1')\ndef test_b():\n    pass\n\n@pytest.mark.asvs('1.2.3')\ndef helper():\n    pass\n\n"
        "@pytest.mark.asvs()\ndef test_c():\n    pass\n\npytestmark = pytest.mark.asvs('1.2.4')\n"
    )
    marked, astray = read_marks(tmp_path)
    assert marked == {
        "1.2.1": ["test_planted.py::test_a", "test_planted.py::test_b"],
        "1.2.2": ["test_planted.py::test_a"],
    }
    assert [place.split(":")[1] for place in astray] == ["12", "16", "20"]
