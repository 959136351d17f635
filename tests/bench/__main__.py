"""`make bench`: one table, every row a ratio of two things measured in the same run.

python -m tests.bench [creating] [tenants_page] [clients_page] [trigger]     without a name: all of them
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tests.environment  # noqa: F401  (before Django)

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.settings"


def main() -> None:
    import django

    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    old = setup_databases(verbosity=0, interactive=False)
    try:
        rows = list(run(sys.argv[1:]))
    finally:
        teardown_databases(old, verbosity=0)
    print_table(rows)
    sys.exit(any(not ok for *_, ok in rows))


def run(chosen: list[str]) -> Iterator[tuple[str, float, str, bool]]:
    from tests import local_aws, support
    from tests.bench import clients_page, creating, tenants_page, trigger

    parts = {
        "creating": creating.rows, "tenants_page": tenants_page.rows, "clients_page": clients_page.rows,
        "trigger": trigger.rows,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, local_aws.sandbox(Path(folder)) as endpoint:
        os.environ["AWS_ENDPOINT_URL"] = endpoint
        world = support.make_world(support.Sandbox(endpoint, Path(folder)))
        world.sandbox.settings(write_hold_seconds=0)  # nothing slows the bare loop we are compared with
        for name in chosen or parts:
            yield from parts[name](world)


def print_table(rows: list[tuple[str, float, str, bool]]) -> None:
    width = max(len(name) for name, *_ in rows)
    print(f"{'what':{width}}  ratio   aim")
    for name, ratio, aim, ok in rows:
        print(f"{name:{width}}  {ratio:5.2f}   {aim}{'' if ok else '   MISSED'}")


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    start = time.perf_counter()
    yield lambda: time.perf_counter() - start


def p95(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=20)[-1]


if __name__ == "__main__":
    main()
