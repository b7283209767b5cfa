"""The SDKs: one program each (`sdks/`), run case by case; all get the same cases."""

import atexit
import json
import shutil
import subprocess
import time

from rig import HERE, KEY, SLOW_FAILURE, WORK, check, equal, eventually, limited, outcomes

NODE = WORK / "agents-node"
COUNTING = "one two three four five six seven eight"
# A picture of one pixel.
IMAGE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SPOKEN = {"default": {"ok": {"text": COUNTING, "delay_ms": 5}}}


class Sdk:
    """An SDK's program, started on first use and kept running."""

    def __init__(self, name, package, program, errors, own_broken=False, also=()):
        """`errors`: the classes of its errors, for a bad key, for no capable model, for a broken stream.

        `also`: the cases that not all have.
        """
        self.also = also
        self.name, self.package, self.program, self.errors = name, package, program, errors
        self.broken_case = "broken" if own_broken else "streamed"
        self.process = None

    def start(self):
        if self.process is not None:
            return
        programs = HERE / "agents" / "sdks"
        if self.program.endswith(".mjs"):
            # A module finds its packages relative to its own location.
            for file in programs.glob("*.mjs"):
                shutil.copy(file, NODE)
            command = [WORK / "node" / "node_modules" / ".bin" / "node", NODE / self.program]
        else:
            command = [WORK / "agents-python" / "bin" / "python", "-B", programs / self.program]
        with (WORK / "agents" / f"{self.program}.log").open("w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        atexit.register(self.process.kill)

    def gives(self, rig, case, key=KEY):
        """Its result for a case, error or not."""
        self.start()
        asked = {"case": case, "base": rig.demo.address, "key": key, "image": IMAGE}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer, f"{self.program} ended with {self.process.wait()}"
        return json.loads(answer)

    def well(self, rig, case):
        """Its result for a case that must succeed."""
        given = self.gives(rig, case)
        assert "error" not in given, f"{case}: {given['error']}"
        return given

    def error(self, rig, case, kind, word, status=None, **more):
        """Checks its error."""
        given = self.gives(rig, case, **more)
        assert "error" in given, f"no error, but {given}"
        error = given["error"]
        equal(error["kind"], kind, f"the class of {error}")
        assert status in (None, error["status"]), f"not the status {status}: {error}"
        assert word in error["message"], f"the message does not name {word!r}: {error['message']}"


def plain(sdk, rig):
    rig.situation(SPOKEN)
    given = sdk.well(rig, "plain")
    equal(given["text"], COUNTING, "text")
    assert given["tokens"] > 0, "no usage"


def streamed(sdk, rig):
    rig.situation(SPOKEN)
    given = sdk.well(rig, "streamed")
    equal(given["text"], COUNTING, "text")
    assert given["pieces"] > 1, "all came at once"
    equal(rig.logged(1)[0]["stream"], True, "stream in the log")


def tools(sdk, rig):
    wanted = {"city": "Zürich «№ 1» \u2028 🦀"}
    call = {"name": "get_weather", "arguments": wanted, "fragments": 7}
    rig.situation({"default": {"task": [{"tool_call": call}, {"ok": "It rains."}]}})
    given = sdk.well(rig, "tools")
    equal(given["calls"], [["get_weather", wanted]], "calls")
    equal(given["text"], "It rains.", "the final text")
    told = rig.simulator.completions()[-1]["body"]["messages"]
    equal([one["content"] for one in told if one["role"] == "tool"], ["rain"], "the result upstream")
    (made,) = [one for one in told if one.get("tool_calls")]
    equal(json.loads(made["tool_calls"][0]["function"]["arguments"]), wanted, "the call upstream")


def structured(sdk, rig):
    parsed = sdk.well(rig, "structured")["parsed"]
    equal(set(parsed), {"city", "degrees", "raining", "hours"}, "fields")
    equal(rig.simulator.completions()[0]["body"]["response_format"]["type"], "json_schema", "response_format upstream")


def image(sdk, rig):
    sdk.well(rig, "image")
    (asked,) = rig.simulator.completions()
    parts = asked["body"]["messages"][-1]["content"]
    equal([part["image_url"]["url"] for part in parts if part["type"] == "image_url"], [IMAGE], "images upstream")


def failover(sdk, rig):
    first, second, third = rig.models[:3]
    for fault in ("comments_then_end", "error"):
        models = {first: limited(30), second: {"stream": fault}}
        rig.situation({"models": models, **SPOKEN})
        equal(sdk.well(rig, "streamed")["text"], COUNTING, "text")
        equal(rig.simulator.asked(), [first, second, third], "models asked")
        said = outcomes(rig.logged(1)[0])
        equal(said, [(first, "rate_limited"), (second, "upstream_error"), (third, "success")], "attempts in the log")


def bad_key(sdk, rig):
    sdk.error(rig, "plain", sdk.errors[0], "key", 401, key="sk-wrong")
    equal(rig.simulator.asked(), [], "models asked")


def no_capable_model(sdk, rig):
    rig.situation(listed=rig.short_list(3, supportsTools=False))
    sdk.error(rig, "incapable", sdk.errors[1], "tools", 400)
    equal([line["reason"] for line in rig.logged(1)], ["no_capable_model"], "the log's reasons")


def all_rest(sdk, rig):
    script = {"default": {"steps": [limited(2)], "then": "ok"}}
    rig.situation(script, listed=rig.short_list(2))
    sdk.start()
    begun = time.monotonic()
    sdk.well(rig, "plain")
    waited = time.monotonic() - begun
    assert 2 <= waited < 10, f"the answer came after {waited:.2f} s"
    equal([line["status"] for line in rig.logged(2)], [503, 200], "statuses in the log")


def waits_aloud(sdk, rig):
    """Comments are sent before the best model fails, and the next one answers after them."""
    first, second = rig.models[:2]
    rig.situation({"models": {first: SLOW_FAILURE}, **SPOKEN})
    equal(sdk.well(rig, "streamed")["text"], COUNTING, "text")
    (line,) = rig.logged(1)
    equal(outcomes(line), [(first, "upstream_error"), (second, "success")], "attempts in the log")


def breaks(sdk, rig):
    step = {"stream": {"fault": "reset", "after": 3, "answer": {"text": COUNTING, "delay_ms": 5}}}
    rig.situation({"default": step})
    sdk.error(rig, sdk.broken_case, sdk.errors[2], "broke off")
    equal([line["mid_stream_error"] for line in rig.logged(1)], ["upstream_error"], "mid_stream_error")


def leaves(sdk, rig):
    rig.situation({"default": {"stream": {"fault": "content_forever", "answer": {"delay_ms": 20}}}})
    assert sdk.well(rig, "leaves")["text"], "no text before it left"
    (line,) = rig.logged(1)
    equal(line["status"], 499, "the status in the log")
    eventually(lambda: rig.simulator.completions()[0]["closed_early"], "the upstream is left too")


def legacy(sdk, rig):
    rig.situation(SPOKEN)
    equal(sdk.well(rig, "legacy")["text"], COUNTING, "text")


def count(sdk, rig):
    assert sdk.well(rig, "count")["tokens"] > 0, "no tokens"


ALSO = {"legacy completions": legacy, "count tokens": count}
CASES = {
    "plain": plain,
    "streamed": streamed,
    "tools": tools,
    "structured": structured,
    "image": image,
    "failover": failover,
    "bad key": bad_key,
    "no capable model": no_capable_model,
    "all rest, it waits": all_rest,
    "a slow failure": waits_aloud,
    "stream breaks": breaks,
    "client leaves": leaves,
}

OPENAI = ("AuthenticationError", "BadRequestError", "APIError")
RESPONSES = (*OPENAI[:2], "response.failed")
ANTHROPIC = (*OPENAI[:2], "APIStatusError")
LANGCHAIN = ("OpenAIAuthenticationError", "OpenAIInvalidRequestError", "APIError")
AI_SDK = ("APICallError", "APICallError", "StreamProviderError")
SDKS = [
    Sdk("openai-python", "pip openai", "openai_chat.py", OPENAI, also=["legacy completions"]),
    Sdk("openai-python, Responses", "pip openai", "openai_responses.py", RESPONSES, own_broken=True),
    Sdk("openai-node", "npm openai", "openai_chat.mjs", OPENAI, also=["legacy completions"]),
    Sdk("openai-node, Responses", "npm openai", "openai_responses.mjs", RESPONSES, own_broken=True),
    Sdk("anthropic-python", "pip anthropic", "anthropic_messages.py", ANTHROPIC, also=["count tokens"]),
    Sdk("LangChain", "pip langchain-openai", "langchain_chat.py", LANGCHAIN),
    Sdk("AI SDK with OpenRouter's provider", "npm ai", "ai_sdk.mjs", AI_SDK),
]


def add(sdk, name, case):
    check(f"{sdk.name}: {name}", limit_sec=30)(lambda rig: case(sdk, rig))


for sdk in SDKS:
    for name, case in CASES.items():
        add(sdk, name, case)
    for name in sdk.also:
        add(sdk, name, ALSO[name])
