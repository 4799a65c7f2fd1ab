import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { startServer } from "./server.mjs";

let server, client;
before(async () => {
  server = await startServer("--latency-ms", "400", "--token-rate", "200");
  client = server.client;
});
after(async () => assert.equal(await server.stop(), 0));
const model = "rehearsal";

test("a background response is polled until it is complete", async () => {
  let response = await client.responses.create({ model, input: "x", background: true });
  const seen = new Set([response.status]);
  const deadline = Date.now() + 10_000;
  while (["queued", "in_progress"].includes(response.status) && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    response = await client.responses.retrieve(response.id);
    seen.add(response.status);
  }
  assert.equal(response.status, "completed");
  assert.ok(seen.has("in_progress"));
  assert.match(response.output_text, /^Rehearsal: /);
});

test("a background stream goes on after a given event", async () => {
  const all = [];
  for await (const event of await client.responses.create({ model, input: "x", background: true, stream: true })) all.push(event);
  const id = all[0].response.id;
  const rest = [];
  for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: 3 })) rest.push(event);
  assert.deepEqual(rest.map((event) => [event.type, event.sequence_number]), all.slice(4).map((event) => [event.type, event.sequence_number]));
});

test("a background response is cancelled once and stays so", async () => {
  const made = await client.responses.create({ model, input: "x", background: true });
  for (let i = 0; i < 2; ++i) assert.equal((await client.responses.cancel(made.id)).status, "cancelled");
  assert.equal((await client.responses.retrieve(made.id)).status, "cancelled");
  const plain = await client.responses.create({ model, input: "x" });
  await assert.rejects(client.responses.cancel(plain.id), OpenAI.BadRequestError);
  await assert.rejects(client.responses.cancel("resp_unknown"), OpenAI.NotFoundError);
});
