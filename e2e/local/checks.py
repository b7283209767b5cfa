"""What must hold with every server, and what with one that can."""

import http.client
import json
import threading
import time
from contextlib import contextmanager

from rig import CHECKS, KEY, Check, equal, eventually, http as ask_http, outcomes

from .model import NUMBERS, SENTENCE
from .servers import WINDOW, LlamaCpp, LlamaCppPython, Proxy

SERVERS = [LlamaCpp, LlamaCppPython]
ANSWER = "".join(SENTENCE).replace("▁", " ")
COUNTING = "".join(NUMBERS).replace("▁", " ")
HELLO = {"messages": [{"role": "user", "content": "Hello!"}]}
COUNT = {"messages": [{"role": "user", "content": "Please count."}]}
TOO_LONG = {"messages": [{"role": "user", "content": "a" * (WINDOW + 1)}]}
TOOL = {
    "name": "get_weather", "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}  # fmt: skip
WEATHER = {"messages": [{"role": "user", "content": "The weather in Paris?"}], "tools": [{"type": "function", "function": TOOL}]}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def each(name, limit_sec=60, where=lambda kind: True):
    """A check of every server of which `where` holds."""

    def keep(function):
        CHECKS.extend(Check(f"{kind.name}: {name}", function, limit_sec) for kind in SERVERS if where(kind))
        return function

    return keep


class Answer:
    """An answer that is being read: its head, then its events as they come."""

    def __init__(self, proxy, body, path="/v1/chat/completions"):
        self.connection = http.client.HTTPConnection(proxy.address.removeprefix("http://"), timeout=50)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        self.connection.request("POST", path, json.dumps(body), headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        self.provider = self.answer.getheader("x-free-llm-proxy-provider")
        self.id = self.answer.getheader("x-request-id")

    def events(self):
        for line in self.answer:
            if line.startswith(b"data: "):
                yield line.removeprefix(b"data: ").strip().decode()

    def json(self):
        return json.loads(self.answer.read())

    def leave(self):
        self.answer.close()
        self.connection.close()


def chat(proxy, body=HELLO, **more):
    return Answer(proxy, {**body, **more})


def text(proxy, body=HELLO, provider="local", **more):
    """The words of a plain answer."""
    answer = chat(proxy, body, **more)
    said = answer.json()
    equal((answer.status, answer.provider), (200, provider), f"status and provider of {said}")
    return said["choices"][0]["message"]["content"]


def deltas(answer):
    """The deltas of a stream that ends well, and how it finished."""
    equal(answer.status, 200, "status")
    *events, end = answer.events()
    equal(end, "[DONE]", "the last event")
    choices = [choice for event in events for choice in json.loads(event)["choices"]]
    return [choice["delta"] for choice in choices], [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]


def words(found):
    return "".join(delta.get("content") or "" for delta in found)


def well(rig, proxy=None):
    """Nobody rests, and the next request is answered at once."""
    proxy = proxy or rig.proxy
    equal(proxy.rests(), [], "who rests")
    began = time.monotonic()
    equal(text(proxy), ANSWER, "the next answer")
    assert time.monotonic() - began < rig.server.at_once_sec, f"the next answer took {time.monotonic() - began:.1f} s"


@each("its model is listed, with its window where it tells one")
def listed(rig):
    models = rig.proxy.models()
    equal(list(models), ["local/tiny"], "models")
    equal(models["local/tiny"]["context_length"], rig.server.window, "the window")
    last = list(rig.both.models())
    equal(last[-1], "local/tiny", "the last of all")
    assert len(last) > 3, f"only {last}"


@each("a plain answer")
def plain(rig):
    answer = chat(rig.proxy, model="local/tiny")
    said = answer.json()
    equal(said["choices"][0]["message"]["content"], ANSWER, "the answer")
    equal(said["choices"][0]["finish_reason"], "stop", "finish_reason")
    assert said["usage"]["completion_tokens"] > 0, f"no usage: {said}"
    equal(outcomes(rig.proxy.log.of(answer.id)), [("local/tiny", "success")], "attempts")


@each("a streamed answer, with usage")
def streamed(rig):
    found, finished = deltas(chat(rig.proxy, stream=True))
    equal((words(found), finished), (ANSWER, ["stop"]), "text and finish_reason")
    assert len([delta for delta in found if delta.get("content")]) > 3, f"it came in one piece: {found}"
    events = list(chat(rig.proxy, stream=True, stream_options={"include_usage": True}).events())
    if rig.server.slots:
        usage = json.loads(events[-2]).get("usage")
        assert usage and usage["completion_tokens"] > 0, f"no usage at the end: {events[-2:]}"


@each("the longest answer is cut where it was asked to be")
def cut(rig):
    found, finished = deltas(chat(rig.proxy, COUNT, stream=True, max_tokens=8))
    equal((words(found), finished), (COUNTING * 2, ["length"]), "text and finish_reason")


@each("tools, plain and streamed, and what comes after the result", where=lambda kind: kind.tools)
def tools(rig):
    said = chat(rig.proxy, WEATHER).json()["choices"][0]
    equal(said["finish_reason"], "tool_calls", "finish_reason")
    call = said["message"]["tool_calls"][0]
    equal((call["function"]["name"], json.loads(call["function"]["arguments"])), ("get_weather", {"city": "Paris"}), "the call")
    found, finished = deltas(chat(rig.proxy, WEATHER, stream=True))
    pieces = [piece["function"] for delta in found for piece in delta.get("tool_calls", [])]
    equal(pieces[0]["name"], "get_weather", "the streamed call")
    equal(json.loads("".join(piece.get("arguments", "") for piece in pieces)), {"city": "Paris"}, "its arguments")
    equal(finished, ["tool_calls"], "how the stream finished")
    result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
    equal(text(rig.proxy, {**WEATHER, "messages": [*WEATHER["messages"], said["message"], result]}), ANSWER, "after the result")


@each("the Responses surface")
def responses(rig):
    said = Answer(rig.proxy, {"model": "auto", "input": "Hello!"}, "/v1/responses").json()
    equal(said["output"][-1]["content"][0]["text"], ANSWER, "the answer")
    streamed = Answer(rig.proxy, {"model": "auto", "input": "Hello!", "stream": True}, "/v1/responses")
    events = [json.loads(event) for event in streamed.events()]
    equal("".join(event["delta"] for event in events if event["type"] == "response.output_text.delta"), ANSWER, "the deltas")
    equal(events[-1]["type"], "response.completed", "the last event")


@each("the Messages surface, with a tool where it can")
def messages(rig):
    ask = {"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello!"}]}
    said = Answer(rig.proxy, ask, "/v1/messages").json()
    equal((said["content"][-1]["text"], said["stop_reason"]), (ANSWER, "end_turn"), "text and stop_reason")
    events = [json.loads(event) for event in Answer(rig.proxy, {**ask, "stream": True}, "/v1/messages").events()]
    equal("".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"), ANSWER, "the deltas")
    equal(events[-1]["type"], "message_stop", "the last event")
    if rig.server.tools:
        tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
        said = Answer(rig.proxy, {**ask, "tools": [tool]}, "/v1/messages").json()
        used = said["content"][-1]
        equal((said["stop_reason"], used["name"], used["input"]), ("tool_use", "get_weather", {"city": "Paris"}), "the call")


@each("a prompt that is too long is the request's fault")
def too_long(rig):
    for stream in (False, True):
        answer = chat(rig.proxy, TOO_LONG, stream=stream)
        said = answer.answer.read().decode()
        if stream and not rig.server.refuses_in_streams:
            # An empty stream is all that there is: it counts as broken, for GENERIC_ERROR_COOLDOWN_SEC, which is 1 here.
            equal(answer.status, 503, f"status of {said}")
            eventually(lambda: not rig.proxy.rests(), "it is awake again", 5)
        else:
            equal(answer.status, 400, f"status of {said}")
            assert "context" in said, f"it does not say why: {said}"
        well(rig)
    # Asked first, it is left for a model with a larger window.
    answer = chat(rig.both, TOO_LONG, model="local/tiny")
    equal(answer.status, 200, "status with OpenRouter beside it")
    equal(answer.provider, "openrouter", "who has the room")
    equal(outcomes(rig.both.log.of(answer.id))[0], ("local/tiny", "upstream_error"), "who was asked first")
    equal(rig.both.rests(), [], "who rests")


@each("a picture rests nobody")
def picture(rig):
    answer = chat(rig.proxy, {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}]})
    said = answer.json()
    assert answer.status in (200, 400), f"{answer.status}: {said}"
    well(rig)


def is_free(rig):
    if rig.server.slots:
        eventually(lambda: rig.server.busy() == 0, "the server's slot is free", 3)
    well(rig)


@each("a client that leaves in mid-stream")
def leaves(rig):
    answer = chat(rig.proxy, COUNT, stream=True)
    events = answer.events()
    seen = [next(events) for _ in range(20)]
    assert "two" in "".join(seen), f"it does not count: {seen}"
    answer.leave()
    is_free(rig)
    line = rig.proxy.log.of(answer.id)
    equal(line["event"], "request_done", "the log line")
    assert line["chunks_emitted"] < 5000, f"it was not left: {line}"


@each("a client that leaves a plain answer", where=lambda kind: kind.slots)
def leaves_plain(rig):
    connection = http.client.HTTPConnection(rig.proxy.address.removeprefix("http://"))
    connection.request("POST", "/v1/chat/completions", json.dumps(COUNT), {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"})
    eventually(lambda: rig.server.busy() == 1, "the server is busy")
    connection.close()
    # llama.cpp looks for a client that left after a second in which nobody else was told anything.
    time.sleep(1.5)
    is_free(rig)


@contextmanager
def together(*calls):
    """Runs them at once; their results."""
    results = [None] * len(calls)

    def run(at):
        results[at] = calls[at]()

    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(len(calls))]
    for thread in threads:
        thread.start()
    yield results
    for thread in threads:
        thread.join()


def counted(proxy):
    found, finished = deltas(chat(proxy, COUNT, stream=True, max_tokens=400))
    return words(found) == COUNTING * 100 and finished == ["length"]


@each("two at once are answered one after the other")
def queued(rig):
    calls = [lambda: counted(rig.proxy)] * 2 + [lambda: text(rig.proxy, COUNT, max_tokens=4) == COUNTING]
    with together(*calls) as results:
        pass
    equal(results, [True] * 3, "whole answers")


@each("LOCAL_CONCURRENCY is how many at once", where=lambda kind: kind.slots)
def at_once(rig):
    server = type(rig.server)(slots=2).start()
    for allowed in (1, 2):
        proxy = Proxy(f"at-once-{allowed}", server, rig.simulator, LOCAL_CONCURRENCY=str(allowed))
        eventually(lambda: proxy.models(), "models")
        seen = []
        with together(*[lambda: counted(proxy)] * 3) as results:
            while None in results:
                seen.append(server.busy())
                time.sleep(0.005)
        equal((results, max(seen)), ([True] * 3, allowed), "answers, and the most at once")
        proxy.stop()
    server.kill()


@each("its list is not read while it answers", where=lambda kind: not kind.slots)
def not_asked_meanwhile(rig):
    """llama-cpp-python ends a running stream for whatever else it is asked."""
    with together(lambda: counted(rig.proxy)) as results:
        for _ in range(5):
            rig.proxy.refresh()
            time.sleep(0.05)
    equal(results, [True], "a whole answer")


@each("killed, it is missed in so many words; started again, it answers")
def killed(rig):
    rig.server.kill()
    answer = chat(rig.proxy)
    error = answer.json()["error"]
    equal((answer.status, error["code"]), (503, "all_models_unavailable"), "status and code")
    status, ready = rig.proxy.ready()
    equal((status, ready["code"]), (503, "not_reached"), "/ready")
    assert ready["reason"].startswith("Your own server cannot be reached"), f"/ready says {ready}"
    equal(ready["next_step"], "Is it running, and is LOCAL_BASE_URL right?", "the next step")
    # OpenRouter's models go on without it.
    equal(chat(rig.both, model="local/tiny").provider, "openrouter", "who answers instead")
    rig.server.start()
    well(rig)


@each("killed in mid-stream, the client is told; started again, it answers")
def broken(rig):
    answer = chat(rig.proxy, COUNT, stream=True)
    events = answer.events()
    next(events)
    rig.server.kill()
    *_, error, end = events
    assert "error" in json.loads(error) and end == "[DONE]", f"the end of the stream: {error} {end}"
    rig.server.start()
    # GENERIC_ERROR_COOLDOWN_SEC is 1 here.
    eventually(lambda: chat(rig.proxy).status == 200, "it answers again", 5)
    well(rig)


@each("started after the proxy, and with another model then")
def later(rig):
    server = type(rig.server)()
    proxy = Proxy("later", server, rig.simulator)
    unlisted(proxy, "Is it running, and is LOCAL_BASE_URL right?")
    server.start()
    eventually(lambda: "local/tiny" in proxy.models(), "its model is found", 10)
    equal(text(proxy), ANSWER, "the answer")
    server.kill()
    server.start(alias="other")
    proxy.refresh()
    eventually(lambda: list(proxy.models()) == ["local/other"], "its other model is found")
    equal(text(proxy), ANSWER, "the answer of the other")
    proxy.stop()
    server.kill()


def unlisted(proxy, next_step):
    """There is no model, and it says why."""
    eventually(lambda: proxy.ready()[1].get("code") == "no_list", "/ready has no list")
    status, ready = proxy.ready()
    equal((status, ready["next_step"]), (503, next_step), "/ready")
    answer = chat(proxy)
    equal((answer.status, answer.json()["error"]["code"]), (503, "not_ready"), "what a client gets")


@each("a key: the right one, a wrong one, none")
def keys(rig):
    server = type(rig.server)(key="sk-of-my-own-server").start()
    proxy = Proxy("key", server, rig.simulator)
    eventually(lambda: proxy.models(), "models")
    equal(text(proxy), ANSWER, "the answer")
    assert server.key not in proxy.said(), "the key stands in the log"
    proxy.stop()
    for given in ("sk-another-one", ""):
        proxy = Proxy("key", server, rig.simulator, LOCAL_API_KEY=given)
        unlisted(proxy, "Is LOCAL_API_KEY right?")
        proxy.stop()
    server.kill()


@each("OpenRouter's day is over: it answers last")
def last(rig):
    equal(text(rig.both, provider="openrouter") != ANSWER, True, "OpenRouter answers while it can")
    rig.situation({"default": {"failure": "daily_limit"}})
    answer = chat(rig.both)
    equal((answer.status, answer.provider), (200, "local"), "who answers then")
    equal(answer.json()["choices"][0]["message"]["content"], ANSWER, "the answer")
    walk = outcomes(rig.both.log.of(answer.id))
    equal((walk[0][1], walk[-1]), ("rate_limited", ("local/tiny", "success")), "attempts")
    found, _ = deltas(chat(rig.both, stream=True))
    equal(words(found), ANSWER, "streamed, and OpenRouter is not asked again")


@each("the log: no prompt, no answer")
def log(rig):
    for proxy in (rig.proxy, rig.both):
        said = proxy.said()
        for secret in ("Hello!", "Please count", ANSWER, COUNTING, "Paris"):
            assert secret not in said, f"{secret!r} stands in {proxy.log_file}"
        assert '"event":"panicked"' not in said, f"it panicked: {proxy.log_file}"
    equal(ask_http("GET", f"{rig.server.base}/models")[0], 200, "the server is well")
