"""`python -m config.launcher run` and `python -m config.launcher install`."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from config.env import ConfigError
from config.launcher import env_file
from config.startup import settings_or_exit


def main() -> int:
    """Prepare the service and, for ``run``, keep it running; the exit status is returned."""
    parser = argparse.ArgumentParser(prog="python -m config.launcher")
    parser.add_argument("action", choices=("install", "run"))
    action = parser.parse_args().action
    try:
        env_file.ensure()
        settings_or_exit()
        return _run() if action == "run" else _install()
    except ConfigError as error:
        sys.exit(f"Configuration: {error}")
    except OSError as error:
        if not isinstance(error.filename, str):
            raise
        sys.exit(
            f"Configuration: {error.filename} cannot be written ({error.strerror}): give this user"
            " permission (was the service started as another user before?)."
        )
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _install() -> int:
    from config.launcher import bootstrap
    from config.launcher.console import say

    bootstrap.prepare()
    say("Ready: `make run` starts it.")
    return 0


def _run() -> int:
    # Only now: these read the settings.
    from config.launcher import bootstrap, dependencies, pdeathsig
    from config.launcher.banner import greet
    from config.launcher.commands import service_processes
    from config.launcher.console import Output
    from config.launcher.supervisor import Supervisor

    if os.environ.get("MAKELEVEL"):
        # A make that is killed outright tells nobody; its end is then ours.
        pdeathsig.end_with_parent(signal.SIGTERM)
    dependencies.require_ports_of_their_own()
    dependencies.require_free_port()
    missing = dependencies.missing()
    bootstrap.prepare()
    with Output() as output:
        supervisor = Supervisor(output)
        return supervisor.run([missing, service_processes()], when_up=greet)


if __name__ == "__main__":
    sys.exit(main())
