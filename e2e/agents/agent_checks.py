"""What every agent is to do: write a file, read it back, say done, while models fail in between."""

from rig import SLOW_FAILURE, check, equal, eventually, limited, outcomes

from .agent import LAST_WORD
from .agents import Aider, ClaudeCode, Codex, CodexPatch, Opencode, QwenCode
from .transcript import transcript

PROMPT = "Create the file greeting.txt, read it back, then say done."
TEXT = "Написано бесплатной моделью.\nquotes \" and \\ and $HOME and 🦀\n"
TRANSCRIPTS = []
"""Of the runs through a 429."""
# Every need of theirs is met by each of these.
ABLE = {
    f"supports{what}": True
    for what in ("Tools", "ToolChoice", "StructuredOutputs", "ResponseFormat", "Reasoning", "Seed", "Stop")
}


def done(agent, said):
    """The file is there, its content came back to the model, and the agent says so."""
    assert agent.file.is_file(), f"no file was written; it said: {said}"
    equal(agent.file.read_text(), TEXT, "the file's content")
    assert LAST_WORD in said, f"the model's last word is missing: {said}"
    assert agent.seen(TEXT), "the file's content did not come back"


def fails_between(agent, fault, outcome):
    """The best model serves the first turn and fails at the second."""
    rig = agent.rig
    first, second = rig.models[:2]
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
    agent = fails_between(kind(rig, "rate limit"), limited(600), "rate_limited")
    TRANSCRIPTS.append(transcript(agent, agent.command(PROMPT), rig.lines()))


def silent_death(kind, rig):
    fails_between(kind(rig, "dies"), {"close": "first_event"}, "upstream_error")


def all_rest(kind, rig):
    agent = kind(rig, "all rest")
    plan = agent.plan(agent.turns(TEXT), before=[limited(2)])
    rig.situation({"default": plan}, listed=rig.short_list(3, **ABLE))
    done(agent, agent.told(PROMPT))
    refused = lambda line: line.get("status") == 503
    assert any(map(refused, rig.lines())), f"it never met a 503: {rig.lines()}"


def slow_failure(kind, rig):
    fails_between(kind(rig, "slow"), SLOW_FAILURE, "upstream_error")


def launched(kind, rig):
    agent = kind(rig, "launched")
    agent.launched = True
    fails_between(agent, limited(600), "rate_limited")


def two_at_once(kind, rig):
    """The model calls two tools in one turn."""
    agent = kind(rig, "two at once")
    other = agent.project / "other.txt"
    calls = [agent.write(agent.file, TEXT), agent.write(other, "another one\n")]
    rig.situation({"default": {"task": [{"tool_call": calls}, *agent.turns(TEXT)[1:]]}}, listed=rig.short_list(3, **ABLE))
    done(agent, agent.told(PROMPT))
    equal(other.read_text(), "another one\n", "the other file's content")


def breaks(kind, rig):
    """The best model breaks off in the midst of writing; what it said of it must not be carried out."""
    first, second = rig.models[:2]
    agent = kind(rig, "breaks")
    turns = agent.turns(TEXT)
    rig.situation(
        {"models": {first: {"stream": {"fault": "reset", "after": 4, "answer": turns[0]["ok"]}}}, "default": agent.plan(turns)},
        listed=rig.short_list(3, **ABLE),
    )
    done(agent, agent.told(PROMPT))
    assert "upstream_error" in [line.get("mid_stream_error") for line in rig.lines()], "no stream broke"


def bad_key(kind, rig):
    """It says that the key is wrong, and no model hears of it."""
    agent = kind(rig, "bad key")
    agent.key = "sk-wrong"
    says_so = lambda line: "401" in line or "api key" in line.lower()
    _, said = agent.run(PROMPT, until=says_so)
    assert any(map(says_so, said.splitlines())), f"it does not speak of the key: {said}"
    equal(rig.simulator.asked(), [], "models asked")


CASES = {
    "a 429 between": rate_limit,
    "a 429 between, launched": launched,
    "a death between": silent_death,
    "a slow failure between": slow_failure,
    "two calls at once": two_at_once,
    "stream breaks": breaks,
    "all rest, it waits": all_rest,
    "bad key": bad_key,
}
QUICK = [ClaudeCode, Codex]
AGENTS = [*QUICK, CodexPatch, QwenCode, Opencode, Aider]


def add(kind, name, case):
    check(f"{kind.name}: {name}", limit_sec=120)(lambda rig: case(kind, rig))


for kind in AGENTS:
    for name, case in CASES.items():
        if name not in kind.without:
            add(kind, name, case)
