"""Runs the checks of all these clients against one demo, and prints the table client x check."""

import sys

import runner  # first: it clears the environment
import rig

from . import sdk, tasks  # noqa: F401  (they fill the list)


def main():
    words = sys.argv[1:]
    chosen = [check for check in rig.CHECKS if not words or any(word in check.name for word in words)]
    return runner.close(runner.run_all(chosen, rig.Rig(rig.Demo("agents", PORT="0"))))


runner.program(main)
