"""LangChain's ChatOpenAI."""

import driver
import pydantic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

HELLO = HumanMessage(driver.QUESTION)


@tool
def get_weather(city: str) -> str:
    """The weather of a city"""
    return "rain"


class Weather(pydantic.BaseModel):
    """The weather of a city."""

    city: str
    degrees: int
    raining: bool
    hours: list[int]


def of(case):
    return ChatOpenAI(base_url=f"{case['base']}/v1", api_key=case["key"], model="auto")


def plain(case, messages=(HELLO,), tools=()):
    model = of(case).bind_tools(tools) if tools else of(case)
    message = model.invoke(list(messages))
    return {"text": message.content, "tokens": message.usage_metadata["total_tokens"]}


def streamed(case):
    said = [chunk.content for chunk in of(case).stream([HELLO]) if chunk.content]
    return {"text": "".join(said), "pieces": len(said)}


def tools(case):
    whole = None
    for chunk in of(case).bind_tools([get_weather]).stream([HELLO]):
        whole = chunk if whole is None else whole + chunk
    calls = [(call["name"], call["args"]) for call in whole.tool_calls]
    results = [ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in whole.tool_calls]
    return {"calls": calls, **plain(case, [HELLO, whole, *results], [get_weather])}


def structured(case):
    return {"parsed": of(case).with_structured_output(Weather).invoke([HELLO]).model_dump()}


def image(case):
    seen = {"type": "image_url", "image_url": {"url": case["image"]}}
    return plain(case, [HumanMessage([{"type": "text", "text": driver.QUESTION}, seen])])


def leaves(case):
    stream = of(case).stream([HELLO])
    said = next(chunk.content for chunk in stream if chunk.content)
    stream.close()
    return {"text": said}


driver.drive({
    "plain": plain, "streamed": streamed, "tools": tools, "structured": structured, "image": image, "leaves": leaves,
    "incapable": lambda case: plain(case, tools=[get_weather]),
})  # fmt: skip
