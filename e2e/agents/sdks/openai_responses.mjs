// openai-node at Responses.

import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { drive, QUESTION, TOOL, Weather } from "./driver.mjs";

const offered = [
  { type: "function", name: TOOL.name, description: TOOL.description, parameters: TOOL.schema, strict: false },
];

const of = ({ base, key }) => new OpenAI({ baseURL: `${base}/v1`, apiKey: key }).responses;

async function plain(its, input = QUESTION, more = {}) {
  const { output_text, usage } = await of(its).create({ model: "auto", input, ...more });
  return { text: output_text, tokens: usage.total_tokens };
}

async function streamed(its) {
  const said = [];
  const stream = of(its).stream({ model: "auto", input: QUESTION });
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") said.push(event.delta);
  }
  const { output_text } = await stream.finalResponse();
  if (output_text !== said.join("")) throw new Error(`the deltas do not make up ${output_text}`);
  return { text: output_text, pieces: said.length };
}

async function tools(its) {
  const { output } = await of(its).stream({ model: "auto", input: QUESTION, tools: offered }).finalResponse();
  const made = output.filter((item) => item.type === "function_call");
  const calls = made.map((call) => [call.name, JSON.parse(call.arguments)]);
  const results = made.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "rain" }));
  const input = [{ role: "user", content: QUESTION }, ...output, ...results];
  return { calls, ...(await plain(its, input, { tools: offered })) };
}

async function structured(its) {
  const text = { format: zodTextFormat(Weather, "weather") };
  const { output_parsed } = await of(its).parse({ model: "auto", input: QUESTION, text });
  return { parsed: output_parsed };
}

const image = (its) =>
  plain(its, [
    {
      role: "user",
      content: [
        { type: "input_text", text: QUESTION },
        { type: "input_image", image_url: its.image, detail: "auto" },
      ],
    },
  ]);

async function leaves(its) {
  for await (const event of await of(its).create({ model: "auto", input: QUESTION, stream: true })) {
    // Leaving the loop closes the stream.
    if (event.type === "response.output_text.delta") return { text: event.delta };
  }
}

/** What it shows of a stream that breaks: the SDK throws nothing, it ends with a failed response. */
async function broken(its) {
  for await (const event of await of(its).create({ model: "auto", input: QUESTION, stream: true })) {
    if (event.type === "response.failed") {
      const { code, message } = event.response.error;
      return { error: { kind: event.type, status: null, message: `${code}: ${message}` } };
    }
  }
  return { text: "it ended well" };
}

await drive({
  plain: (its) => plain(its),
  streamed,
  tools,
  structured,
  image,
  leaves,
  broken,
  incapable: (its) => plain(its, QUESTION, { tools: offered }),
});
