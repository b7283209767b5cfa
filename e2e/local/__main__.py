"""Runs the checks, server by server."""

import argparse

import runner  # first: it clears the environment
import rig

from . import checks
from .servers import Rig, world


def main():
    told = argparse.ArgumentParser(prog="e2e/local/run", description="Real servers of one's own behind the built binary.")
    told.add_argument("--all", action="store_true", help="llama-cpp-python too, which is built here first")
    told.add_argument("words", nargs="*", metavar="WORD", help="only the checks with one of these in their names")
    told = told.parse_args()
    results = []
    demo = world()
    for kind in checks.SERVERS if told.all else checks.SERVERS[:1]:
        own = [check for check in rig.CHECKS if check.name.startswith(f"{kind.name}: ")]
        chosen = [check for check in own if not told.words or any(word in check.name for word in told.words)]
        if chosen:
            results += runner.run_all(chosen, Rig(kind, demo))
    if not results:
        print("no check has such a name:", *(check.name for check in rig.CHECKS), sep="\n  ")
        return 2
    return runner.close(results)


runner.program(main)
