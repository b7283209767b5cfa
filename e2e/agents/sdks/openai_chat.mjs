// openai-node at Chat Completions.

import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { drive, QUESTION, TOOL, Weather } from "./driver.mjs";

const hello = [{ role: "user", content: QUESTION }];
const offered = [
  { type: "function", function: { name: TOOL.name, description: TOOL.description, parameters: TOOL.schema } },
];

const of = ({ base, key }) => new OpenAI({ baseURL: `${base}/v1`, apiKey: key }).chat.completions;

async function plain(its, messages = hello, more = {}) {
  const { choices, usage } = await of(its).create({ model: "auto", messages, ...more });
  return { text: choices[0].message.content, tokens: usage.total_tokens };
}

async function streamed(its) {
  const said = [];
  for await (const chunk of await of(its).create({ model: "auto", messages: hello, stream: true })) {
    const piece = chunk.choices[0]?.delta.content;
    if (piece) said.push(piece);
  }
  return { text: said.join(""), pieces: said.length };
}

async function tools(its) {
  const message = await of(its).stream({ model: "auto", messages: hello, tools: offered }).finalMessage();
  const calls = message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
  const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "rain" }));
  return { calls, ...(await plain(its, [...hello, message, ...results], { tools: offered })) };
}

async function structured(its) {
  const response_format = zodResponseFormat(Weather, "weather");
  const { choices } = await of(its).parse({ model: "auto", messages: hello, response_format });
  return { parsed: choices[0].message.parsed };
}

const image = (its) =>
  plain(its, [
    {
      role: "user",
      content: [
        { type: "text", text: QUESTION },
        { type: "image_url", image_url: { url: its.image } },
      ],
    },
  ]);

async function leaves(its) {
  for await (const chunk of await of(its).create({ model: "auto", messages: hello, stream: true })) {
    const text = chunk.choices[0]?.delta.content;
    // Leaving the loop closes the stream.
    if (text) return { text };
  }
}

async function legacy({ base, key }) {
  const { completions } = new OpenAI({ baseURL: `${base}/v1`, apiKey: key });
  let text = "";
  for await (const piece of await completions.create({ model: "auto", prompt: QUESTION, stream: true })) {
    text += piece.choices[0]?.text ?? "";
  }
  return { text };
}

await drive({
  plain: (its) => plain(its),
  streamed,
  tools,
  structured,
  image,
  leaves,
  legacy,
  incapable: (its) => plain(its, hello, { tools: offered }),
});
