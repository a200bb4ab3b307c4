// Sends either form as a landing page does, and follows the submission until it is delivered.
"use strict";

const texts = document.body.dataset;
const headers = { "Content-Type": "application/json", "Accept-Language": document.documentElement.lang };
const POLL_EVERY_MS = 1000;
const POLL_FOR_MS = 120000;

function uniqueKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bodyOf(form) {
  const data = Object.fromEntries(new FormData(form));
  const utm = {};
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (name.startsWith("utm_") || name === "gclid" || name === "fbclid") utm[name] = value;
  }
  const body = { name: data.name, email: data.email, phone: data.phone, source: "demo", utmParams: utm };
  if (form.id === "proftest") {
    const question = form.querySelector("legend").textContent;
    body.proftestAnswers = [{ questionNumber: 1, question, answer: data.answer }];
  } else {
    body.paymentMethod = data.paymentMethod;
  }
  return body;
}

function show(form, sentence, answer, bad) {
  const place = form.querySelector(".answer");
  place.classList.toggle("bad", Boolean(bad));
  place.textContent = sentence;
  if (answer) {
    const code = document.createElement("pre");
    code.textContent = JSON.stringify(answer, null, 2);
    place.append(code);
  }
}

function mark(form, fields) {
  for (const input of form.querySelectorAll("input, select")) {
    if (fields && input.name in fields) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  const first = form.querySelector("[aria-invalid]");
  if (first) first.focus();
}

// A lost answer is asked for again with the same key: the service keeps one submission.
async function post(form, request) {
  try {
    return await fetch(form.dataset.url, request);
  } catch {
    return fetch(form.dataset.url, request);
  }
}

async function follow(form, answer, run) {
  const path = new URL(answer.statusUrl).pathname;
  const until = Date.now() + POLL_FOR_MS;
  while (form.dataset.run === run && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
    let status;
    try {
      status = await (await fetch(path, { headers })).json();
    } catch {
      continue;
    }
    if (form.dataset.run !== run) return;
    if (status.status === "delivered" || status.status === "failed") {
      show(form, texts[status.status], status, status.status === "failed");
      return;
    }
  }
  if (form.dataset.run === run) show(form, texts.slow, answer);
}

async function send(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  const key = uniqueKey();
  form.dataset.run = key;
  button.disabled = true;
  try {
    const response = await post(form, {
      method: "POST",
      headers: { ...headers, "Idempotency-Key": key },
      body: JSON.stringify(bodyOf(form)),
    });
    const answer = await response.json();
    mark(form, answer.fields);
    show(form, answer.success ? texts.accepted : answer.error, answer, !answer.success);
    if (answer.success) follow(form, answer, key);
  } catch {
    show(form, texts.unreachable, null, true);
  } finally {
    button.disabled = false;
  }
}

for (const form of document.forms) form.addEventListener("submit", send);
