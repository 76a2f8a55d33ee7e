/** The same with SIP.js. It tells what happens to it. settings: gateway (http origin), server (of the WebSocket), user. */
import { dataTokens, quality } from "/quality.js";
import { Inviter, Registerer, UserAgent } from "/sip.js";

const { gateway, server, user } = globalThis.settings;
const [appID, userID] = ["acme", `${user}@acme.example`];

async function applicationToken() {
  const response = await fetch("/app-token", { method: "POST" });
  return (await response.json()).application_token;
}

const dataToken = dataTokens({ gateway, appID, userID, applicationToken });

// --- shown in docs/three-party.md
const first = await dataToken();
const reporting = quality({ gateway, userID, dataToken, first, onProblem: ({ problem }) => show(problem) });
const extraHeaders = [`Authorization: Bearer ${first.data_token}`];
const ua = new UserAgent({ uri: UserAgent.makeURI(`sip:${userID}`), transportOptions: { server } });
await ua.start();
await new Registerer(ua, { extraHeaders }).register();

function call(name) {
  const inviter = new Inviter(ua, UserAgent.makeURI(`sip:${name}@acme.example`), { extraHeaders });
  reporting.watch(inviter);
  return inviter.invite();
}
// --- end

function show({ message }) {
  tell({ what: "sentence", sentence: message });
}

globalThis.phone = { call };
tell({ what: "ready" });
