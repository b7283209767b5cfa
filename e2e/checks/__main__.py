"""Runs the checks one after the other against one demo."""

import sys

import runner  # first: it clears the environment
import rig

from . import openai_python, quick_start, qwen_code, the_usual, the_demo  # noqa: F401  (they fill the list)


def main():
    words = sys.argv[1:]
    chosen = [check for check in rig.CHECKS if not words or any(word in check.name for word in words)]
    if not chosen:
        print("no check has such a name:", *(check.name for check in rig.CHECKS), sep="\n  ")
        return 2
    return runner.close(runner.run_all(chosen, rig.Rig(rig.Demo("demo", PORT="0"))))


if __name__ == "__main__":
    runner.program(main)
