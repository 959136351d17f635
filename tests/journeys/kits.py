"""Running a kit as a customer would, and reading what it printed."""

import base64
import json
import os
import subprocess


def run(kit, tmp_path, *options):
    """The kit as a customer runs it: real bash, real curl, nothing of ours in its environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    return subprocess.run(
        ["bash", str(kit), *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )


def rows_in(output):
    """Every order the API's answer in the kit's output holds, as (tenant, id)."""
    decoder, found = json.JSONDecoder(), []
    for start in (i for i, c in enumerate(output) if c == "{"):
        try:
            document, _ = decoder.raw_decode(output[start:])
        except ValueError:
            continue
        if isinstance(document.get("data"), dict) and document["data"].get("orders"):
            return sorted((row["tenant"], row["id"]) for row in document["data"]["orders"]["items"])
    return found


def table_rows(sandbox, tenant):
    items = sandbox.aws("dynamodb").scan(TableName="orders")["Items"]
    return sorted((i["tenant"]["S"], i["id"]["S"]) for i in items if i["tenant"]["S"] == tenant)


def payload(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
