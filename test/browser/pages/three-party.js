/**
 * A page that calls on a data_token and reports on its calls. It tells what happens to it. settings: gateway (http
 * origin), server (of the WebSocket), user.
 */
// --- shown in docs/three-party.md
import { dataTokens, quality } from "/quality.js";

const { gateway, server, user } = globalThis.settings;
const [appID, userID] = ["acme", `${user}@acme.example`];

/** fetchAppToken: the page's own site knows who is logged in. */
async function applicationToken() {
  const response = await fetch("/app-token", { method: "POST" });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error_description);
  return answer.application_token;
}

const process = dataTokens({ gateway, appID, userID, applicationToken });
const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(server)], uri: `sip:${userID}` });
let renewal;

/** The whole process: for SIP, for the reports, and again at three quarters of the token's life. */
async function dataToken() {
  const given = await process();
  ua.set("authorization_jwt", `Bearer ${given.data_token}`);
  clearTimeout(renewal);
  renewal = setTimeout(() => dataToken().catch(show), given.expires_in * 750);
  return given;
}

dataToken().then((first) => {
  const reporting = quality({ gateway, userID, dataToken, first, onProblem: ({ problem }) => show(problem) });
  ua.on("newRTCSession", ({ session }) => reporting.watch(session));
  ua.start();
  globalThis.reporting = reporting;
}, show);
// --- end

function show({ message }) {
  tell({ what: "sentence", sentence: message });
}

const media = { mediaConstraints: { audio: true, video: false } };
ua.on("connected", () => tell({ what: "connected" }));
ua.on("registered", () => tell({ what: "ready" }));
ua.on("registrationFailed", ({ response }) => tell({ what: "refused", ...reply(response) }));
ua.on("newRTCSession", ({ session, originator }) => {
  globalThis.session = session;
  session.on("accepted", () => tell({ what: "accepted" }));
  session.on("failed", ({ message }) => tell({ what: "failed", ...reply(message) }));
  session.on("ended", ({ originator: by }) => tell({ what: "ended", by }));
  if (originator === "remote") session.answer(media);
});

const reply = (response) => ({ status: response?.status_code, code: response?.getHeader?.("Postern-Code") });

globalThis.phone = {
  call: (name) => ua.call(`sip:${name}@acme.example`, media),
  hangup: () => globalThis.session.terminate(),
  endForAll: () => globalThis.reporting.end(globalThis.session),
};
