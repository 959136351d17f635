// The whole behaviour layer: copy, show, an invitation's code, the preview, what is busy, finding in a long list, "/" to search, Escape for a time's tip. Pages work without it.
(() => {
  const live = document.createElement("p");
  live.className = "sr-only";
  live.setAttribute("aria-live", "polite");
  document.body.append(live);

  const value = (el) => el.dataset.copy || document.querySelector(el.dataset.copyFrom).textContent.trim();

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(value(button));
    } catch {
      live.textContent = "Not copied. Select the text instead.";
      return;
    }
    button.classList.add("done");
    live.textContent = "Copied";
    setTimeout(() => button.classList.remove("done"), 1600);
  }

  let hiding;
  function show(button) {
    const target = document.getElementById(button.getAttribute("aria-controls"));
    const masked = target.toggleAttribute("data-masked");
    button.setAttribute("aria-pressed", String(!masked));
    button.lastChild.textContent = masked ? "Show" : "Hide";
    clearTimeout(hiding);
    if (!masked) hiding = setTimeout(() => show(button), 60_000);
  }

  // The code behind # never reaches a server by itself; it moves into the form, and out of the address.
  const code = document.querySelector("[data-from-fragment]");
  if (code && location.hash.length > 1) {
    code.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
    if (code.form.matches("[data-send-fragment]")) code.form.requestSubmit(); // opening spends nothing
  }

  // A slug follows the name until somebody writes one of their own. Without a script the server makes it.
  const slug = document.querySelector("[data-slug-from]");
  document.getElementById(slug?.dataset.slugFrom)?.addEventListener("input", ({ target }) => {
    if (slug.dataset.own) return;
    const plain = target.value.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
    slug.value = plain.replace(/[^a-z0-9]+/g, "-").slice(0, 36).replace(/^-|-$/g, "");
  });
  slug?.addEventListener("input", () => { slug.dataset.own = slug.value; });

  // The token preview follows what is typed; without a script "Update preview" does the same.
  const draft = document.querySelector("form[data-preview]");
  let waiting, asked = 0;
  async function preview() {
    const turn = ++asked, body = new FormData(draft), panel = document.getElementById(draft.dataset.preview);
    body.set("preview", "1");
    panel.setAttribute("aria-busy", "true");
    const answer = await fetch(draft.action, { method: "POST", body }).catch(() => null);
    const text = answer?.ok ? await answer.text().catch(() => "") : "";
    if (turn !== asked) return; // somebody typed on meanwhile: the later answer counts
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(panel.id); // sign-in has none
    if (fresh) panel.replaceChildren(...fresh.childNodes);
    else panel.querySelectorAll("[data-fresh], [data-stale]").forEach((el) => { el.hidden = el.matches("[data-fresh]"); });
    panel.removeAttribute("aria-busy");
    live.textContent = fresh ? "Token preview updated" : "Token preview is not up to date";
  }
  draft?.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(preview, 400);
  });

  // The theme changes in place, so that nothing typed is lost. Without a script the server prints it with the page.
  const looks = document.querySelector("form[data-theme-set]"), following = { dark: "light", light: "", "": "dark" };
  looks?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = looks.querySelector("button"), chosen = button.value, body = new FormData(looks);
    body.set("theme", chosen);
    if (!(await fetch(looks.action, { method: "POST", body, redirect: "manual" }).catch(() => null))) return;
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    button.value = following[chosen];
    const words = `Theme: ${chosen || "as the system"}. Switch to ${button.value || "the system’s"}`;
    button.setAttribute("aria-label", words);
    live.textContent = words;
  });

  // Long lists of boxes shrink to what is looked for; what is ticked stays in sight. Without a script all are there.
  const finder = document.querySelector("[data-finds]");
  finder?.addEventListener("input", (event) => {
    event.stopPropagation(); // nothing of the form changed
    const wanted = finder.value.trim().toLowerCase(), box = finder.closest(finder.dataset.finds);
    box.querySelectorAll("label.tick").forEach((label) => {
      label.hidden = !label.textContent.toLowerCase().includes(wanted) && !label.querySelector(":checked");
    });
    box.querySelectorAll("fieldset").forEach((set) => { set.hidden = !set.querySelector("label:not([hidden])"); });
    live.textContent = `${box.querySelectorAll("label.tick:not([hidden])").length} shown`;
  });
  finder?.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });

  // How many scopes are ticked is said while they are.
  document.addEventListener("change", ({ target }) => {
    const form = target.name === "scopes" && target.form, set = target.closest("fieldset");
    if (!form) return;
    const count = (within) => String(within.querySelectorAll("[name=scopes]:checked").length);
    for (const [within, shown] of [[set, "[data-chosen]"], [form, "[data-scope-count]"]]) {
      const place = within.querySelector(shown);
      if (place) place.textContent = count(within);
    }
  });

  // The box above a table's boxes ticks them all, and how many are ticked is said.
  const all = document.querySelector("[data-all]"), boxes = [...document.querySelectorAll("tbody [name=chosen]")];
  function tally() {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && !all.checked;
    live.textContent = `${count} chosen`;
  }
  all?.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tally();
  });
  for (const box of boxes) box.addEventListener("change", tally);
  boxes[0]?.form.addEventListener("reset", () => setTimeout(tally));

  // A page that shows a secret leaves nothing to come back to, and asks before it is left without saying "stored".
  const secret = document.querySelector("[data-secret-page]");
  if (secret) addEventListener("pagehide", () => secret.remove());
  const stored = secret?.querySelector("form[data-stored]");
  const warn = (event) => {
    event.preventDefault();
    setTimeout(rest); // whoever stays was not answered
  };
  if (stored) {
    addEventListener("beforeunload", warn);
    stored.addEventListener("submit", () => removeEventListener("beforeunload", warn));
  }

  // A press that takes its time shows it: Cognito may be silent for seconds. It can be pressed again, the server takes
  // that for the same; and it keeps its name. What downloads leaves the page as it is.
  function rest() {
    document.querySelectorAll("button[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
    live.textContent = "";
  }
  document.addEventListener("submit", ({ submitter, defaultPrevented }) => {
    if (defaultPrevented || !submitter || submitter.matches("[data-stays]")) return;
    rest();
    submitter.setAttribute("aria-busy", "true");
    live.textContent = "Working…";
  });
  addEventListener("pageshow", ({ persisted }) => { if (persisted) rest(); });

  document.querySelectorAll(".tabs [aria-current]").forEach((tab) => {
    tab.closest(".tabs").scrollLeft = tab.offsetLeft - 80;
  });

  document.addEventListener("click", (event) => {
    const el = event.target.closest("button");
    if (!el) return;
    if (el.matches("[data-copy], [data-copy-from]")) copy(el);
    else if (el.matches("[data-show]")) show(el);
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) document.querySelectorAll("[data-show][aria-pressed=true]").forEach(show);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll(".when:is(:hover, :focus)").forEach((time) => {
      time.classList.add("dismissed");
      const again = () => time.classList.remove("dismissed");
      for (const left of ["blur", "pointerleave"]) time.addEventListener(left, again, { once: true });
    });
  });

  const takesText = (el) => el.isContentEditable
    || el.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=reset])");
  document.addEventListener("keydown", (event) => {
    const search = document.querySelector("[data-slash]");
    if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey || !search || takesText(event.target)) return;
    event.preventDefault();
    search.focus();
  });
})();
