"""Rules for secret scanners: what they find is what secrets are; detect-secrets is really run."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from re import _constants as constants
from re import _parser as parser

import pytest

from clients import sealing
from clients.snippets import scanners

RULES = {scanner.name: scanner for scanner in scanners.SCANNERS}
# What RE2 has not: look-around, back-references, conditions, atomic groups, possessive repeats.
NOT_RE2 = (constants.ASSERT, constants.ASSERT_NOT, constants.GROUPREF, constants.GROUPREF_EXISTS,
           constants.ATOMIC_GROUP, constants.POSSESSIVE_REPEAT)  # fmt: skip
MOST_REPEATED = 1000  # RE2 takes no larger count


def damaged(value):
    return value[:-1] + ("a" if value[-1] != "a" else "b")


def gitleaks():
    (rule,) = tomllib.loads(RULES["gitleaks"].text)["rules"]
    return rule


def github():
    """Its fields, by the names they have on GitHub's page."""
    blocks = RULES["github"].text.strip().split("\n\n")
    return dict(block.split(":\n") for block in blocks)


# --- RE2 ---------------------------------------------------------------------------------------------


def not_in_re2(part):
    """What of it RE2 would refuse, however deep. By identity: a constant equals the character of its number."""
    if isinstance(part, parser.SubPattern | list | tuple):
        return [found for each in part for found in not_in_re2(each)]
    return [str(part)] if any(part is refused for refused in NOT_RE2) else []


@pytest.mark.parametrize(
    "pattern", [gitleaks()["regex"], *(text for name, text in github().items() if name != "Pattern name")]
)
def test_rules_keep_to_what_re2_can(pattern):
    assert not_in_re2(parser.parse(pattern.replace(r"\z", r"\Z"))) == []
    assert all(int(count) <= MOST_REPEATED for count in re.findall(r"\{(?:\d+,)?(\d+)\}", pattern))


@pytest.mark.parametrize("pattern", [r"a(?=b)", r"(?<!x)a", r"(a)\1", r"(?:a|(?:b(?!c)))+", r"(?>ab)", r"a++"])
def test_what_re2_lacks_is_noticed(pattern):
    assert not_in_re2(parser.parse(pattern)) != []


# --- What the patterns find --------------------------------------------------------------------------

AROUND = ["{}", "secret={}&x", '"{}"', "'{}',", "id:{} ", "{}\nnext", "\t{}\r\n", "https://u:{}@host/"]
NEAR = [
    lambda v: v[:-1], lambda v: v + "x", lambda v: v.replace("cps", "cpx"), lambda v: v.replace("_prod_", "_production_"),
    lambda v: v.replace("_prod_", "_PROD_"), lambda v: v[:20] + "-" + v[21:], lambda v: v.replace("_", "-"),
    lambda v: v[:20] + "é" + v[21:],
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("environment", ["prod", "a", "staging1"])
def test_gitleaks_finds_the_secret_and_only_it(around, environment):
    value = sealing.generate(environment).reveal()
    (match,) = re.finditer(gitleaks()["regex"], around.format(value))
    assert match.group(gitleaks()["secretGroup"]) == value
    assert all(word in value for word in gitleaks()["keywords"]), "else gitleaks would not even try the rule"


@pytest.mark.parametrize("near", NEAR)
def test_gitleaks_does_not_take_a_near_miss(near):
    assert not re.search(gitleaks()["regex"], f'"{near(sealing.generate("prod").reveal())}"')


def test_gitleaks_takes_a_wrong_checksum_which_no_pattern_can_tell():
    assert re.search(gitleaks()["regex"], damaged(sealing.generate("prod").reveal()))


def test_gitleaks_keeps_its_own_rules_beside():
    assert tomllib.loads(RULES["gitleaks"].text)["extend"] == {"useDefault": True}


@pytest.mark.parametrize("around", AROUND)
def test_github_fields_find_the_secret(around):
    fields, value = github(), sealing.generate("prod").reveal()
    pattern = "(?:{Before secret})({Secret format})(?:{After secret})".format(**fields).replace(r"\z", r"\Z")
    assert re.search(pattern, around.format(value)).group(1) == value
    assert not any(re.search(pattern, f'"{near(value)}"') for near in NEAR)


def test_patterns_follow_the_shape_of_a_secret():
    """The same strings as `sealing.SHAPE`, but for its groups: no list of its own that could be forgotten."""
    assert re.compile(scanners.SECRET).groups == 0
    assert re.sub(r"[()]", "", sealing.SHAPE.pattern) == scanners.SECRET
    assert all(scanners.SECRET in scanner.text for scanner in scanners.SCANNERS)


def test_rules_hold_no_secret():
    assert [scanner.name for scanner in scanners.SCANNERS if sealing.SHAPE.search(scanner.text)] == []


# --- detect-secrets ----------------------------------------------------------------------------------


def scan(folder, plugin, *options):
    """(file, line) of what it reports as ours, and the types of everything it reports."""
    command = [str(Path(sys.executable).with_name("detect-secrets")), "-C", str(folder), "scan", "--all-files",
               "--no-verify", "--plugin", str(plugin), *options]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    results = json.loads(done.stdout)["results"]
    found = [(name, each["line_number"], each["type"]) for name, all_of in results.items() for each in all_of]
    ours = [(name, line) for name, line, kind in found if kind == scanners.NAME]
    return sorted(ours), {kind for _, _, kind in found}


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "rules" / RULES["detect-secrets"].file_name
    path.parent.mkdir()
    path.write_text(RULES["detect-secrets"].text)
    return path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "repository"
    made.mkdir()
    return made


@pytest.mark.slow
def test_detect_secrets_finds_the_planted_one_and_nothing_else(folder, plugin):
    value = sealing.generate("prod").reveal()
    (folder / "app.py").write_text(f'import os\n\nprint("hello")\nvalue = "{value}"\nother = "cps_max_retries_count"\n')
    (folder / "broken.py").write_text(f'value = "{damaged(value)}"\n')
    (folder / "readme.md").write_text("Secrets look like cps_prod_ and 49 characters.\n\n" + "A" * 49 + "\n")
    assert scan(folder, plugin)[0] == [("app.py", 4)]


@pytest.mark.slow
def test_detect_secrets_finds_it_where_its_heuristics_leave_out_others(folder, plugin):
    """What looks like an id it finds anyway; what stands in a call only with the option that the rules name."""
    values = [sealing.generate("prod").reveal() for _ in range(4)]
    lines = [f"client_id = {values[0]}", f"url: https://u:{values[1]}@api.example/", f'{{"k": "{values[2]}"}}',
             f'secret = SecretStr("{values[3]}")']  # fmt: skip
    (folder / "notes.txt").write_text("\n".join(lines) + "\n")
    option = "--disable-filter detect_secrets.filters.heuristic.is_indirect_reference"
    assert scan(folder, plugin)[0] == [("notes.txt", number) for number in (1, 2, 3)]
    assert option in RULES["detect-secrets"].text
    assert scan(folder, plugin, *option.split())[0] == [("notes.txt", number) for number in (1, 2, 3, 4)]


@pytest.mark.slow
def test_detect_secrets_without_the_checksum_would_report_the_broken_one(folder, plugin):
    value = damaged(sealing.generate("prod").reveal())
    (folder / "broken.py").write_text(f'value = "{value}"\n')
    assert scan(folder, plugin)[0] == []
    plugin.write_text(plugin.read_text().replace("return digits == text[-6:]", "return True"))
    assert scan(folder, plugin)[0] == [("broken.py", 1)]
