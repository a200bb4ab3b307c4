// Sends every <form data-landing="slug"> of a page to the lead gateway that served this script.
// docs/landing.md says how to use it. No dependencies, no cookies, nothing inline.
(() => {
  "use strict";

  const HOME = document.currentScript?.src ? new URL(document.currentScript.src).origin : "";
  const OURS = ["name", "email", "phone", "paymentMethod", "source", "campaignSlug", "_gotcha"];
  const MARK = /^(utm_\w+|gclid|gbraid|wbraid|dclid|fbclid|yclid|ysclid|ttclid|msclkid|vkclid|rb_clid|twclid)$/i;
  const MARKS_LIVE_MS = 30 * 24 * 3600 * 1000;
  const NOT_SENT = ["button", "submit", "reset", "image", "file", "password", "fieldset", "output"];
  const PAUSES_S = [1, 3, 9]; // before each further try
  const LONGEST_PAUSE_S = 61; // what a limit by the minute may ask for
  const TIMEOUT_MS = 20000;
  const TEXTS = {
    ru: {
      thanks: "Спасибо! Заявка принята, мы скоро свяжемся с вами.",
      waiting: "Связь медленная, отправляем ещё раз. Не закрывайте страницу.",
      offline: "Нет связи. Всё, что вы ввели, на месте: попробуйте отправить ещё раз.",
      failed: "Не получилось отправить. Попробуйте ещё раз через минуту.",
    },
    en: {
      thanks: "Thank you! We have your request and will contact you soon.",
      waiting: "The connection is slow, sending again. Please keep this page open.",
      offline: "No connection. What you typed is still here: please send it again.",
      failed: "This could not be sent. Please try again in a minute.",
    },
  };

  const firstSeen = new Map(); // slug: when, in milliseconds of the page, which may draw a form anew
  const drafts = new WeakMap(); // form: what a repetition has to send again
  const sending = new WeakMap(); // form: the buttons that are off meanwhile
  let marks = {};
  let errors = 0;

  // --- storage, which may be blocked, full or somebody else's: then it is left out

  function load(area, name) {
    try {
      return JSON.parse(window[area].getItem(name));
    } catch {
      return null;
    }
  }

  function save(area, name, value) {
    try {
      if (value) window[area].setItem(name, JSON.stringify(value));
      else window[area].removeItem(name);
    } catch {
      // the page itself still remembers
    }
  }

  // --- where the visitor came from

  // The last visit with marks counts; one without them erases nothing.
  function readMarks() {
    const found = {};
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (MARK.test(name) && value) found[name.toLowerCase()] = value;
    }
    if (Object.keys(found).length) {
      marks = found;
      save("localStorage", "landing-marks", { at: Date.now(), marks });
      return;
    }
    const last = load("localStorage", "landing-marks");
    if (last && Math.abs(Date.now() - last.at) < MARKS_LIVE_MS) marks = last.marks;
    else if (last) save("localStorage", "landing-marks");
  }

  // --- what was typed

  const labelOf = (field) => field.labels?.[0] || field.closest("label");

  function textOf(node) {
    if (!node) return "";
    const copy = node.cloneNode(true);
    const unread = "input,select,textarea,button,[hidden],[aria-hidden=true],[data-landing-error]";
    copy.querySelectorAll(unread).forEach((one) => one.remove());
    return copy.textContent.replace(/\s+/g, " ").trim().replace(/[\s:*]+$/, "");
  }

  function legendOf(field) {
    return textOf(field.closest("fieldset")?.querySelector("legend"));
  }

  // A box or button without a value of its own says what stands beside it.
  function valueOf(field) {
    if (field.type === "select-multiple") return [...field.selectedOptions].map((one) => one.value);
    if (field.type !== "checkbox" && field.type !== "radio") return field.value.trim();
    if (!field.checked) return "";
    if (field.hasAttribute("value")) return field.value;
    return legendOf(field) ? textOf(labelOf(field)) : true;
  }

  function questionOf(field) {
    const isOption = field.type === "checkbox" || field.type === "radio";
    const text = (isOption && legendOf(field)) || (field.type !== "radio" && textOf(labelOf(field)));
    return text || field.getAttribute("aria-label") || field.name.replace(/^answers\[(.+?)\].*/, "$1");
  }

  function add(answers, question, value) {
    const before = answers.get(question);
    answers.set(question, before === undefined ? value : [].concat(before, value));
  }

  function read(form, submitter) {
    const fields = [...form.elements].filter((one) => !NOT_SENT.includes(one.type));
    const answers = new Map();
    const named = new Map(); // the server knows what other pages call our fields
    const labels = {};
    const asked = new Map();
    const body = {
      metadata: {
        page: location.href.split("#")[0],
        referrer: document.referrer,
        language: document.documentElement.lang || navigator.language,
      },
      utmParams: { ...marks },
    };
    for (const field of submitter ? [...fields, submitter] : fields) {
      const { name } = field;
      if (!name || field.matches(":disabled")) continue;
      const value = valueOf(field);
      if (OURS.includes(name)) {
        body[name] = value || body[name] || "";
      } else if (!value || !String(value) || name.startsWith("_")) {
        continue;
      } else if (name === "consent") {
        body.consent = { text: textOf(labelOf(field)), page: location.origin + location.pathname };
      } else if (MARK.test(name)) {
        body.utmParams[name.toLowerCase()] = value;
      } else if (!field.closest("fieldset[data-question]")) {
        if (name.startsWith("answers[")) add(answers, questionOf(field), value);
        else {
          add(named, name, value);
          labels[name] ||= questionOf(field);
        }
      } else if (field.type !== "hidden") {
        add(asked, field.closest("fieldset[data-question]"), value);
      }
    }
    if (answers.size) body.answers = Object.fromEntries(answers);
    const questions = [...form.querySelectorAll("fieldset[data-question]")];
    if (questions.length) {
      body.proftestAnswers = [...asked].map(([question, answer]) => ({
        questionNumber: questions.indexOf(question) + 1,
        question: textOf(question.querySelector("legend")),
        answer,
      }));
    }
    return { ...Object.fromEntries(named), ...body, _labels: labels };
  }

  // --- one key for what was typed

  function newKey() {
    if (crypto.randomUUID) return crypto.randomUUID(); // only where the page came by https
    return Array.from(crypto.getRandomValues(new Uint32Array(4)), (one) => one.toString(36)).join("-");
  }

  // Storage need not know who somebody is to tell whether the same was typed.
  function fingerprint(text) {
    let [one, other] = [7, 11];
    for (let at = 0; at < text.length; at += 1) {
      one = (one * 31 + text.charCodeAt(at)) % 2147483647;
      other = (other * 257 + text.charCodeAt(at)) % 2147483629;
    }
    return `${one}-${other}`;
  }

  const placeOf = (form) => `landing-draft-${form.dataset.landing}`;

  // Unchanged, it is the same submission, with the key and the times of the first try.
  function draftOf(form, typed) {
    const print = fingerprint(JSON.stringify([addressOf(form), typed]));
    let draft = drafts.get(form) || load("sessionStorage", placeOf(form));
    if (draft?.print !== print) {
      const elapsed = Math.round(performance.now() - firstSeen.get(form.dataset.landing));
      draft = { print, key: newKey(), elapsed, at: new Date().toISOString() };
    }
    drafts.set(form, draft);
    save("sessionStorage", placeOf(form), draft);
    const consent = typed.consent && { ...typed.consent, at: draft.at };
    return { key: draft.key, body: JSON.stringify({ ...typed, consent, _elapsed: draft.elapsed }) };
  }

  function forget(form) {
    drafts.delete(form);
    save("sessionStorage", placeOf(form));
  }

  // --- sending

  function addressOf(form) {
    const action = form.getAttribute("action") || "";
    if (action.includes("/api/landing/")) return new URL(action, document.baseURI).href;
    return `${HOME}/api/landing/f/${encodeURIComponent(form.dataset.landing)}`;
  }

  const isRussian = (form) => /^(ru|kk|$)/i.test(form.closest("[lang]")?.lang || "");

  // What a page says with data-thanks and its like, else our own words.
  const textFor = (form, name) => form.dataset[name] || TEXTS[isRussian(form) ? "ru" : "en"][name];

  async function postOnce(form, { key, body }) {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), TIMEOUT_MS);
    try {
      const response = await fetch(addressOf(form), {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          "Accept-Language": isRussian(form) ? "ru" : "en",
          "Idempotency-Key": key,
        },
        body,
        credentials: "omit",
        keepalive: body.length < 20000, // sent also if the visitor leaves; browsers allow 64 KiB
        signal: patience.signal,
      });
      const answer = await response.json().catch(() => ({}));
      const isAgain = response.status >= 500 || response.status === 429;
      const pause = response.status === 429 && Number(response.headers.get("Retry-After"));
      return { status: response.status, isDone: response.ok, isAgain, pause, answer };
    } catch (error) {
      console.warn(`landing.js: no answer (${error}). Is ${location.origin} an allowed origin?`);
      return { status: 0, isDone: false, isAgain: true, pause: 0, answer: {} };
    } finally {
      clearTimeout(timer);
    }
  }

  async function post(form, draft) {
    for (let tries = 0; ; tries += 1) {
      const result = await postOnce(form, draft);
      const pause = result.pause || PAUSES_S[tries] * (0.8 + 0.4 * Math.random());
      if (!result.isAgain || tries === PAUSES_S.length || pause > LONGEST_PAUSE_S) return result;
      say(form, textFor(form, "waiting"));
      await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    }
  }

  // --- what the visitor sees

  function say(form, text, isError) {
    let place = form.querySelector("[data-landing-message]");
    if (!place) {
      place = document.createElement("div");
      place.dataset.landingMessage = "";
      form.append(place);
    }
    place.setAttribute("role", isError ? "alert" : "status");
    place.classList.toggle("landing-error", Boolean(isError));
    place.textContent = text;
  }

  function setBusy(form, submitter, isBusy) {
    const isButton = (one) => one.type === "submit" || one.type === "image";
    const own = [...form.elements].filter((one) => isButton(one) && !one.disabled);
    const buttons = sending.get(form) || own;
    buttons.forEach((one) => (one.disabled = isBusy));
    if (isBusy) sending.set(form, buttons);
    else sending.delete(form);
    form.setAttribute("aria-busy", isBusy);
    submitter?.setAttribute("aria-busy", isBusy);
    const words = submitter?.dataset.sending || form.dataset.sending;
    if (!words || submitter?.tagName !== "BUTTON") return;
    if (isBusy) submitter.landingWords = [...submitter.childNodes];
    submitter.replaceChildren(...(isBusy ? [words] : submitter.landingWords));
  }

  function clearError(field) {
    const id = field.landingError;
    if (!id) return;
    delete field.landingError;
    document.getElementById(id)?.remove();
    field.removeAttribute("aria-invalid");
    const others = (field.getAttribute("aria-describedby") || "").split(" ").filter((one) => one !== id);
    if (others.join("")) field.setAttribute("aria-describedby", others.join(" "));
    else field.removeAttribute("aria-describedby");
  }

  function showError(field, text) {
    clearError(field);
    const place = document.createElement("span");
    errors += 1;
    place.id = field.landingError = `landing-error-${errors}`;
    place.className = "landing-error";
    place.dataset.landingError = "";
    place.textContent = text;
    (field.closest("label") || field).after(place);
    field.setAttribute("aria-invalid", "true");
    const others = field.getAttribute("aria-describedby");
    field.setAttribute("aria-describedby", others ? `${others} ${place.id}` : place.id);
  }

  function refuse(form, { status, answer }) {
    const wrong = new Map(Object.entries(answer.fields || {}));
    let first;
    for (const field of form.elements) {
      if (!wrong.has(field.name) || field.type === "hidden") continue;
      showError(field, [].concat(wrong.get(field.name)).join(" "));
      wrong.delete(field.name);
      first = first || field;
    }
    first?.focus();
    const words = answer.error || textFor(form, status ? "failed" : "offline");
    say(form, first && !wrong.size ? "" : words, true);
    tell(form, "landing:refused", { success: false, error: words, ...answer, httpStatus: status });
  }

  function accept(form, answer) {
    if (!tell(form, "landing:accepted", answer)) return; // the page does the rest
    const next = form.dataset.next || form.elements.namedItem("_next")?.value;
    HTMLFormElement.prototype.reset.call(form); // a button may be called "reset"
    say(form, textFor(form, "thanks"));
    if (next && new URL(next, location.href).protocol.startsWith("http")) location.assign(next);
  }

  function tell(form, name, detail) {
    return form.dispatchEvent(new CustomEvent(name, { bubbles: true, cancelable: true, detail }));
  }

  async function send(form, submitter) {
    readMarks();
    [...form.elements].forEach(clearError);
    const typed = read(form, submitter);
    const wasFocused = document.activeElement;
    setBusy(form, submitter, true);
    say(form, "");
    const result = await post(form, draftOf(form, typed));
    if (!result.isAgain) forget(form); // it was answered: what comes next is new
    setBusy(form, submitter, false);
    if (document.activeElement === document.body) wasFocused?.focus();
    if (result.isDone) accept(form, result.answer);
    else refuse(form, result);
  }

  // --- the forms of the page, now and later

  // Nobody sees or reaches this field; who fills it in is a program.
  function addTrap(form) {
    const place = document.createElement("div");
    const trap = document.createElement("input");
    place.setAttribute("aria-hidden", "true");
    Object.assign(place.style, { position: "absolute", width: "1px", height: "1px" });
    Object.assign(place.style, { overflow: "hidden", clipPath: "inset(50%)" });
    Object.assign(trap, { name: "_gotcha", type: "text", tabIndex: -1, autocomplete: "off" });
    place.append(trap);
    form.append(place);
  }

  function see(form) {
    const slug = form.dataset.landing;
    if (!firstSeen.has(slug)) firstSeen.set(slug, performance.now());
    if (!form.elements.namedItem("_gotcha")) addTrap(form);
  }

  const seeAll = () => document.querySelectorAll("form[data-landing]").forEach(see);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    // Somebody else sees to it: the page, or another copy of this script.
    if (!form.matches("form[data-landing]") || event.defaultPrevented) return;
    event.preventDefault();
    see(form);
    if (!sending.has(form)) send(form, event.submitter);
  });
  document.addEventListener("input", (event) => clearError(event.target));

  readMarks();
  seeAll();
  new MutationObserver(seeAll).observe(document, { childList: true, subtree: true });
})();
