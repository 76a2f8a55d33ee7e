import { connect } from "./connect.js";
import { chosenMicrophone, showDevices } from "./devices.js";
import { el, make, sentenceOf } from "./dom.js";
import { Talk } from "./talk.js";

/** @typedef {import("jssip/lib/RTCSession.js").RTCSession} RTCSession */
/** @typedef {import("../../../src/client/browser/connect.js").Phone} Phone */

/** @type {Phone | undefined} */
let phone;
/** @type {Talk | undefined} */
let talk;
/** @type {RTCSession | undefined} */
let ringing;

/** A softphone: JsSIP, with connect() of postern/browser. @param {import("./visit.js").Visit} visit */
export function showPhone(visit) {
  const online = /** @type {HTMLInputElement} */ (el("online"));
  online.addEventListener("change", () => (online.checked ? goOnline(visit) : goOffline()));
  el("dial").addEventListener("submit", (event) => {
    event.preventDefault();
    void call(/** @type {HTMLInputElement} */ (el("target")).value.trim());
  });
  el("answer").addEventListener("click", () => void answer());
  el("decline").addEventListener("click", () => ringing?.terminate({ status_code: 486 }));
  el("hangup").addEventListener("click", () => talk?.hangUp());
  el("hold").addEventListener("click", () => talk?.toggleHold());
  el("mute").addEventListener("click", () => talk?.toggleMute());
  showKeys();
  showDevices(() => talk?.useMicrophone(chosenMicrophone()).catch((fault) => say(sentenceOf(fault))));
  goOnline(visit);
}

function showKeys() {
  for (const tone of "123456789*0#") {
    const key = make("button", { type: "button" }, tone);
    key.addEventListener("click", () => talk?.tone(tone, /** @type {HTMLInputElement} */ (el("info")).checked));
    el("keys").append(key);
  }
}

/** @param {string} text @param {string} kind */
function state(text, kind) {
  el("state").textContent = text;
  el("state").dataset.kind = kind;
  el("call").toggleAttribute("disabled", kind !== "good" || talk !== undefined);
}

/** @param {string} sentence */
const say = (sentence) => {
  el("said").textContent = sentence;
};

/** @param {import("./visit.js").Visit} visit */
function goOnline({ line, url, uri }) {
  const opened = connect({ jssip: window.JsSIP, credentials: `/demo/credential?line=${line}`, servers: url, uri });
  phone = opened;
  state("connecting", "plain");
  opened.addEventListener("disconnected", ({ detail }) => state(detail.sentence, "bad"));
  opened.addEventListener("trouble", ({ detail }) => say(detail.sentence));
  opened.addEventListener("refused", ({ detail }) => say(`${detail.code}: ${detail.sentence}`));
  opened.addEventListener("closed", ({ detail }) =>
    state(detail.code === "closed" ? "offline" : detail.sentence, "plain"),
  );
  opened.ready.then(listen, () => undefined);
}

function goOffline() {
  talk?.hangUp();
  phone?.close();
  phone = undefined;
}

/** @param {import("jssip/lib/UA.js").UA} ua */
function listen(ua) {
  ua.on("registered", () => state("online", "good"));
  ua.on("newRTCSession", (/** @type {import("jssip/lib/UA.js").RTCSessionEvent} */ { originator, session }) => {
    if (String(originator) === "remote") ring(session);
  });
  if (ua.isRegistered()) state("online", "good");
}

/** @param {RTCSession} session */
function ring(session) {
  if (talk || ringing) {
    session.terminate({ status_code: 486 });
    return;
  }
  ringing = session;
  el("ringing-who").textContent = `${session.remote_identity.uri.user} is calling`;
  el("ringing").hidden = false;
  el("answer").focus();
  session.on("accepted", stopRinging);
  session.on("failed", () => {
    stopRinging();
    say("The call was not answered.");
  });
}

function stopRinging() {
  ringing = undefined;
  el("ringing").hidden = true;
}

async function answer() {
  const session = ringing;
  if (!session || !phone) return;
  begin(session, session.remote_identity.uri.user);
  phone.answer(session, { mediaConstraints: chosenMicrophone() });
}

/** @param {string} target */
async function call(target) {
  if (!phone || talk || target === "") return;
  say("");
  try {
    begin(await phone.call(target, { mediaConstraints: chosenMicrophone() }), target);
  } catch (fault) {
    say(`This cannot be called: ${sentenceOf(fault)}`);
  }
}

/** @param {RTCSession} session @param {string} peer */
function begin(session, peer) {
  el("call").toggleAttribute("disabled", true);
  talk = new Talk(session, peer, (sentence) => {
    talk = undefined;
    el("call").toggleAttribute("disabled", false);
    // What the gateway said of it is better than what JsSIP makes of it.
    if (!el("said").textContent) say(sentence);
  });
  say("");
}
