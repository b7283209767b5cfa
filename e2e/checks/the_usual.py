"""openai-python against a proxy with the default ROUTING and WAIT_SEC: a request waits, the order is learnt.

The other checks have a proxy that does neither, which these therefore do not share.
"""

import time
from contextlib import contextmanager

from openai import OpenAI

from rig import KEY, Demo, Rig, check, equal, limited, outcomes

HELLO = [{"role": "user", "content": "Hello!"}]
SAID = "one two three four"


@contextmanager
def usual(name):
    """A rig of its own. A stream that waits says so every second."""
    demo = Demo(name, PORT="0", ROUTING="balanced", WAIT_SEC="20", STREAM_KEEPALIVE_SEC="1")
    try:
        yield Rig(demo)
    finally:
        equal(demo.stop(), 0, "the demo's exit code")


def ask(rig, **request):
    """A completion, asked for once: its raw answer and what it says."""
    client = OpenAI(base_url=f"{rig.demo.address}/v1", api_key=KEY, timeout=30, max_retries=0)
    of = client.chat.completions.with_raw_response
    answer = of.create(**{"model": "auto", "messages": HELLO, **request})
    said = answer.parse()
    if request.get("stream"):
        return answer, "".join(chunk.choices[0].delta.content or "" for chunk in said if chunk.choices)
    return answer, said.choices[0].message.content


@check("usual: all models rest, the proxy waits")
def all_rest(_):
    with usual("waiting") as rig:
        for stream in (False, True):
            ok = {"ok": {"text": SAID}}
            rig.situation({"default": {"steps": [limited(3), ok]}}, listed=rig.short_list(3))
            three = rig.models[:3]
            begun = time.monotonic()
            answer, said = ask(rig, stream=stream)
            waited = time.monotonic() - begun
            equal((answer.status_code, said), (200, SAID), "the answer")
            assert 2.5 <= waited < 8, f"the answer came after {waited:.2f} s"
            equal(rig.simulator.asked(), [*three, three[0]], "models asked")
            line = rig.demo.log.of(answer.headers["x-request-id"])
            tried = [(model, "rate_limited") for model in three]
            equal(outcomes(line), [*tried, (three[0], "success")], "attempts in the log")
            assert 2000 <= line["waited_ms"] <= 8000, f"waited_ms: {line['waited_ms']}"
            # A stream's head had gone out before anyone was chosen.
            chosen = None if stream else three[0]
            equal(answer.headers.get("x-free-llm-proxy-model"), chosen, "x-free-llm-proxy-model")


@check("usual: a request wishes for another order")
def wishes(_):
    with usual("wishes") as rig:
        first, second = rig.models[:2]
        late = {"ok": {"text": SAID, "first_delay_ms": 4000}}
        rig.situation({"models": {first: {"steps": [late], "then": "ok"}}})
        # The first one has just taken 4 s to its first token: that is worth a place or two, but not eight.
        for wish, model in (("auto:rank", first), ("auto:fast", second), ("auto:best", first), ("auto:rank", first)):
            session = {"x-session-id": f"{wish} {len(rig.simulator.asked())}"}
            answer, _ = ask(rig, model=wish, stream=True, extra_headers=session)
            equal(rig.simulator.asked()[-1], model, f"the model asked by {wish}")
            equal(answer.headers.get("x-free-llm-proxy-wish"), wish, "x-free-llm-proxy-wish")
            line = rig.demo.log.of(answer.headers["x-request-id"])
            equal((line["wish"], line["chosen_model"]), (wish, model), "the log line")
            assert "model_ignored" not in line, "a wish is no ignored model"
