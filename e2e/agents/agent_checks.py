"""What every agent is to do: write a file, read it back, say done, while models fail in between."""

from rig import SLOW_FAILURE, Rig, Serving, check, equal, eventually, limited, outcomes

from .agent import DONE, LAST_WORD
from .programs import Aider, ClaudeCode, Codex, CodexPatch, Opencode, QwenCode
from .transcript import failover, repeated, rounds, through_the_day

PROMPT = "Create the file greeting.txt, read it back, then say done."
TEXT = "Написано бесплатной моделью.\nquotes \" and \\ and $HOME and 🦀\n"
OTHER = "another one\n"
THROUGH_429, REPEATED, DAY_ENDS = [], [], []
"""Transcripts of runs through a 429, with repeated call ids, and through the end of a day."""
# Each of these meets all of their needs.
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
    wanted = [(first, outcome), (second, "success")]
    eventually(lambda: wanted in walks(), f"a failover in the log: {walks()}")
    asked = rig.simulator.asked()
    assert asked[0] == first and asked[-1] == second, f"models asked: {asked}"
    return agent


def rate_limit(kind, rig):
    agent = fails_between(kind(rig, "rate limit"), limited(600), "rate_limited")
    THROUGH_429.append(failover(agent, agent.command(PROMPT), rig.lines()))


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
    calls = [agent.write(agent.file, TEXT), agent.write(other, OTHER)]
    rig.situation({"default": {"task": [{"tool_call": calls}, *agent.turns(TEXT)[1:]]}}, listed=rig.short_list(3, **ABLE))
    done(agent, agent.told(PROMPT))
    equal(other.read_text(), OTHER, "the other file's content")


def ids_repeat(kind, rig):
    """The model restarts numbering its calls each turn; where ids are translated, both calls of a turn have the same one."""
    for form in "functions.{name}:{at}", "call_{at}":
        agent = kind(rig, "ids repeat")
        other = agent.project / "other.txt"
        work = [[agent.write(agent.file, TEXT), agent.write(other, OTHER)], [agent.read(agent.file)], [agent.read(other)]]
        step = 1 if kind.ids_as_they_are else 0
        numbered = lambda calls: [{**call, "id": form.format(name=call["name"], at=at * step)} for at, call in enumerate(calls)]
        task = [*({"tool_call": numbered(calls)} for calls in work), DONE]
        rig.situation({"default": {"task": task}}, listed=rig.short_list(3, **ABLE))
        done(agent, agent.told(PROMPT))
        equal(other.read_text(), OTHER, "the other file's content")
        assert agent.seen(OTHER), "the other file's content did not come back"
        asked = rig.simulator.completions()
        # One for each turn, plus a title or a note.
        assert len(asked) <= 2 * (len(work) + 1), f"it asked {len(asked)} times"
        equal([len(calls) for calls, _ in rounds(asked)], [len(calls) for calls in work], "calls that came back, by turn")
        for calls, results in rounds(asked):
            equal(results, calls, "the results' ids")
    REPEATED.append(repeated(agent, agent.command(PROMPT), rig.lines(), asked))


def breaks(kind, rig):
    """The best model breaks off while writing; the incomplete call must not be executed."""
    first, second = rig.models[:2]
    agent = kind(rig, "breaks")
    turns = agent.turns(TEXT)
    rig.situation(
        {"models": {first: {"stream": {"fault": "reset", "after": 4, "answer": turns[0]["ok"]}}}, "default": agent.plan(turns)},
        listed=rig.short_list(3, **ABLE),
    )
    done(agent, agent.told(PROMPT))
    assert "upstream_error" in [line.get("mid_stream_error") for line in rig.lines()], "no stream broke"


GROQ, GEMINI = "groq/openai/gpt-oss-120b", "gemini/gemini-3.5-flash"
KEYS = {"groq": "gsk_simulated-0123456789", "gemini": "AIza-simulated-0123456789"}


def day_ends(kind, rig):
    """Three accounts: two requests are left of Groq's day and of Gemini's each, and the task takes six.

    Groq states in its headers what is left; Gemini says nothing before it refuses.
    """
    at = f"{rig.simulator.address}/providers"
    serving = Serving("agents-accounts", rig.simulator, {
        # Its real limit of tokens a minute is smaller than an agent's prompt.
        "groq": ("GROQ_API_KEY", KEYS["groq"], f'base_url = "{at}/groq/openai/v1"\nmodels = ["openai/gpt-oss-120b"]\nlimits = []'),
        "gemini": ("GEMINI_API_KEY", KEYS["gemini"], f'base_url = "{at}/gemini/v1beta/openai"\nmodels = ["gemini-3.5-flash"]'),
    }, PROVIDERS="groq,gemini,openrouter", MODEL_ORDER=f"{GROQ},{GEMINI},*")  # fmt: skip
    several = Rig(serving)
    agent = kind(several, "day ends")
    other = agent.project / "other.txt"
    turns = agent.turns(TEXT)
    more = [{"tool_call": agent.write(other, OTHER)}, {"tool_call": agent.read(other)}, {"tool_call": agent.read(agent.file)}]
    plan = agent.plan([*turns[:2], *more, turns[-1]])
    day = lambda provider, **ends: {
        "accounts": [{"keys": [KEYS[provider]], "limits": [{"requests": 2, "per": "day", "of": "model", **ends}]}],
        "default": plan,
    }
    script = {"default": plan, "providers": {"groq": day("groq"), "gemini": day("gemini", ends="pacific")}}
    several.situation(script, listed=rig.short_list(3, **ABLE))
    try:
        done(agent, agent.told(PROMPT))
        equal(other.read_text(), OTHER, "the other file's content")
        lines = eventually(lambda: len(several.lines()) >= 6 and several.lines(), "six lines in the log")
        # It may end before its notes are taken.
        assert {line["status"] for line in lines} <= {200, 499}, f"what the agent received: {lines}"
        asked = several.simulator.completions()
        provider = lambda one: one["provider"] or "openrouter"
        served = [provider(one) for one in asked if one["status"] == 200]
        equal(list(dict.fromkeys(served)), ["groq", "gemini", "openrouter"], "who served, one after the other")
        equal([served.count(one) for one in ("groq", "gemini")], [2, 2], "requests of the two days")
        refused = [(provider(one), one["why"]) for one in asked if one["status"] != 200]
        equal(refused, [("gemini", "over requests per day")], "refusals")
        DAY_ENDS.append(through_the_day(agent, agent.command(PROMPT), several.lines(), asked))
    finally:
        serving.stop()


def bad_key(kind, rig):
    """It says that the key is wrong, and no model is asked."""
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
    "call ids repeat": ids_repeat,
    "stream breaks": breaks,
    "all rest, it waits": all_rest,
    "a day ends": day_ends,
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
