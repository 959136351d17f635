"""`python -m portal.sandbox --port 4566 --state-dir DIR`: runs the local AWS until it is told to stop."""

import argparse

from portal.sandbox import server


def _arguments():
    parser = argparse.ArgumentParser(prog="portal.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--state-dir", required=True, help="what the sandbox remembers, and its control token")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    raise SystemExit(server.main(arguments.port, arguments.state_dir))
