// The demo's own part: the steps of the quiz, made-up people, two posts at once, and what becomes
// of each submission. Sending is landing.js's business, as on any other page.
"use strict";

(() => {
  const texts = document.body.dataset;
  const POLL_EVERY_MS = 700;
  const POLL_FOR_MS = 120000;
  const SLOWEST_PROGRAM_MS = 1500; // who is quicker than a person may be kept back as one
  const byId = (id) => document.getElementById(id);

  // --- the steps of the quiz ---------------------------------------------------------------------

  const quiz = byId("proftest");
  const steps = [...quiz.querySelectorAll(".step")];
  const bar = quiz.querySelector(".steps");
  const progress = byId("progress");
  const again = byId("again");
  let at = 0;

  function nameNext() {
    const isAnswered = steps[at].querySelector(":checked") || steps[at].querySelector("textarea")?.value;
    bar.lastElementChild.textContent = isAnswered ? texts.next : texts.skip;
    bar.lastElementChild.classList.toggle("primary", Boolean(isAnswered));
  }

  function setDone(isDone) {
    again.hidden = !isDone;
    bar.hidden = progress.parentElement.hidden = isDone;
    if (isDone) steps[at].hidden = true;
  }

  function go(to) {
    const isMoving = to !== at;
    at = to;
    setDone(false);
    const isLast = at === steps.length - 1;
    steps.forEach((step, number) => (step.hidden = number !== at));
    bar.firstElementChild.hidden = at === 0;
    bar.lastElementChild.hidden = isLast;
    progress.value = at + 1;
    progress.labels[0].textContent = isLast
      ? texts.last
      : texts.step.replace("{step}", at + 1).replace("{steps}", steps.length - 1);
    nameNext();
    if (isMoving) steps[at].querySelector("legend").focus();
  }

  bar.addEventListener("click", (event) => go(at + Number(event.target.dataset.go)));
  quiz.addEventListener("input", nameNext);
  quiz.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT" || at === steps.length - 1) return;
    event.preventDefault(); // the form is not complete yet
    go(at + 1);
  });
  quiz.addEventListener("reset", () => setTimeout(() => setDone(true)));
  again.addEventListener("click", () => {
    quiz.querySelector("[data-landing-message]").textContent = "";
    go(0);
    steps[0].querySelector("legend").focus();
  });
  go(0);

  // --- made-up people ----------------------------------------------------------------------------

  const digits = (many) => String(Math.floor(Math.random() * 10 ** many)).padStart(many, "0");

  function fill(form) {
    const people = texts.people.split(", ");
    const fields = form.elements;
    fields.name.value = people[Math.floor(Math.random() * people.length)];
    fields.phone.value = `+7 701 ${digits(3)} ${digits(2)} ${digits(2)}`;
    fields.email.value = `visitor.${digits(6)}@example.kz`;
    fields.consent.checked = true;
    fields.name.dispatchEvent(new Event("input", { bubbles: true }));
  }

  for (const button of document.querySelectorAll("[data-fill]")) {
    button.hidden = false;
    button.addEventListener("click", () => fill(button.form));
  }

  // --- twice at once -----------------------------------------------------------------------------

  // The same person as somebody else might type it.
  function respell(fields) {
    fields.email.value = fields.email.value.toUpperCase();
    fields.phone.value = fields.phone.value.replace(
      /^\+7 ?(\d{3}) ?(\d{3}) ?(\d\d) ?(\d\d)$/,
      "8 ($1) $2-$3-$4",
    );
    fields.source.value = "demo, second";
  }

  function twinOf(form, submitter) {
    const twin = form.cloneNode(true);
    twin.hidden = twin.noValidate = true;
    twin.removeAttribute("id");
    document.body.append(twin);
    respell(twin.elements);
    const button = submitter && twin.elements[[...form.elements].indexOf(submitter)];
    return { twin, send: () => twin.requestSubmit(button || undefined) };
  }

  // --- what becomes of them ----------------------------------------------------------------------

  const sent = byId("sent");
  const rows = new Map(); // form: the row of what it sends just now

  function put(tag, parent, text = "", className = "") {
    const node = document.createElement(tag);
    node.textContent = text;
    node.className = className;
    parent.append(node);
    return node;
  }

  function newGroup() {
    byId("how").hidden = true;
    const place = document.createElement("li");
    sent.prepend(place);
    return { place, list: put("ul", place), rows: [] };
  }

  function newRow(form, group) {
    const place = put("li", group.list, "", "row");
    const { phone, email } = form.elements;
    const [which] = form.querySelector(".eyebrow").textContent.split(" · ");
    put("b", place, phone.value);
    put("span", place, [email.value, which].filter(Boolean).join(" · "));
    const row = { place, group, said: put("span", place, `${texts.sending}…`), since: performance.now() };
    group.rows.push(row);
    rows.set(form, row);
  }

  function tell(row, state, text) {
    row.place.dataset.state = state;
    row.said.textContent = text;
  }

  async function getJSON(address) {
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`${response.status} from ${address}`);
    return response.json();
  }

  async function follow(row, answer) {
    const until = performance.now() + POLL_FOR_MS;
    while (performance.now() < until) {
      try {
        const { status } = await getJSON(answer.statusUrl);
        if (status === "failed") return tell(row, "failed", texts.failed);
        if (status === "delivered") return await conclude(row, answer.leadId);
      } catch (error) {
        console.warn(error); // the service is being started anew: the next answer will do
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
    }
    return tell(row, "accepted", texts.slow);
  }

  async function conclude(row, submission) {
    const { action, leadId, url } = await getJSON(texts.outcomes + submission);
    row.lead = leadId;
    const seconds = decimal(((performance.now() - row.since) / 1000).toFixed(1));
    const [before, after] = texts[action].replace("{s}", seconds).split("{lead}");
    tell(row, "delivered", before);
    const link = put("a", row.said, leadId);
    Object.assign(link, { href: url, target: "_blank", rel: "noopener" });
    row.said.append(after);
    const { rows: all, place } = row.group;
    if (all.length < 2 || !all.every((one) => one.lead)) return;
    const isOne = new Set(all.map((one) => one.lead)).size === 1;
    put("p", place, isOne ? texts.one : texts.two, isOne ? "verdict" : "verdict landing-error");
  }

  const decimal = (text) => (document.documentElement.lang === "ru" ? text.replace(".", ",") : text);

  // Before landing.js hears of it: what is sent leaves the form afterwards.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (rows.has(form)) return; // a twin
      const group = newGroup();
      newRow(form, group);
      if (!byId("twice").checked) return;
      const { twin, send } = twinOf(form, event.submitter);
      newRow(twin, group);
      send();
    },
    true,
  );

  function ended(event, say) {
    const form = event.target;
    const row = rows.get(form);
    rows.delete(form);
    if (!form.id) setTimeout(() => form.remove()); // a twin, once everybody has heard of it
    say(row, event.detail);
  }

  document.addEventListener("landing:accepted", (event) =>
    ended(event, (row, answer) => {
      row.place.scrollIntoView({ block: "nearest" });
      const took = Math.round(performance.now() - row.since);
      tell(row, "accepted", texts.accepted.replace("{ms}", took));
      follow(row, answer);
    }),
  );
  document.addEventListener("landing:refused", (event) =>
    ended(event, (row, answer) => tell(row, "failed", answer.error)),
  );

  byId("try").addEventListener("click", () => {
    const form = byId("express");
    byId("twice").checked = true;
    fill(form);
    const send = () => form.requestSubmit(form.querySelector("[value=card]"));
    setTimeout(send, SLOWEST_PROGRAM_MS - performance.now());
  });
})();
