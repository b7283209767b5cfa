"""openai-python at Responses."""

import json

import driver
import pydantic
from openai import OpenAI

TOOLS = [{
    "type": "function", "name": driver.TOOL["name"], "description": driver.TOOL["description"],
    "parameters": driver.TOOL["schema"], "strict": False,
}]  # fmt: skip


class Weather(pydantic.BaseModel):
    city: str
    degrees: int
    raining: bool
    hours: list[int]


def of(case):
    return OpenAI(base_url=f"{case['base']}/v1", api_key=case["key"]).responses


def plain(case, said=driver.QUESTION, **more):
    response = of(case).create(model="auto", input=said, **more)
    return {"text": response.output_text, "tokens": response.usage.total_tokens}


def deltas(stream):
    return (event.delta for event in stream if event.type == "response.output_text.delta")


def streamed(case):
    with of(case).stream(model="auto", input=driver.QUESTION) as stream:
        said = list(deltas(stream))
        assert stream.get_final_response().output_text == "".join(said)
    return {"text": "".join(said), "pieces": len(said)}


def tools(case):
    with of(case).stream(model="auto", input=driver.QUESTION, tools=TOOLS) as stream:
        stream.until_done()
        output = stream.get_final_response().output
    made = [item for item in output if item.type == "function_call"]
    calls = [(call.name, json.loads(call.arguments)) for call in made]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"} for call in made]
    said = [{"role": "user", "content": driver.QUESTION}, *(item.to_dict() for item in output), *results]
    for item in said:
        item.pop("parsed_arguments", None)
    return {"calls": calls, **plain(case, said, tools=TOOLS)}


def structured(case):
    parsed = of(case).parse(model="auto", input=driver.QUESTION, text_format=Weather).output_parsed
    return {"parsed": parsed.model_dump()}


def image(case):
    parts = [{"type": "input_text", "text": driver.QUESTION}, {"type": "input_image", "image_url": case["image"]}]
    return plain(case, [{"role": "user", "content": parts}])


def leaves(case):
    stream = of(case).create(model="auto", input=driver.QUESTION, stream=True)
    said = next(deltas(stream))
    stream.close()
    return {"text": said}


def broken(case):
    """Its result for a broken stream: the SDK raises nothing, it ends with a failed response."""
    for event in of(case).create(model="auto", input=driver.QUESTION, stream=True):
        if event.type == "response.failed":
            wrong = event.response.error
            return {"error": {"kind": event.type, "status": None, "message": f"{wrong.code}: {wrong.message}"}}
    return {"text": "it ended well"}


driver.drive({
    "plain": plain, "streamed": streamed, "tools": tools, "structured": structured, "image": image, "leaves": leaves,
    "broken": broken, "incapable": lambda case: plain(case, tools=TOOLS),
})  # fmt: skip
