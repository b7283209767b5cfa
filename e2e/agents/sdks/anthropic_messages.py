"""anthropic-python."""

import driver
import pydantic
from anthropic import Anthropic

HELLO = [{"role": "user", "content": driver.QUESTION}]
TOOLS = [{"name": driver.TOOL["name"], "description": driver.TOOL["description"], "input_schema": driver.TOOL["schema"]}]


class Weather(pydantic.BaseModel):
    city: str
    degrees: int
    raining: bool
    hours: list[int]


def of(case):
    return Anthropic(base_url=case["base"], api_key=case["key"]).messages


def plain(case, messages=HELLO, **more):
    message = of(case).create(model="auto", max_tokens=1000, messages=messages, **more)
    usage = message.usage
    return {"text": message.content[-1].text, "tokens": usage.input_tokens + usage.output_tokens}


def opened(case, **more):
    return of(case).stream(model="auto", max_tokens=1000, messages=HELLO, **more)


def streamed(case):
    with opened(case) as stream:
        said = list(stream.text_stream)
    return {"text": "".join(said), "pieces": len(said)}


def tools(case):
    with opened(case, tools=TOOLS) as stream:
        content = stream.get_final_message().content
    made = [block for block in content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"} for call in made]
    told = [*HELLO, {"role": "assistant", "content": content}, {"role": "user", "content": results}]
    return {"calls": [(call.name, call.input) for call in made], **plain(case, told, tools=TOOLS)}


def structured(case):
    message = of(case).parse(model="auto", max_tokens=1000, messages=HELLO, output_format=Weather)
    return {"parsed": message.parsed_output.model_dump()}


def image(case):
    kind, data = case["image"].removeprefix("data:").split(";base64,")
    source = {"type": "base64", "media_type": kind, "data": data}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": driver.QUESTION}]
    return plain(case, [{"role": "user", "content": parts}])


def leaves(case):
    with opened(case) as stream:
        return {"text": next(stream.text_stream)}


driver.drive({
    "plain": plain, "streamed": streamed, "tools": tools, "structured": structured, "image": image, "leaves": leaves,
    "incapable": lambda case: plain(case, tools=TOOLS),
    "count": lambda case: {"tokens": of(case).count_tokens(model="auto", messages=HELLO).input_tokens},
})  # fmt: skip
