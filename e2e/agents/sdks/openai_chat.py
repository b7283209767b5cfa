"""openai-python at Chat Completions."""

import json

import driver
import pydantic
from openai import OpenAI

HELLO = [{"role": "user", "content": driver.QUESTION}]
TOOLS = [{"type": "function", "function": {
    "name": driver.TOOL["name"], "description": driver.TOOL["description"], "parameters": driver.TOOL["schema"],
}}]  # fmt: skip


class Weather(pydantic.BaseModel):
    city: str
    degrees: int
    raining: bool
    hours: list[int]


def of(case):
    return OpenAI(base_url=f"{case['base']}/v1", api_key=case["key"]).chat.completions


def plain(case, messages=HELLO, **more):
    completion = of(case).create(model="auto", messages=messages, **more)
    return {"text": completion.choices[0].message.content, "tokens": completion.usage.total_tokens}


def pieces(stream):
    return (chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def streamed(case):
    said = [piece for piece in pieces(of(case).create(model="auto", messages=HELLO, stream=True)) if piece]
    return {"text": "".join(said), "pieces": len(said)}


def tools(case):
    with of(case).stream(model="auto", messages=HELLO, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    made = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    # Not the message itself: the helper joins the roles of all chunks to one.
    calls = [{"id": at, "type": "function", "function": {"name": name, "arguments": said}} for at, name, said in made]
    results = [{"role": "tool", "tool_call_id": at, "content": "rain"} for at, _, _ in made]
    told = [*HELLO, {"role": "assistant", "tool_calls": calls}, *results]
    return {"calls": [(name, json.loads(said)) for _, name, said in made], **plain(case, told, tools=TOOLS)}


def structured(case):
    completion = of(case).parse(model="auto", messages=HELLO, response_format=Weather)
    return {"parsed": completion.choices[0].message.parsed.model_dump()}


def image(case):
    parts = [{"type": "text", "text": driver.QUESTION}, {"type": "image_url", "image_url": {"url": case["image"]}}]
    return plain(case, [{"role": "user", "content": parts}])


def leaves(case):
    stream = of(case).create(model="auto", messages=HELLO, stream=True)
    said = next(piece for piece in pieces(stream) if piece)
    stream.close()
    return {"text": said}


def legacy(case):
    completions = OpenAI(base_url=f"{case['base']}/v1", api_key=case["key"]).completions
    pieces = completions.create(model="auto", prompt=driver.QUESTION, stream=True)
    return {"text": "".join(piece.choices[0].text for piece in pieces if piece.choices)}


driver.drive({
    "plain": plain, "streamed": streamed, "tools": tools, "structured": structured, "image": image, "leaves": leaves,
    "legacy": legacy, "incapable": lambda case: plain(case, tools=TOOLS),
})  # fmt: skip
