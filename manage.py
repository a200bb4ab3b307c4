#!/usr/bin/env python
"""Django's command line; a setting that cannot be read is one sentence and exit status 1."""

import sys

from config.startup import settings_or_exit


def main() -> None:
    """Run the management command named on the command line."""
    settings_or_exit()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
