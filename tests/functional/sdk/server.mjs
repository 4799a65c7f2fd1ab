// Starts planexe-rehearsal for a test file and talks to its control interface.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import OpenAI from "openai";

const program = process.env.PLANEXE_REHEARSAL;
if (!program) throw new Error("PLANEXE_REHEARSAL must name the program planexe-rehearsal");

export async function startServer(...args) {
  const child = spawn(program, ["--port", "0", "--seed", "7", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const url = line.replace(/^listening /, "");
  const post = async (path, body = {}) => {
    const answer = await fetch(url + path, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  return {
    url,
    client: new OpenAI({ apiKey: "sk-sdk-check-0123456789", baseURL: `${url}/v1`, maxRetries: 0 }),
    reset: () => post("/control/reset"),
    /** The next answers are these steps. */
    next: (...steps) => post("/control/scripts", { steps }),
    counters: async () => (await fetch(`${url}/control/counters`)).json(),
    async stop() {
      child.kill("SIGTERM");
      const [code] = await once(child, "exit");
      return code;
    },
  };
}
