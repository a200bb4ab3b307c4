"""``python -m amocrm.sandbox``: the sandbox without Django."""

from __future__ import annotations

import argparse
import logging
import sys

from amocrm.sandbox.cli import CannotStart, add_arguments, serve


def main() -> int:
    """Serve until told to stop; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m amocrm.sandbox", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        serve(**vars(options), announce=logging.getLogger("amocrm.sandbox").info)
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
