"""openai-python, as people use it: what it returns, what it raises, how it waits."""

import asyncio
import json
import time
from itertools import product

import httpx2
import openai
import pydantic
from openai import AsyncOpenAI, OpenAI

from rig import KEY, check, equal, eventually, http, limited, outcomes

HELLO = [{"role": "user", "content": "Hello!"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
WISHES = ["auto", "auto:best", "auto:fast", "auto:rank"]
COUNTING = "one two three four five six seven eight"


def client(rig, base="/v1", key=KEY, **settings):
    return OpenAI(base_url=rig.demo.address + base, api_key=key, timeout=30, **settings)


def ask(rig, **request):
    """A plain completion with its headers."""
    of = client(rig).chat.completions.with_raw_response
    return of.create(**{"model": "auto", "messages": HELLO, **request})


def served_by(answer, model, attempts):
    equal(answer.headers.get("x-free-llm-proxy-model"), model, "x-free-llm-proxy-model")
    equal(answer.headers.get("x-free-llm-proxy-attempts"), str(attempts), "x-free-llm-proxy-attempts")


def refused(kind, call, status, code):
    """The error that this call raises, of this very class."""
    try:
        call()
    except openai.APIError as error:
        equal(type(error).__name__, kind.__name__, f"the class of {error!r}")
        equal((error.status_code, error.code), (status, str(code)), "status and code")
        return error
    raise AssertionError(f"no {kind.__name__}")


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@check("openai: plain")
def plain(rig):
    answer = ask(rig)
    best = rig.models[0]
    served_by(answer, best, 1)
    completion = answer.parse()
    equal(completion.choices[0].message.content, f"Hello! This is {best}, played by the simulator.", "content")
    equal(completion.choices[0].finish_reason, "stop", "finish_reason")
    equal(completion.model, best, "model")
    assert completion.usage.total_tokens > 0, "no usage"
    line = rig.demo.log.of(answer.headers["x-request-id"])
    equal((line["status"], line["chosen_model"], line["stream"]), (200, best, False), "the log line")
    equal(outcomes(line), [(best, "success")], "attempts in the log")
    equal(rig.simulator.asked(), [best], "models asked")


@check("openai: base URLs")
def base_urls(rig):
    for base in ("/v1", "/v1/", "/api/v1", "/api/v1/"):
        answer = client(rig, base).chat.completions.create(model="any", messages=HELLO)
        equal(answer.choices[0].finish_reason, "stop", f"finish_reason at {base}")


@check("openai: what goes upstream")
def what_goes_upstream(rig):
    mine = {
        "messages": [{"role": "user", "content": "Сколько? \u2028 🦀", "name": "me"}],
        "temperature": 0.30000000000000004,
        "user": "me",
        "metadata": {"a": "b"},
    }
    unknown = {"top_k": 12345678901234567890, "provider": {"order": ["SomeHost"], "x": None}, "тест": [1.0, 1e2]}
    client(rig).chat.completions.create(
        model="a-name-of-mine", extra_body={**unknown, "models": ["vendor/paid-model"], "route": "fallback"},
        extra_headers={"X-Title": "mine", "HTTP-Referer": "http://mine", "Cookie": "a=b", "X-Other": "c"}, **mine,
    )  # fmt: skip
    (seen,) = rig.simulator.completions()
    equal(seen["body"], {"model": rig.models[0], **mine, **unknown}, "the body")
    # The mark of a hop, as this is not the address of OpenRouter itself.
    may = "authorization content-type accept accept-encoding user-agent http-referer x-title x-free-llm-proxy-hop".split()
    extra = set(seen["headers"]) - set(may) - {"host", "content-length", "connection"}
    equal(extra, set(), "headers beyond the allowed")
    for name, given in (("x-title", "mine"), ("http-referer", "http://mine")):
        assert seen["headers"][name] != given, f"the client's {name} went upstream"
    assert rig.logged(1)[0]["model_ignored"] is True, "the log does not note the ignored model"


@check("openai: streamed")
def streamed(rig):
    best = rig.models[0]
    for usage in ("empty_choices", "repeat", "finish"):
        rig.situation({"default": {"ok": {"text": COUNTING, "usage": usage, "comments": 3, "delay_ms": 5}}})
        answer = ask(rig, stream=True, stream_options={"include_usage": True})
        served_by(answer, best, 1)
        equal(answer.headers["content-type"].split(";")[0], "text/event-stream", "content-type")
        equal(answer.headers["cache-control"], "no-cache, no-store", "cache-control")
        equal(answer.headers["x-accel-buffering"], "no", "x-accel-buffering")
        chunks = list(answer.parse())
        equal(text_of(chunks), COUNTING, "content")
        used = [chunk for chunk in chunks if chunk.usage]
        equal(len(used), 1, f"chunks with usage ({usage})")
        assert used[0].usage.total_tokens > 0, "empty usage"
        equal([len(chunk.choices) for chunk in used], [0 if usage == "empty_choices" else 1], "choices beside usage")
        assert any(c.choices and c.choices[0].finish_reason == "stop" for c in chunks), "no finish reason"
        line = rig.demo.log.of(answer.headers["x-request-id"])
        equal((line["status"], line["stream"], line["mid_stream_error"]), (200, True, None), "the log line")
        assert line["chunks_emitted"] == len(chunks), f"chunks_emitted: {line['chunks_emitted']}"
        (seen,) = rig.simulator.completions()
        equal(seen["body"]["stream_options"], {"include_usage": True}, "stream_options upstream")


@check("openai: streams as they come")
def streams_as_they_come(rig):
    rig.situation({"default": {"ok": {"text": COUNTING, "chunks": 4, "delay_ms": 300}}})
    came = [time.monotonic() for chunk in ask(rig, stream=True).parse() if chunk.choices]
    pauses = [later - earlier for earlier, later in zip(came, came[1:])][:3]
    assert min(pauses) > 0.1, f"chunks were held back: pauses of {pauses} s"


@check("openai: tools")
def tools(rig):
    forced = {"type": "function", "function": {"name": "get_weather"}}
    call = ask(rig, tools=[WEATHER], tool_choice=forced).parse().choices[0]
    equal(call.finish_reason, "tool_calls", "finish_reason")
    equal(call.message.tool_calls[0].function.name, "get_weather", "the tool")
    assert "city" in json.loads(call.message.tool_calls[0].function.arguments), "no city"

    calls = [
        {"name": "get_weather", "arguments": {"city": "Zürich «№ 1» 🦀"}, "fragments": 7},
        {"name": "get_weather", "arguments": {"city": "Oslo"}, "fragments": 2},
    ]
    rig.situation({"models": {rig.models[0]: [{"tool_call": calls}, {"ok": "It rains in both."}]}})
    whole = {}
    for chunk in ask(rig, tools=[WEATHER], stream=True).parse():
        for piece in chunk.choices[0].delta.tool_calls or [] if chunk.choices else []:
            one = whole.setdefault(piece.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
            one["id"] += piece.id or ""
            one["function"]["name"] += piece.function.name or ""
            one["function"]["arguments"] += piece.function.arguments or ""
    made = [whole[index] for index in sorted(whole)]
    equal([json.loads(one["function"]["arguments"]) for one in made], [c["arguments"] for c in calls], "arguments")

    answered = [{"role": "tool", "tool_call_id": one["id"], "content": "rain"} for one in made]
    told = [*HELLO, {"role": "assistant", "content": None, "tool_calls": made}, *answered]
    final = ask(rig, messages=told, tools=[WEATHER]).parse()
    equal(final.choices[0].message.content, "It rains in both.", "the final answer")
    equal(rig.simulator.completions()[-1]["body"]["messages"], told, "messages upstream")
    assert all(line["had_tools"] for line in rig.logged(2)), "had_tools is false"


class Answer(pydantic.BaseModel):
    city: str
    degrees: int
    raining: bool
    hours: list[int]


@check("openai: structured output")
def structured_output(rig):
    of = client(rig).chat.completions
    parsed = of.parse(model="auto", messages=HELLO, response_format=Answer).choices[0].message.parsed
    assert isinstance(parsed, Answer), f"not parsed: {parsed!r}"
    (seen,) = rig.simulator.completions()
    equal(seen["body"]["response_format"]["json_schema"]["name"], "Answer", "the schema's name upstream")
    assert rig.logged(1)[0]["had_response_format"], "had_response_format is false"
    answer = of.create(model="auto", messages=HELLO, response_format={"type": "json_object"})
    json.loads(answer.choices[0].message.content)


@check("openai: the .stream() helper")
def stream_helper(rig):
    of = client(rig).chat.completions
    rig.situation({"default": {"ok": {"text": COUNTING}}})
    with of.stream(model="auto", messages=HELLO, stream_options={"include_usage": True}) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    equal("".join(deltas), COUNTING, "deltas")
    equal(final.choices[0].message.content, COUNTING, "the final content")
    assert final.usage.total_tokens > 0, "no usage"

    rig.situation()
    with of.stream(model="auto", messages=HELLO, response_format=Answer) as stream:
        parsed = stream.get_final_completion().choices[0].message.parsed
    assert isinstance(parsed, Answer), f"not parsed: {parsed!r}"

    rig.situation({"default": {"tool_call": {"name": "get_weather", "arguments": {"city": "Oslo"}}}})
    with of.stream(model="auto", messages=HELLO, tools=[WEATHER]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    equal([event.parsed_arguments for event in done], [{"city": "Oslo"}], "the parsed arguments")
    equal(call.function.parsed_arguments, {"city": "Oslo"}, "the final parsed arguments")


@check("openai: reasoning survives")
def reasoning(rig):
    thought = "The user wants to count. Let us count."
    rig.situation({"default": {"ok": {"text": COUNTING, "reasoning": thought, "extra": {"odd": [1, None]}}}})
    completion = ask(rig, reasoning_effort="low").parse()
    message = completion.choices[0].message
    equal((message.content, message.reasoning), (COUNTING, thought), "content and reasoning")
    equal(message.reasoning_details[0]["text"], thought, "reasoning_details")
    equal((completion.provider, completion.odd), ("SomeHost", [1, None]), "fields of no known schema")
    equal(completion.choices[0].native_finish_reason, "stop", "native_finish_reason")

    chunks = list(ask(rig, reasoning_effort="low", stream=True).parse())
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    equal("".join(getattr(delta, "reasoning", "") for delta in deltas), thought, "reasoning, streamed")
    details = [one["text"] for delta in deltas for one in getattr(delta, "reasoning_details", [])]
    equal("".join(details), thought, "reasoning_details, streamed")
    equal({chunk.provider for chunk in chunks}, {"SomeHost"}, "provider, streamed")

    told = [*HELLO, message.to_dict(), {"role": "user", "content": "And on?"}]
    ask(rig, messages=told)
    equal(rig.simulator.completions()[-1]["body"]["messages"], told, "reasoning sent back, upstream")


@check("openai: models")
def models(rig):
    listed = client(rig).models.list()
    equal([model.id for model in listed], [*WISHES, *rig.models], "the wishes, and the models, best first")
    one = client(rig).models.retrieve(rig.models[1])
    equal((one.id, one.object, one.owned_by), (rig.models[1], "model", "openrouter"), "one model")
    refused(openai.NotFoundError, lambda: client(rig).models.retrieve("no/such:free"), 404, "model_not_found")


@check("openai: wrong key")
def wrong_key(rig):
    call = lambda: client(rig, key="sk-wrong").chat.completions.create(model="auto", messages=HELLO)
    error = refused(openai.AuthenticationError, call, 401, "invalid_api_key")
    equal(error.type, "authentication_error", "type")
    equal(error.response.headers["www-authenticate"].split()[0], "Bearer", "www-authenticate")
    equal(rig.simulator.asked(), [], "models asked")


@check("openai: no capable model")
def no_capable_model(rig):
    rig.situation(listed=rig.short_list(3, supportsTools=False))
    call = lambda: client(rig).chat.completions.create(model="auto", messages=HELLO, tools=[WEATHER])
    error = refused(openai.BadRequestError, call, 400, "no_capable_model")
    assert "tools" in error.message.lower(), f"the message does not name the need: {error.message}"
    equal(rig.simulator.asked(), [], "models asked")
    (line,) = rig.logged(1)
    equal((line["event"], line["reason"]), ("request_rejected", "no_capable_model"), "the log line")
    ask(rig)


@check("openai: the upstream's 400 passes")
def upstream_400(rig):
    for failure, stream in product(("no_tokens", "content_policy"), (False, True)):
        rig.situation({"default": failure})
        call = lambda: client(rig).chat.completions.create(model="auto", messages=HELLO, stream=stream)
        error = refused(openai.BadRequestError, call, 400, 400)
        said = {"no_tokens": "at least 1 token", "content_policy": "content policy"}[failure]
        assert said in error.body["message"], f"not the upstream's words: {error.body}"
        assert "user_id" not in error.response.text, "the account's id came along"
        equal(rig.simulator.asked(), rig.models[:1], "models asked")
        equal(outcomes(rig.logged(1)[0]), [(rig.models[0], "client_error")], "attempts in the log")


@check("openai: failover")
def failover(rig):
    first, second, third = rig.models[:3]
    steps = (limited(30), "ok_error_bad_gateway", "bad_gateway_html", {"close": "body"}, {"reset": "connect"})
    for stream, step in product((False, True), steps):
        rig.situation({"models": {first: step}, "default": {"ok": {"text": COUNTING}}})
        answer = ask(rig, stream=stream)
        served_by(answer, second, 2)
        if stream:
            equal(text_of(answer.parse()), COUNTING, "content")
        line = rig.demo.log.of(answer.headers["x-request-id"])
        failed = "rate_limited" if step == limited(30) else "upstream_error"
        equal(outcomes(line), [(first, failed), (second, "success")], f"attempts in the log after {step}")
        assert line["attempts"][0]["cooldown_until"], "no cooldown"
        served_by(ask(rig, stream=stream), second, 1)
        # A connection that had served before and is reset without an answer may have been stale: one more try.
        asked = rig.simulator.asked()
        equal(asked[asked[1] == first :], [first, second, second], "models asked")

    faults = ("error", "comments_then_end", "done_only", "html", "empty", "finish_error", "garbage")
    for fault in faults:
        rig.situation({"models": {first: {"stream": fault}, second: limited(30)}, "default": {"ok": COUNTING}})
        answer = ask(rig, stream=True)
        served_by(answer, third, 3)
        equal(text_of(answer.parse()), COUNTING, f"content after {fault}")


@check("openai: all models rest, the SDK waits")
def all_rest(rig):
    script = {"default": {"steps": [limited(2)], "then": "ok"}}
    three = rig.models[:3]

    rig.situation(script, listed=rig.short_list(3))
    hasty = client(rig, max_retries=0).chat.completions
    call = lambda: hasty.create(model="auto", messages=HELLO)
    error = refused(openai.InternalServerError, call, 503, "all_models_unavailable")
    equal(error.response.headers["retry-after"], "2", "retry-after")
    tried = [(one["model"], one["outcome"], one["status"]) for one in error.body["attempts"]]
    equal(tried, [(model, "rate_limited", 429) for model in three], "error.attempts")
    equal(http("GET", f"{rig.demo.address}/ready")[0], 503, "/ready")

    for stream in (False, True):
        rig.situation(script, listed=rig.short_list(3))
        begun = time.monotonic()
        answer = ask(rig, stream=stream)
        waited = time.monotonic() - begun
        assert 2 <= waited < 4, f"the answer came after {waited:.2f} s"
        served_by(answer, three[0], 1)
        if stream:
            list(answer.parse())
        equal(rig.simulator.asked(), [*three, three[0]], "models asked")
        equal([line["status"] for line in rig.logged(2)], [503, 200], "statuses in the log")


@check("openai: more models than attempts")
def more_models_than_attempts(rig):
    # Five are tried and rest for 2 s; an untried one is awake, so the first wait is 1 s.
    rig.situation({"default": {"steps": [limited(2)], "then": "ok"}})
    begun = time.monotonic()
    answer = ask(rig)
    waited = time.monotonic() - begun
    assert 2 <= waited < 4, f"the answer came after {waited:.2f} s"
    served_by(answer, rig.models[0], 1)
    asked = rig.simulator.asked()
    equal(asked[:6] + asked[-1:], rig.models + rig.models[:1], "models asked")


@check("openai: the day's quota is used up")
def account_rests(rig):
    reset = int((time.time() + 3600) * 1000)
    rig.situation({"default": {"failure": {"name": "daily_limit", "reset": reset}}})
    for _ in range(2):
        begun = time.monotonic()
        call = lambda: client(rig).chat.completions.create(model="auto", messages=HELLO)
        error = refused(openai.InternalServerError, call, 503, "account_rate_limited")
        equal(error.type, "rate_limit_error", "type")
        wait = int(error.response.headers["retry-after"])
        assert 3590 <= wait <= 3600, f"retry-after: {wait}"
        assert time.monotonic() - begun < 2, "the SDK waited, though the wait is longer than it would"
    equal(rig.simulator.asked(), rig.models[:1], "models asked")
    equal(http("GET", f"{rig.demo.address}/ready")[0], 503, "/ready")


@check("openai: the upstream's key is wrong")
def upstream_key(rig):
    rig.situation({"upstream_key": "another"})
    call = lambda: client(rig, max_retries=0).chat.completions.create(model="auto", messages=HELLO)
    error = refused(openai.InternalServerError, call, 502, "upstream_auth_error")
    assert "...6789 (len=29)" in error.message, error.message
    assert "sk-or" not in error.response.text, "the key is in the answer"
    equal(rig.simulator.asked(), rig.models[:1], "models asked")
    (line,) = rig.logged(1)
    equal((line["level"], line["reason"]), ("ERROR", "upstream_auth_error"), "the log line")


@check("openai: an error in mid-stream")
def mid_stream_error(rig):
    broken = lambda: rig.demo.metric("freellm_requests_total", status="200/mid_error")
    overloaded = {"error": {"message": "Provider returned error", "code": 502}}
    limit = {"error": {"message": "Rate limit exceeded", "code": 429}}
    rows = (
        ("error", overloaded, "upstream_error"),
        ("error", limit, "rate_limited"),
        ("error_done", overloaded, "upstream_error"),
        *((fault, {}, "upstream_error") for fault in ("cut", "close", "reset", "half_event", "garbage", "bad_chunk")),
    )
    for fault, error, code in rows:
        step = {"stream": {"fault": fault, "after": 2, "answer": {"text": COUNTING}, **error}}
        rig.situation({"models": {rig.models[0]: step}})
        before = broken()
        answer = ask(rig, stream=True)
        served_by(answer, rig.models[0], 1)
        chunks = []
        try:
            for chunk in answer.parse():
                chunks.append(chunk)
        except openai.APIError as error:
            equal(type(error), openai.APIError, f"the class of the error ({fault})")
            equal((error.type, error.code), ("upstream_error", code), "its type and code")
        else:
            raise AssertionError(f"no APIError after {fault}: {text_of(chunks)!r}")
        said = text_of(chunks)
        assert said and COUNTING.startswith(said) and said != COUNTING, f"content before {fault}: {said!r}"
        equal(len(chunks), 2, f"chunks before {fault}")
        line = rig.demo.log.of(answer.headers["x-request-id"])
        equal((line["status"], line["level"]), (200, "WARNING"), "the log line")
        equal(line["mid_stream_error"], code, "mid_stream_error")
        equal(rig.simulator.asked(), rig.models[:1], "models asked: no other may go on")
        equal(broken(), before + 1, "requests counted as 200/mid_error")
        served_by(ask(rig), rig.models[1], 1)


@check("openai: the client goes away")
def client_goes_away(rig):
    first = rig.models[0]
    talking = {"stream": {"fault": "content_forever", "answer": {"delay_ms": 20}}}
    silent = {"ok": {"text": COUNTING, "first_delay_ms": 20_000}}

    def leaves_stream():
        stream = client(rig).chat.completions.create(model="auto", messages=HELLO, stream=True)
        for _, _ in zip(range(3), stream):
            pass
        stream.close()

    def gives_up(stream):
        impatient = client(rig, max_retries=0).with_options(timeout=httpx2.Timeout(0.5))
        try:
            impatient.chat.completions.create(model="auto", messages=HELLO, stream=stream)
        except openai.APITimeoutError:
            return
        raise AssertionError("no APITimeoutError")

    rows = (
        ("in mid-stream", talking, leaves_stream),
        ("before a stream's first event", silent, lambda: gives_up(True)),
        ("before a plain answer", silent, lambda: gives_up(False)),
    )
    for row, step, leave in rows:
        rig.situation({"models": {first: step}})
        before = rig.demo.metric("freellm_requests_total", status="499")
        leave()
        (line,) = rig.logged(1)
        equal(line["status"], 499, f"the status in the log ({row})")
        equal(outcomes(line), [(first, "client_disconnected")], "attempts in the log")
        eventually(lambda: rig.simulator.completions()[0]["closed_early"], f"the upstream is left too ({row})")
        equal(rig.demo.metric("freellm_requests_total", status="499"), before + 1, "requests counted as 499")
        rig.simulator.follow({})
        served_by(ask(rig), first, 1)


@check("openai: many at once")
def many_at_once(rig):
    rig.situation({"models": {rig.models[0]: [limited(30)]}, "default": {"ok": {"delay_ms": 10, "chunks": 12}}})
    words = ["р" * count + "мост" for count in range(1, 61)]

    async def one(of, word):
        question = [{"role": "user", "content": f"Сколько букв р в слове {word}?"}]
        stream = await of.create(model="auto", messages=question, stream=True)
        return text_of([chunk async for chunk in stream])

    async def all_of_them():
        async with AsyncOpenAI(base_url=f"{rig.demo.address}/v1", api_key=KEY, max_retries=0) as its:
            return await asyncio.gather(*(one(its.chat.completions, word) for word in words))

    said = asyncio.run(all_of_them())
    equal(said, [f"В слове «{word}» букв «р»: {len(word) - 4}." for word in words], "answers")
    equal({line["status"] for line in rig.logged(len(words))}, {200}, "statuses in the log")
