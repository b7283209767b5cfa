"""What a person reads while nothing can be answered: our sentence, within 10 s, whoever shows it."""

import json
import re
import time

from rig import check, equal

from .agents import Aider, ClaudeCode, Codex, Opencode, QwenCode

PROMPT = "Say done."
LIMIT_SEC = 10
"""From the first request to the sentence."""
LONG_SEC = 3600
RESTS = {"failure": {"name": "provider_limit_retry_after", "retry_after": LONG_SEC}}
DAY = {"failure": {"name": "free_tier_day"}}


class Demand:
    """What a proxy must be in for a case, and what its answer says."""


def words(text):
    """A text as a person reads it, wrapped or not."""
    return re.sub(r"[\W_]+", " ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\u2060", "", text)).lower()


def reads(agent, sentence, requests=None):
    """It shows these words within the time, counted from when it first asked."""
    wanted, shown = words(sentence), {}

    def until(line):
        # A sentence may be wrapped.
        said = words(" ".join(text for _, text in agent.lines))
        if wanted in said:
            shown["at"] = time.time()
        return "at" in shown

    began = time.time()
    agent.run(PROMPT, until=until)
    lines = agent.rig.lines()
    assert shown, f"it does not say {sentence!r}, but: {[text for _, text in agent.lines]}"
    first = agent.first_asked(began)
    took = shown["at"] - first
    assert took < LIMIT_SEC, f"{sentence!r} is shown after {took:.1f} s"
    return f"after {took:.1f} s"
