"""Runs the checks one after the other against one demo, and prints how each went."""

import os
import signal
import sys
import time
import traceback

# No client of these may be led away from this machine, or by a setting of whoever runs them.
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith("OPENAI_"):
        del os.environ[name]

from . import rig  # noqa: E402
from . import openai_python, quick_start, qwen_code, the_demo  # noqa: E402, F401  (they fill the list)


class TooLong(BaseException):
    """A check did not end in its time. No client may catch it and try again."""


def too_long(*_):
    raise TooLong


def run(check, the_rig):
    """Why it failed, or None; and a word that goes with it."""
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(check.limit_sec)
    try:
        the_rig.situation()
        return None, check.run(the_rig) or ""
    except TooLong:
        return f"not done after {check.limit_sec} s\n{traceback.format_exc()}", ""
    except AssertionError as error:
        return f"{error}\n{''.join(traceback.format_tb(error.__traceback__)[1:-1])}", ""
    except Exception:
        return traceback.format_exc(), ""
    finally:
        signal.alarm(0)


def main(words):
    chosen = [check for check in rig.CHECKS if not words or any(word in check.name for word in words)]
    if not chosen:
        print("no check has such a name:", *(check.name for check in rig.CHECKS), sep="\n  ")
        return 2
    demo = rig.Demo("demo", PORT="0")
    print(f"== checking {os.environ['FREE_LLM_PROXY_BIN']} at {demo.address}, log in {demo.log_file}\n")
    the_rig = rig.Rig(demo)
    width = max(len(check.name) for check in chosen) + 3
    passed, failed = 0, []
    for check in chosen:
        print(f"{check.name} ".ljust(width, "."), end=" ", flush=True)
        begun = time.monotonic()
        why, word = run(check, the_rig)
        if why is None:
            passed, verdict = passed + 1, "ok"
        else:
            failed.append((check.name, why))
            verdict = "FAILED"
        print(f"{verdict:7} {time.monotonic() - begun:5.1f} s   {word}".rstrip(), flush=True)
    for name, why in failed:
        print(f"\n-- {name}\n{why.rstrip()}")
    if failed:
        print(f"\nthe log's end ({demo.log_file}):\n", *demo.said().splitlines()[-5:], sep="\n")
    print(f"\n{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    # Ended from outside, it takes its demos along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except AssertionError as error:
        print(f"{error}\n\n0 passed, 1 failed")
        sys.exit(1)
