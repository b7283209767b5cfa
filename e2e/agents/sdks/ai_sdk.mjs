// The AI SDK with OpenRouter's provider.

import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { drive, QUESTION, TOOL, Weather } from "./driver.mjs";

const of = ({ base, key }) => createOpenRouter({ baseURL: `${base}/api/v1`, apiKey: key }).chat("auto");
// It reports stream errors on the console, which we use for results.
const quiet = { onError: () => {} };

const offered = {
  [TOOL.name]: tool({
    description: TOOL.description,
    inputSchema: jsonSchema(TOOL.schema),
    execute: async () => "rain",
  }),
};

async function plain(its, more = { prompt: QUESTION }) {
  const { text, usage } = await generateText({ model: of(its), ...more });
  return { text, tokens: usage.totalTokens };
}

/** Its pieces, up to an error. */
async function listen(stream) {
  const said = [];
  for await (const part of stream.fullStream) {
    if (part.type === "text-delta") said.push(part.text);
    if (part.type === "error") throw part.error;
  }
  return said;
}

async function streamed(its) {
  const said = await listen(streamText({ model: of(its), prompt: QUESTION, ...quiet }));
  return { text: said.join(""), pieces: said.length };
}

/** The SDK itself carries the call out and goes on. */
async function tools(its) {
  const stream = streamText({ model: of(its), prompt: QUESTION, tools: offered, stopWhen: stepCountIs(3), ...quiet });
  await listen(stream);
  const calls = (await stream.steps).flatMap((step) => step.toolCalls);
  return { calls: calls.map(({ toolName, input }) => [toolName, input]), text: await stream.text };
}

async function structured(its) {
  const output = Output.object({ schema: Weather });
  const given = await generateText({ model: of(its), prompt: QUESTION, output });
  return { parsed: given.output };
}

const image = (its) => {
  const content = [
    { type: "text", text: QUESTION },
    { type: "file", mediaType: "image/png", data: its.image },
  ];
  return plain(its, { messages: [{ role: "user", content }] });
};

async function leaves(its) {
  const leaving = new AbortController();
  const stream = streamText({ model: of(its), prompt: QUESTION, abortSignal: leaving.signal, ...quiet });
  for await (const text of stream.textStream) {
    leaving.abort();
    return { text };
  }
}

await drive({
  plain: (its) => plain(its),
  streamed,
  tools,
  structured,
  image,
  leaves,
  incapable: (its) => plain(its, { prompt: QUESTION, tools: offered }),
});
