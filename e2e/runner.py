"""Runs checks one after the other, and prints how each went."""

import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass

# No client may leave this machine, or be affected by the settings of the user who runs the checks.
for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith(("OPENAI_", "ANTHROPIC_", "CLAUDE")):
        del os.environ[name]


class TooLong(BaseException):
    """A check did not end in time. No client may catch this and retry."""


@dataclass(frozen=True)
class Result:
    check: object
    why: str | None
    """Why it failed, or None."""
    word: str
    """Additional output."""
    seconds: float


def too_long(*_):
    raise TooLong


def run(check, rig):
    begun = time.monotonic()
    result = lambda why, word="": Result(check, why, word, time.monotonic() - begun)
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(check.limit_sec)
    try:
        rig.situation()
        return result(None, check.run(rig) or "")
    except TooLong:
        return result(f"not done after {check.limit_sec} s\n{traceback.format_exc()}")
    except AssertionError as error:
        return result(f"{error}\n{''.join(traceback.format_tb(error.__traceback__)[1:-1])}")
    except Exception:
        return result(traceback.format_exc())
    finally:
        signal.alarm(0)


def run_all(checks, rig):
    """Their results, each printed as it arrives; then the reasons for failures, and the counts."""
    print(f"== checking {os.environ['FREE_LLM_PROXY_BIN']} at {rig.demo.address}, log in {rig.demo.log_file}\n")
    width = max(len(check.name) for check in checks) + 3
    results = []
    for check in checks:
        print(f"{check.name} ".ljust(width, "."), end=" ", flush=True)
        result = run(check, rig)
        results.append(result)
        verdict = "ok" if result.why is None else "FAILED"
        print(f"{verdict:7} {result.seconds:5.1f} s   {result.word}".rstrip(), flush=True)
    failed = [result for result in results if result.why is not None]
    for result in failed:
        print(f"\n-- {result.check.name}\n{result.why.rstrip()}")
    if failed:
        print(f"\nthe log's end ({rig.demo.log_file}):\n", *rig.demo.said().splitlines()[-5:], sep="\n")
    return results


def close(results):
    """Prints the closing line; the exit code."""
    failed = sum(result.why is not None for result in results)
    print(f"\n{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def program(main):
    """Runs `main` as a program that ends its demos when it is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except AssertionError as error:
        print(f"{error}\n\n0 passed, 1 failed")
        sys.exit(1)
