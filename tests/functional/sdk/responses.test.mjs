import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { startServer } from "./server.mjs";

let server, client;
before(async () => {
  server = await startServer();
  client = server.client;
});
beforeEach(() => server.reset());
after(async () => assert.equal(await server.stop(), 0));

const Plan = z.object({
  name: z.string(),
  days: z.number().int().min(3).max(9),
  kind: z.enum(["small", "large"]),
  note: z.string().nullable(),
  steps: z.array(z.object({ title: z.string(), done: z.boolean() })).min(2),
});
const model = "rehearsal";

test("a response in one piece", async () => {
  const response = await client.responses.create({ model, input: "Name one risk" });
  assert.equal(response.status, "completed");
  assert.match(response.id, /^resp_/);
  assert.match(response.output_text, /^Rehearsal: /);
  assert.ok(response.usage.input_tokens > 0);
  assert.equal(response.usage.total_tokens, response.usage.input_tokens + response.usage.output_tokens);
  assert.match(response._request_id, /^req_/);
});

test("a stream has numbered events in order and ends with the whole response", async () => {
  const events = [];
  let text = "";
  const stream = await client.responses.create({ model, input: "Name one risk", stream: true, reasoning: { summary: "auto" } });
  for await (const event of stream) {
    events.push(event);
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
  assert.equal(events.at(-1).response.output.at(-1).content[0].text, text);
  assert.ok(events.some((event) => event.type === "response.reasoning_summary_text.delta"));
});

test("the SDK's own accumulator agrees with the final response", async () => {
  const stream = client.responses.stream({ model, input: "Name one risk", text: { format: zodTextFormat(Plan, "plan") } });
  const final = await stream.finalResponse();
  assert.equal(final.status, "completed");
  assert.ok(Plan.safeParse(final.output_parsed).success);
});

test("structured output is valid for the schema", async () => {
  const response = await client.responses.parse({ model, input: "A plan", text: { format: zodTextFormat(Plan, "plan") } });
  const parsed = Plan.parse(response.output_parsed);
  assert.ok(parsed.steps.length >= 2);
});

test("stored responses can be fetched, listed and deleted", async () => {
  const made = await client.responses.create({ model, input: "Name one risk" });
  const again = await client.responses.retrieve(made.id);
  assert.equal(again.output_text, made.output_text);
  const items = await client.responses.inputItems.list(made.id);
  assert.equal(items.data.length, 1);
  assert.equal(items.data[0].content[0].text, "Name one risk");
  await client.responses.delete(made.id);
  await assert.rejects(client.responses.retrieve(made.id), OpenAI.NotFoundError);
});

test("input tokens are counted without an answer", async () => {
  const counted = await client.responses.inputTokens.count({ model, input: "x".repeat(400) });
  assert.equal(counted.input_tokens, 100);
  assert.equal((await server.counters()).answers.received, 0);
});

test("a conversation goes on by the parent's id", async () => {
  const parent = await client.responses.create({ model, input: "x".repeat(4000) });
  const child = await client.responses.create({ model, input: "More", previous_response_id: parent.id });
  assert.equal(child.previous_response_id, parent.id);
  assert.ok(child.usage.input_tokens > parent.usage.input_tokens);
  await assert.rejects(client.responses.create({ model, input: "More", previous_response_id: "resp_unknown" }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "previous_response_not_found");
    assert.equal(error.param, "previous_response_id");
    return true;
  });
});

test("a repeated prompt is cached in steps of 128 tokens", async () => {
  const input = "word ".repeat(2000);
  const first = await client.responses.create({ model, input });
  const second = await client.responses.create({ model, input });
  assert.equal(first.usage.input_tokens_details.cached_tokens, 0);
  assert.equal(second.usage.input_tokens_details.cached_tokens, Math.floor(second.usage.input_tokens / 128) * 128);
});

test("a schema outside of the strict subset is refused with its place", async () => {
  const schema = { type: "object", properties: { a: { type: "object", properties: { b: { type: "string" } }, required: [] , additionalProperties: false } }, required: ["a"], additionalProperties: false };
  await assert.rejects(client.responses.create({ model, input: "x", text: { format: { type: "json_schema", name: "s", strict: true, schema } } }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "invalid_json_schema");
    assert.match(error.message, /'properties', 'a'/);
    return true;
  });
});

test("a small budget gives an incomplete response", async () => {
  const response = await client.responses.create({ model, input: "x", max_output_tokens: 16, text: { format: zodTextFormat(Plan, "plan") } });
  assert.equal(response.status, "incomplete");
  assert.equal(response.incomplete_details.reason, "max_output_tokens");
});

test("statuses become the SDK's error classes", async () => {
  const classes = [
    [400, OpenAI.BadRequestError],
    [401, OpenAI.AuthenticationError],
    [403, OpenAI.PermissionDeniedError],
    [404, OpenAI.NotFoundError],
    [409, OpenAI.ConflictError],
    [422, OpenAI.UnprocessableEntityError],
    [429, OpenAI.RateLimitError],
    [500, OpenAI.InternalServerError],
    [503, OpenAI.InternalServerError],
  ];
  for (const [status, type] of classes) {
    await server.next({ status });
    await assert.rejects(client.responses.create({ model, input: "x" }), type, String(status));
  }
  await server.next({ connection: "reset" });
  await assert.rejects(client.responses.create({ model, input: "x" }), OpenAI.APIConnectionError);
});

test("the SDK's own retries come through", async () => {
  await server.next({ status: 429, headers: { "retry-after-ms": "10" } }, { status: 500, headers: { "retry-after-ms": "10" } });
  const response = await client.withOptions({ maxRetries: 2 }).responses.create({ model, input: "x" });
  assert.equal(response.status, "completed");
  assert.equal((await server.counters()).answers.received, 3);
});

test("a failed and a refused stream are seen as such", async () => {
  await server.next({ failed: "server_error" }, { answer: "refusal" });
  const failed = client.responses.stream({ model, input: "x" });
  const types = [];
  for await (const event of failed) types.push(event.type);
  assert.equal(types.at(-1), "response.failed");
  const refused = await client.responses.stream({ model, input: "x" }).finalResponse();
  assert.equal(refused.output.at(-1).content[0].type, "refusal");
});

test("chat completions, whole and streamed", async () => {
  const messages = [{ role: "system", content: "Rules" }, { role: "user", content: "Name one risk" }];
  const whole = await client.chat.completions.create({ model, messages });
  assert.match(whole.choices[0].message.content, /^Rehearsal: /);
  assert.equal(whole.choices[0].finish_reason, "stop");
  let text = "", usage;
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.equal(usage.total_tokens, whole.usage.total_tokens);
  const parsed = await client.chat.completions.parse({ model, messages, response_format: zodResponseFormat(Plan, "plan") });
  assert.ok(Plan.safeParse(parsed.choices[0].message.parsed).success);
});

test("models are listed", async () => {
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  assert.deepEqual(names, ["rehearsal"]);
});
