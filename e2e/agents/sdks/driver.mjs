// Runs the cases for one SDK: each arrives as a line of JSON, and the SDK's result is written as a line of JSON.

import { createInterface } from "node:readline";
import { z } from "zod";

export const QUESTION = "Hello!";
export const TOOL = {
  name: "get_weather",
  description: "The weather of a city",
  schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
export const Weather = z.object({
  city: z.string(),
  degrees: z.number().int(),
  raining: z.boolean(),
  hours: z.array(z.number().int()),
});

function error(raised) {
  const kind = raised.constructor.name;
  return { kind, status: raised.status ?? raised.statusCode ?? null, message: raised.message };
}

/** `cases` maps a case's name to a function of its settings (`base`, `key`, `image`). */
export async function drive(cases) {
  for await (const line of createInterface({ input: process.stdin })) {
    const settings = JSON.parse(line);
    const given = await cases[settings.case](settings).catch((raised) => ({ error: error(raised) }));
    console.log(JSON.stringify(given));
  }
}
