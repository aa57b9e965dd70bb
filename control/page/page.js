// The page: which part is shown, and what its buttons do.

import { Call, Problem, ask, openMicrophone } from "./call.js";
import { Meter } from "./meter.js";
import { CONNECTIONS, PROBLEMS, QUALITIES, STATES } from "./words.js";

const STATUS_EVERY_MS = 15_000;
const get = (id) => document.getElementById(id);
const parts = ["door", "lobby", "call"];

let call = null;
let trial = null; // microphone that is being tried out
let meters = []; // what is drawn: [meter, elements]

function show(part) {
  for (const each of parts) get(each).hidden = each !== part;
  get("sign-out").hidden = part === "door";
  if (part === "door") get("password").focus();
  if (part === "call") get("state").focus();
}

function complain(problem) {
  const reason = problem instanceof Problem ? problem.message : "no-server";
  if (!(problem instanceof Problem)) console.error(problem);
  const [title, text] = PROBLEMS[reason] ?? PROBLEMS["no-server"];
  get("notice-title").textContent = title;
  get("notice-text").textContent = text;
  get("notice").dataset.reason = reason;
  get("notice").hidden = false;
}

function welcome({ business, agent }) {
  document.title = `Talk to ${business}`;
  get("business").textContent = business;
  for (const each of document.querySelectorAll(".agent-name")) each.textContent = agent.replaceAll("_", " ");
  show("lobby");
  refreshStatus();
}

async function refreshStatus() {
  if (document.hidden || get("call").hidden === false || get("lobby").hidden) return;
  try {
    const { calls } = await ask("GET", "/api/status");
    get("status").textContent = calls === 1 ? "1 call is up." : `${calls || "No"} calls are up.`;
  } catch (problem) {
    get("status").textContent = "";
    if (problem.message === "not-signed-in") leave(problem);
  }
}

function leave(problem) {
  show("door");
  get("status").textContent = "";
  if (problem) complain(problem);
}

// ---- levels ----
function draw() {
  for (const [meter, elements] of meters) {
    const level = meter.level().toFixed(3);
    for (const element of elements) element.style.setProperty("--level", level);
  }
  if (meters.length) requestAnimationFrame(draw);
}

function measure(track, selector) {
  const elements = [...document.querySelectorAll(selector)];
  meters.push([new Meter(track), elements]);
  if (meters.length === 1) requestAnimationFrame(draw);
}

function measureNothing() {
  for (const [meter, elements] of meters) {
    meter.close();
    for (const element of elements) element.style.removeProperty("--level");
  }
  meters = [];
}

// ---- microphone ----
async function listDevices() {
  const inputs = (await navigator.mediaDevices.enumerateDevices()).filter((each) => each.kind === "audioinput");
  const select = get("device");
  const chosen = select.value;
  select.replaceChildren(...inputs.map((each) => new Option(each.label || "Microphone", each.deviceId)));
  if (inputs.some((each) => each.deviceId === chosen)) select.value = chosen;
  get("devices").hidden = inputs.length < 2;
}

async function tryMicrophone(wanted) {
  trial?.stop();
  trial = null;
  measureNothing();
  get("try-microphone").setAttribute("aria-pressed", String(wanted));
  get("trial").hidden = !wanted;
  get("try-microphone").textContent = wanted ? "Stop trying" : "Try the microphone";
  if (!wanted) return;
  try {
    trial = await openMicrophone(get("device").value);
    measure(trial.mediaStreamTrack, "#trial span");
    await listDevices();
  } catch (problem) {
    complain(problem);
    await tryMicrophone(false);
  }
}

// ---- call ----
async function talk() {
  get("notice").hidden = true;
  get("talk").disabled = true;
  await tryMicrophone(false);
  try {
    const microphone = await openMicrophone(get("device").value);
    prepareCallPart();
    measure(microphone.mediaStreamTrack, "#call .meter span");
    call = new Call();
    for (const [name, react] of Object.entries(reactions)) call.addEventListener(name, ({ detail }) => react(detail));
    await call.start(microphone, { relayOnly: get("relay-only").checked });
  } catch (problem) {
    ended(null);
    if (problem.message === "not-signed-in") leave(problem);
    else complain(problem);
  } finally {
    get("talk").disabled = false;
  }
}

function prepareCallPart() {
  get("captions").replaceChildren();
  get("mute").setAttribute("aria-pressed", "false");
  get("mute").lastElementChild.textContent = "Mute";
  get("clock").textContent = "0:00";
  get("status").textContent = "";
  reactions.state("connecting");
  reactions.connection("unknown");
  reactions.quality("good");
  show("call");
}

const reactions = {
  state(state) {
    get("state").textContent = STATES[state] ?? state;
    document.querySelector(".orb").dataset.state = state;
  },
  agent() {
    const started = Date.now();
    get("clock").timer = setInterval(() => {
      const seconds = Math.floor((Date.now() - started) / 1000);
      get("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }, 1000);
  },
  voice: (track) => measure(track, ".orb span"),
  caption: showCaption,
  connection(kind) {
    get("connection").dataset.kind = kind;
    if (!get("connection").classList.contains("bad")) get("connection").textContent = CONNECTIONS[kind] ?? kind;
  },
  quality(quality) {
    const bad = QUALITIES[quality];
    get("connection").classList.toggle("bad", Boolean(bad));
    get("connection").textContent = bad ?? CONNECTIONS[get("connection").dataset.kind];
  },
  ended,
};

function showCaption({ id, who, text }) {
  const captions = get("captions");
  let line = [...captions.children].find((each) => each.dataset.segment === id);
  if (!line) {
    line = document.createElement("li");
    line.dataset.segment = id;
    line.dataset.who = who;
    const name = document.createElement("b");
    name.textContent = who === "you" ? "You" : document.querySelector(".agent-name").textContent;
    line.append(name, document.createElement("span"));
    captions.append(line);
  }
  line.lastElementChild.textContent = text;
  captions.scrollTop = captions.scrollHeight;
}

function ended(reason) {
  clearInterval(get("clock").timer);
  measureNothing();
  call = null;
  show("lobby");
  get("talk").focus();
  if (reason) complain(new Problem(reason));
  refreshStatus();
}

// ---- buttons ----
get("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  get("notice").hidden = true;
  try {
    welcome(await ask("POST", "/api/session", { password: get("password").value }));
    get("password").value = "";
    get("talk").focus();
  } catch (problem) {
    complain(problem);
    get("password").select();
  }
});
get("sign-out").addEventListener("click", async () => {
  await call?.hangUp();
  await tryMicrophone(false);
  await ask("DELETE", "/api/session").then(() => leave(), complain);
});
get("talk").addEventListener("click", talk);
get("try-microphone").addEventListener("click", () => tryMicrophone(!trial));
get("device").addEventListener("change", () => trial && tryMicrophone(true));
get("hang-up").addEventListener("click", () => call?.hangUp());
get("mute").addEventListener("click", async () => {
  const wanted = !call.muted;
  await call.mute(wanted);
  get("mute").setAttribute("aria-pressed", String(wanted));
  get("mute").lastElementChild.textContent = wanted ? "Muted" : "Mute";
  document.querySelector("#call .meter").classList.toggle("muted", wanted);
});
setInterval(refreshStatus, STATUS_EVERY_MS);

ask("GET", "/api/session").then(welcome, (problem) =>
  leave(problem.message === "not-signed-in" ? null : problem));
