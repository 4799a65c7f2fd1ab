"use strict";
// A plain page over the HTTP interface: make plans, follow them, stop them, open their reports. It asks every few
// seconds instead of holding a stream.

const byId = (id) => document.getElementById(id);
const statusWords = { pending: "Waiting", running: "Running", completed: "Completed", failed: "Failed", cancelled: "Cancelled" };
const quickPause = 2000, slowPause = 10000, plansShown = 30;
let timer = 0;
let loading = false;

// The answer as JSON, null for one without a body. An error carries the words that the server sent.
async function call(method, path, body) {
  const options = { method, headers: { Accept: "application/json" }, credentials: "same-origin" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer.");
  }
  const text = await answer.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    throw new Error("The server sent something that is no JSON.");
  }
  if (answer.ok) return data;
  if (answer.status === 401) showLogin(true);
  throw new Error(data?.error ?? `The server answered ${answer.status}.`);
}

function showLogin(show) {
  byId("login").hidden = !show;
  byId("create").hidden = show;
  if (show) byId("token").focus();
}

function element(name, properties = {}, children = []) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function duration(seconds) {
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

function facts(plan) {
  const parts = [new Date(plan.created_at).toLocaleString()];
  if (plan.rehearsal) parts.push("rehearsal, no model");
  else if (plan.llm_model) parts.push(plan.llm_model);
  if (plan.usage.llm_calls > 0) parts.push(`${plan.usage.llm_calls} calls`);
  if (plan.usage.cost_micros > 0) parts.push(`$${(plan.usage.cost_micros / 1e6).toFixed(2)}`);
  if (plan.status === "running" && plan.eta_seconds !== null) parts.push(`about ${duration(plan.eta_seconds)} left`);
  if (plan.queue_position !== null) parts.push(`place ${plan.queue_position} in the queue`);
  return parts.join(" · ");
}

function action(label, plan, path) {
  const button = element("button", { type: "button", textContent: label });
  button.addEventListener("click", async () => {
    button.disabled = true;
    byId("plans-error").textContent = "";
    try {
      await call("POST", `/api/plans/${encodeURIComponent(plan.plan_id)}/${path}`, path === "resume" ? {} : undefined);
    } catch (error) {
      byId("plans-error").textContent = error.message;
    }
    refresh();
  });
  return button;
}

function actions(plan) {
  const base = `/api/plans/${encodeURIComponent(plan.plan_id)}`;
  const list = [];
  if (plan.has_report) list.push(element("a", { href: `${base}/report`, textContent: "Report" }));
  if (plan.progress.completed > 0) list.push(element("a", { href: `${base}/bundle`, textContent: "All files (zip)" }));
  if (plan.status === "pending" || plan.status === "running") list.push(action("Cancel", plan, "cancel"));
  const refused = plan.error_code === "PROMPT_REFUSED";
  if ((plan.status === "failed" && !refused) || plan.status === "cancelled") list.push(action("Resume", plan, "resume"));
  return list;
}

function card(plan) {
  const title = plan.title || (plan.prompt.length > 120 ? `${plan.prompt.slice(0, 120)}…` : plan.prompt);
  const stopping = plan.cancel_requested_at !== null && plan.status === "running";
  const parts = [
    element("h3", { textContent: title }),
    element("p", {}, [
      element("span", { className: "state", textContent: stopping ? "Stopping" : statusWords[plan.status] ?? plan.status }),
      plan.progress_message ? ` · ${plan.progress_message}` : "",
    ]),
  ];
  if (plan.status === "running" || plan.status === "pending") {
    parts.push(element("progress", { max: 100, value: plan.progress_percentage, ariaLabel: "Progress" }));
  }
  if (plan.error_message) parts.push(element("p", { className: "error", textContent: plan.error_message }));
  parts.push(element("p", { textContent: facts(plan) }), element("div", { className: "actions" }, actions(plan)));
  const made = element("li", { className: plan.status }, parts);
  made.dataset.plan = plan.plan_id;
  made.dataset.seen = JSON.stringify(plan);
  return made;
}

// Only what has changed is replaced, so that focus and selection stay where they are.
function show(plans) {
  const list = byId("plans");
  const known = new Map([...list.children].map((child) => [child.dataset.plan, child]));
  plans.forEach((plan, index) => {
    let shown = known.get(plan.plan_id);
    known.delete(plan.plan_id);
    if (shown === undefined || shown.dataset.seen !== JSON.stringify(plan)) {
      const fresh = card(plan);
      shown?.replaceWith(fresh);
      shown = fresh;
    }
    if (list.children[index] !== shown) list.insertBefore(shown, list.children[index] ?? null);
  });
  for (const gone of known.values()) gone.remove();
  byId("empty").hidden = plans.length > 0;
}

async function refresh() {
  clearTimeout(timer);
  if (loading) return;
  loading = true;
  let pause = slowPause;
  try {
    const plans = await call("GET", `/api/plans?limit=${plansShown}`);
    show(plans);
    byId("plans-error").textContent = "";
    if (plans.some((plan) => plan.status === "running" || plan.status === "pending")) pause = quickPause;
  } catch (error) {
    byId("plans-error").textContent = error.message;
  }
  loading = false;
  clearTimeout(timer);
  if (!document.hidden && byId("login").hidden) timer = setTimeout(refresh, pause);
}

function option(value, label) {
  return element("option", { value, textContent: label });
}

async function start() {
  try {
    const [config, models, prompts] = await Promise.all([call("GET", "/api/config"), call("GET", "/api/models"), call("GET", "/api/prompts")]);
    showLogin(false);
    byId("logout").hidden = !config.auth_required;
    byId("notice").hidden = !config.rehearsal;
    byId("notice").textContent = config.rehearsal ? "Rehearsal: prepared examples answer, no model is asked." : "";
    byId("prompt").maxLength = config.max_prompt_chars;
    byId("speed").replaceChildren(...config.speed_modes.filter((mode) => mode.available).map((mode) => option(mode.value, mode.label)));
    const usable = models.filter((model) => model.available);
    byId("model").replaceChildren(option("auto", "Automatic"), ...usable.map((model) => option(model.id, model.label)));
    byId("example").replaceChildren(option("", "None"), ...prompts.map((prompt) => option(prompt.uuid, prompt.title)));
    byId("example").onchange = () => {
      const chosen = prompts.find((prompt) => prompt.uuid === byId("example").value);
      if (chosen) byId("prompt").value = chosen.prompt;
    };
  } catch (error) {
    if (byId("login").hidden) byId("create-error").textContent = error.message;
  }
  refresh();
}

byId("create").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("create-error").textContent = "";
  byId("submit").disabled = true;
  try {
    await call("POST", "/api/plans", { prompt: byId("prompt").value, llm_model: byId("model").value, speed_vs_detail: byId("speed").value });
    byId("prompt").value = "";
    byId("example").value = "";
    refresh();
  } catch (error) {
    byId("create-error").textContent = error.message;
  }
  byId("submit").disabled = false;
});

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("login-error").textContent = "";
  try {
    await call("POST", "/api/auth/login", { token: byId("token").value });
    byId("token").value = "";
    start();
  } catch (error) {
    byId("login-error").textContent = error.message;
  }
});

byId("logout").addEventListener("click", async () => {
  try {
    await call("POST", "/api/auth/logout");
  } catch {
    // The page asks for the token either way.
  }
  byId("plans").replaceChildren();
  showLogin(true);
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});

start();
