"""Code that runs elsewhere: the token trigger, the AppSync functions and the template that installs both."""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent
TRIGGER_SOURCE = FOLDER / "claims_trigger.py"
_PLACEHOLDER = re.compile(r"__([A-Z]+(?:_[A-Z]+)*)__")
_FILE = re.compile(r"\{\{([a-z_]+\.(?:js|py))\}\}")

DEFAULTS: dict[str, dict[str, object]] = {
    "tenant_from_claim.js": {"required_scope": None},
    "tenant_from_lookup.js": {"required_scope": None},
    "query_by_tenant.js": {"tenant_key": "tenant", "index": None, "limit": 100},
}


def render(name, **values):
    """The AppSync code `name` with each __VALUE__ as a quoted literal. A missing or unknown value is a ValueError."""
    source = (FOLDER / "appsync" / name).read_text(encoding="utf-8")
    values = {**DEFAULTS.get(name, {}), **values}
    wanted = {found.lower() for found in _PLACEHOLDER.findall(source)}
    if wanted != set(values):
        raise ValueError(f"{name} takes {sorted(wanted)}, got {sorted(values)}")
    # JSON is JavaScript; "</script" and U+2028 matter only inside pages, where the template engine escapes.
    return _PLACEHOLDER.sub(lambda match: json.dumps(values[match.group(1).lower()]), source)


def render_template(*, claim, required_scope=None, tenant_key="tenant", index=None):
    """The CloudFormation template, ready to deploy, with the trigger and the AppSync code in it."""
    values = {
        "tenant_from_claim.js": {"claim": claim, "required_scope": required_scope},
        "tenant_from_lookup.js": {"claim": claim, "required_scope": required_scope},
        "query_by_tenant.js": {"tenant_key": tenant_key, "index": index},
    }

    def content(match):
        name = match.group(1)
        source = TRIGGER_SOURCE.read_text(encoding="utf-8") if name.endswith(".py") else render(name, **values[name])
        return json.dumps(source)  # a JSON string is a YAML string

    return _FILE.sub(content, (FOLDER / "template.yaml").read_text(encoding="utf-8"))
