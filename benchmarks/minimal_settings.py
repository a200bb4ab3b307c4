"""The service's settings with another address book: that of the minimal view alone."""

from config.settings import *  # noqa: F403  # all of them: that is what makes it comparable

ROOT_URLCONF = "benchmarks.minimal_view"
