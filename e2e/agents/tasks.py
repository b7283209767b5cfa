"""What every agent is to do: write a file, read it back, say done, while models fail in between."""

from rig import check, equal, eventually, limited, outcomes

from .agents import Aider, ClaudeCode, Codex, CodexPatch, Opencode, QwenCode

PROMPT = "Create the file greeting.txt, read it back, then say done."
TEXT = "Написано бесплатной моделью.\nquotes \" and \\ and $HOME and 🦀\n"
# Every need of theirs is met by each of these.
ABLE = {
    f"supports{what}": True
    for what in ("Tools", "ToolChoice", "StructuredOutputs", "ResponseFormat", "Reasoning", "Seed", "Stop")
}


def done(agent, said):
    """The file is there, its content came back to the model, and the agent says so."""
    assert agent.file.is_file(), f"no file was written; it said: {said}"
    equal(agent.file.read_text(), TEXT, "the file's content")
    assert "done" in said, f"it did not say done: {said}"
    assert agent.seen(TEXT), "the file's content did not come back"


def fails_between(kind, rig, case, fault, outcome):
    """The best model serves the first turn and fails at the second."""
    first, second = rig.models[:2]
    agent = kind(rig, case)
    turns = agent.turns(TEXT)
    rig.situation(
        {"models": {first: agent.plan([turns[0], fault])}, "default": agent.plan(turns, at=1)},
        listed=rig.short_list(3, **ABLE),
    )
    done(agent, agent.told(PROMPT))
    walks = lambda: [outcomes(line) for line in rig.lines() if line.get("status") == 200]
    failover = [(first, outcome), (second, "success")]
    eventually(lambda: failover in walks(), f"a failover in the log: {walks()}")
    asked = rig.simulator.asked()
    assert asked[0] == first and asked[-1] == second, f"models asked: {asked}"
    return agent


def rate_limit(kind, rig):
    fails_between(kind, rig, "rate limit", limited(600), "rate_limited")


def silent_death(kind, rig):
    fails_between(kind, rig, "dies", {"close": "first_event"}, "upstream_error")


def all_rest(kind, rig):
    agent = kind(rig, "all rest")
    plan = agent.plan(agent.turns(TEXT), before=[limited(2)])
    rig.situation({"default": plan}, listed=rig.short_list(3, **ABLE))
    done(agent, agent.told(PROMPT))
    refused = lambda line: line.get("status") == 503
    assert any(map(refused, rig.lines())), f"it never met a 503: {rig.lines()}"


CASES = {"a 429 between": rate_limit, "a death between": silent_death, "all rest, it waits": all_rest}
QUICK = [ClaudeCode, Codex]
AGENTS = [*QUICK, CodexPatch, QwenCode, Opencode, Aider]


def add(kind, name, case):
    check(f"{kind.name}: {name}", limit_sec=120)(lambda rig: case(kind, rig))


for kind in AGENTS:
    for name, case in CASES.items():
        add(kind, name, case)
