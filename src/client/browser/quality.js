/**
 * Tells the gateway how a page's calls go, under a data_token: docs/three-party.md. For JsSIP and SIP.js. MIT.
 *
 * @import * as Q from "./quality.js"
 */

/** Of getStats: no address, no device. */
const types = /bound-rtp|candidate|media-source|codec/;
const members =
  /^(id|.*Id|type|kind|ssrc|nominated|state|mimeType|candidateType|audioLevel|fractionLost|concealedSamples|.*oundTripTime|(jitter|packets|bytes|total).*)$/;

const statistics = "SubmitConferenceStats";
const permissions = { conferenceStarted: "CreateConference", conferenceEnded: "TerminateConference" };
const media = { connected: "mediaConnected", disconnected: "mediaDisconnected", failed: "mediaFailed" };

/** @type {(url: string, body: object, token?: string) => Promise<any>} */
async function post(url, body, token) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
    credentials: "omit",
    keepalive: true,
    signal: AbortSignal.timeout(20_000),
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { status, headers } = response;
  const retryAfter = Number(headers.get("Retry-After")) || 0;
  const sentence = String(answer.error_description ?? answer.detail ?? `the gateway answers ${status}`).slice(0, 300);
  throw Object.assign(new Error(sentence), { status, code: answer.code, retryAfter });
}

/** @type {typeof Q.dataTokens} */
export const dataTokens =
  ({ gateway, appID, userID, applicationToken }) =>
  async () =>
    post(`${gateway}/v1/data-tokens`, { appID, userID, application_token: await applicationToken() });

/** @type {typeof Q.quality} */
export function quality({ gateway, userID, dataToken, first, every = 10, onProblem = () => {} }) {
  /** And their conferenceID. @type {Map<Q.Session, string>} */
  const calls = new Map();
  const missing = new Set();
  /** What waits, and what of it is on its way. @type {Q.Item[][]} */
  let [queue = [], sent = []] = [];
  let pauseEnd = 0;
  let failures = 0;
  let busy = false;
  let closed = false;
  const now = () => performance.now();
  let { data_token: token, expires_in } = first ?? { data_token: "", expires_in: 0 };
  let tokenEnd = now() + expires_in * 900;

  /** @type {(permission: string, body: object) => void} */
  function put(permission, body) {
    if (!closed && !missing.has(permission))
      queue = [...queue.slice(-99), { permission, at: now(), body: { ...body, userID } }];
  }

  /** @type {Q.Quality["event"]} */
  function event(session, event, detail) {
    const conferenceID = calls.get(session);
    const usual = event.startsWith("bridge") ? "SubmitBridgeEvent" : "SubmitConferenceEvent";
    if (conferenceID && event) put(Object(permissions)[event] ?? usual, { conferenceID, event, detail });
  }

  /** What one request may hold: a browser sends 64 KB. */
  function batch() {
    queue = queue.filter(({ at }) => now() - at < 3_500_000);
    return queue
      .filter(({ permission }) => permission === queue[0]?.permission)
      .filter((_, at, all) => !at || (at < 10 && JSON.stringify(all.slice(0, at + 1)).length < 6e4));
  }

  /** @type {(items: Q.Item[]) => [string, object]} */
  function request(items) {
    const told = items.map(({ at, body }) => ({ ...body, ago: Math.round(now() - at) }));
    return items[0]?.permission === statistics
      ? [`${gateway}/v1/stats`, { reports: told }]
      : [`${gateway}/v1/events`, { events: told }];
  }

  async function send() {
    try {
      if (!token || now() > tokenEnd) {
        ({ data_token: token, expires_in } = await dataToken());
        tokenEnd = now() + expires_in * 900;
      }
      sent = batch();
      if (sent[0]) await post(...request(sent), token);
      queue = queue.filter((item) => !sent.includes(item));
      sent = [];
      failures = 0;
      if (queue[0]) await send();
    } catch (problem) {
      judge(problem);
    }
    sent = [];
  }

  /** @param {any} problem */
  function judge(problem) {
    const { status, code, retryAfter = 0 } = Object(problem);
    const [first] = sent;
    const isRefused = first && status === 401;
    if (status >= 400 && status < 500 && status !== 429 && !isRefused) {
      const permission = code === "permission-missing" ? first?.permission : undefined;
      missing.add(permission);
      queue = queue.filter((item) => !sent.includes(item) && item.permission !== permission);
      closed = !first;
      return onProblem({ problem, permission, stopped: closed });
    }
    // A new token at once; if refused too, later.
    if (isRefused) token = "";
    const wait = isRefused && !failures ? 0 : Math.max(retryAfter, Math.min(60, 2 ** failures));
    failures++;
    pauseEnd = now() + wait * 1000 * (1 + Math.random() / 2);
  }

  const timer = setInterval(async () => {
    const isDue = queue.some(
      ({ permission, at }) => !calls.size || permission !== statistics || now() - at > every * 2000,
    );
    if (!isDue || busy || closed || now() < pauseEnd) return;
    busy = true;
    await send().finally(() => {
      busy = false;
    });
  }, 1000);

  /** What waits goes by beacons, which outlive the page. They have no headers, so they hold the token. */
  function farewell() {
    for (const session of calls.keys()) leave(session);
    queue = queue.filter((item) => !sent.includes(item));
    for (let items = batch(); token && items.length > 0; items = batch()) {
      const [url, body] = request(items);
      navigator.sendBeacon(url, JSON.stringify({ data_token: token, ...body }));
      queue = queue.filter((item) => !items.includes(item));
    }
  }

  /** @param {Q.Session} session */
  function leave(session, last = "") {
    event(session, "userLeft");
    event(session, last);
    calls.delete(session);
  }

  addEventListener("pagehide", farewell);

  return {
    event,
    watch(session, { conferenceID } = {}) {
      const join = () => {
        const connection = session.connection ?? Object(session.sessionDescriptionHandler).peerConnection;
        const { request, _request, invite } = Object(session);
        const { call_id, callId } = request ?? _request;
        if (closed || calls.has(session) || !connection) return;
        calls.set(session, conferenceID ?? call_id ?? callId);
        if (session.direction === "outgoing" || invite) event(session, "conferenceStarted");
        event(session, "userJoined");
        sample(connection, 1);
        connection.addEventListener("connectionstatechange", () => {
          event(session, Object(media)[connection.connectionState] ?? "");
        });
      };
      /** More often while the call is young. @type {(connection: RTCPeerConnection, pace: number) => Promise<void>} */
      const sample = async (connection, pace) => {
        const stats = [...(await connection.getStats()).values()]
          .filter(({ type, nominated }) => types.test(type) && nominated !== false)
          .map((one) => Object.fromEntries(Object.entries(one).filter(([name]) => members.test(name))));
        if (!calls.has(session)) return;
        if (stats[0]) put(statistics, { conferenceID: calls.get(session), stats });
        setTimeout(sample, pace * 1000, connection, Math.min(every, 2 * pace));
      };
      const ended = () => leave(session);
      session.on?.("accepted", join);
      session.on?.("ended", ended);
      session.on?.("muted", ({ audio }) => event(session, audio ? "audioMuted" : "videoMuted"));
      session.on?.("unmuted", ({ audio }) => event(session, audio ? "audioUnmuted" : "videoUnmuted"));
      session.stateChange?.addListener((state) => {
        if (state === "Established") join();
        if (state === "Terminated") ended();
      });
      if (session.state === "Established" || session.isEstablished?.()) join();
    },
    end: (session) => leave(session, "conferenceEnded"),
    close() {
      farewell();
      closed = true;
      clearInterval(timer);
      removeEventListener("pagehide", farewell);
    },
  };
}
