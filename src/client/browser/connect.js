/**
 * JsSIP with a credential that is renewed and a connection that comes back. One file, nothing to build, nothing else to
 * install but JsSIP. Options and events: connect.d.ts; use: docs/browser.md. Nothing is logged, nothing stored. MIT.
 */

/** @typedef {import("./connect.js").ConnectOptions} ConnectOptions */
/** @typedef {import("./connect.js").Trouble} Trouble */
/** @typedef {import("jssip/lib/UA.js").UA} UA */
/** @typedef {{ proof: Record<string, string>, uri: string | undefined, servers: string[], iceServers: import("./connect.js").IceServer[], ttl: number, renewIn: number, at: number }} Credential */

/** Seconds: the first wait, and the longest; where the gateway asked for patience, the first. */
const first = 1;
const longest = 30;
const patient = 5;

/** Seconds after `failures` failures, half of them by chance, so that pages do not come back all at once. */
const backOff = (/** @type {number} */ failures, least = first) =>
  Math.min(longest, least * 2 ** failures) * (0.5 + Math.random() / 2);

/** Text of somebody else's for people: no control or direction characters, and an end. */
const plain = (/** @type {unknown} */ text) =>
  String(text)
    .replace(/\p{C}+/gu, " ")
    .slice(0, 300)
    .trim();

class Fault extends Error {
  /** @param {string} code @param {string} sentence @param {{ final?: boolean, wait?: number }} [more] wait: seconds. */
  constructor(code, sentence, { final = false, wait = 0 } = {}) {
    super(plain(sentence));
    this.code = code;
    this.final = final;
    this.wait = wait;
  }
}

const fields = (/** @type {unknown} */ value) => /** @type {Record<string, unknown>} */ (Object(value));

/** Printable, without what would end a quoted string or a line of SIP. */
const safe = (/** @type {unknown} */ value) =>
  typeof value === "string" && /^[\x21\x23-\x5b\x5d-\x7e]{1,8192}$/.test(value) ? value : undefined;

const list = (/** @type {unknown} */ value) => (Array.isArray(value) ? value.slice(0, 16) : []);

/** Claims of a JWT, unproved: the gateway proves it. */
function claims(/** @type {string} */ token) {
  try {
    return fields(JSON.parse(atob((token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"))));
  } catch {
    return {};
  }
}

/** What kind of credential this is. @param {Record<string, unknown>} given */
function proofOf(given) {
  const token = safe(given.token) ?? safe(given.access_token);
  if (token)
    return { proof: { authorization_jwt: `Bearer ${token}` }, stamp: claims(token).exp, user: claims(token).sub };
  const { key, expires } = given;
  const username = key ? safe(`${expires}:${given.username}`) : safe(given.username);
  const password = safe(key ?? given.password);
  if (!username || !password) return undefined;
  const [, stamp, user] = /^(\d+):([^;]*)/.exec(username) ?? [];
  return { proof: { authorization_user: username, password }, stamp, user };
}

/**
 * What was given, read member by member. now: the server's clock, Unix seconds.
 * @param {unknown} answer @param {number} now @returns {Credential}
 */
function read(answer, now) {
  const given = fields(answer);
  const found = proofOf(given);
  const ttl = Number(given.ttl ?? given.expires_in ?? Number(found?.stamp) - now);
  if (!found || !(ttl > 0))
    throw new Fault("credentials-unreadable", unreadable(found ? "no time left" : "none in it"));
  const after = Number(given.refreshAfter);
  const user = safe(found.user);
  return {
    proof: found.proof,
    uri: safe(given.uri) ?? (user?.includes("@") ? `sip:${user}` : undefined),
    servers: list(given.uris).filter((one) => safe(one) && /^wss?:\/\//.test(one)),
    iceServers: list(given.iceServers).map(({ urls, username, credential }) => ({ urls, username, credential })),
    ttl,
    renewIn: Math.max(1, Math.min(after > 0 && after < ttl ? after : ttl * 0.75, 86_400)),
    at: Date.now(),
  };
}

const unreadable = (/** @type {string} */ why) =>
  `The credential that the site gave cannot be used (${why}): expected is {username, password, ttl}, {key, expires, username} or {token}.`;

/** @param {Response} response @param {string} text */
function refusal(response, text) {
  const { status } = response;
  let said;
  try {
    const { detail, error_description, error } = fields(JSON.parse(text));
    said = detail ?? error_description ?? error;
  } catch {
    said = undefined;
  }
  const final = status < 500 && ![408, 425, 429].includes(status);
  const sentence = typeof said === "string" ? said : `The site answered ${status} instead of giving a credential.`;
  const wait = Number(response.headers.get("Retry-After")) || 0;
  return new Fault(final ? "credentials-denied" : "credentials-unavailable", sentence, { final, wait });
}

/** @param {string | URL} url @param {RequestInit} init @returns {Promise<[answer: unknown, now: number]>} */
async function fetchJson(url, init) {
  const response = await fetch(url, { cache: "no-store", ...init });
  const text = await response.text();
  if (!response.ok) throw refusal(response, text);
  const now = (Date.parse(response.headers.get("Date") ?? "") || Date.now()) / 1000;
  try {
    return [JSON.parse(text), now];
  } catch {
    throw new Fault("credentials-unreadable", unreadable("it is no JSON"));
  }
}

/** The exchange takes a password or a token. @param {string | URL} url @param {Credential} credential @param {AbortSignal} signal */
function exchanged(url, { proof }, signal) {
  const { authorization_jwt, authorization_user: username, password } = proof;
  /** @type {Record<string, string>} */
  const headers = authorization_jwt ? { authorization: authorization_jwt } : { "content-type": "application/json" };
  const body = authorization_jwt ? null : JSON.stringify({ username, password });
  return fetchJson(url, { method: "POST", credentials: "omit", headers, body, signal });
}

/** @param {ConnectOptions} options @param {AbortSignal} ended @returns {Promise<Credential>} */
async function obtain({ credentials, exchange, timeout = 10_000 }, ended) {
  const late = AbortSignal.timeout(timeout);
  const signal = AbortSignal.any([ended, late]);
  const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const asked = async () => {
    const own = typeof credentials === "function";
    const given = own ? await credentials(signal).then(here) : await fetchJson(credentials, { signal });
    const credential = read(...given);
    return exchange ? read(...(await exchanged(exchange, credential, signal))) : credential;
  };
  return /** @type {Promise<Credential>} */ (Promise.race([asked(), aborted]));
}

/** @param {unknown} answer @returns {[unknown, number]} */
const here = (answer) => [answer, Date.now() / 1000];

const online = () => globalThis.navigator?.onLine !== false;

/** @param {unknown} fault */
function faultOf(fault) {
  if (fault instanceof Fault) return fault;
  if (!online()) return new Fault("offline", "This device has no network connection.");
  const late = /** @type {Error} */ (fault)?.name === "TimeoutError";
  const why = late ? "did not answer in time" : "could not be reached";
  return new Fault("credentials-unavailable", `The site's server for credentials ${why}.`);
}

/** Until then, or until the network is back or all is over. @param {number} seconds @param {AbortSignal} signal @returns {Promise<void>} */
const pause = (seconds, signal) =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, seconds * 1000);
    globalThis.addEventListener?.("online", end);
    signal.addEventListener("abort", end);
  });

/** What a closed socket means. @param {number} code @param {string} reason @param {boolean} opened */
function explain(code, reason, opened) {
  const [, name, said] = /^([a-z-]{1,40}): (.+)$/.exec(reason) ?? [];
  if (name && said) return { code: name, sentence: plain(said) };
  if (!online()) return { code: "offline", sentence: "This device has no network connection." };
  if (opened) return { code: "connection-lost", sentence: `The connection to the telephone server ended (${code}).` };
  return { code: "server-unreachable", sentence: "The telephone server could not be reached." };
}

/** What the gateway says of a request that it refused. @param {string} message */
function refusedIn(message) {
  const head = message.split("\r\n\r\n", 1)[0] ?? "";
  const field = (/** @type {string} */ name) => new RegExp(`^${name} *: *(.*)$`, "im").exec(head)?.[1]?.trim() ?? "";
  const status = Number(/^SIP\/2\.0 ([3-6]\d\d) /.exec(head)?.[1]);
  const code = /^[a-z-]{1,40}$/.exec(field("Postern-Code"))?.[0];
  if (!status || !code) return undefined;
  const sentence = plain(/^399 postern "(.*)"$/.exec(field("Warning"))?.[1] ?? code);
  const retryIn = Number.parseInt(field("Retry-After"), 10);
  const method = plain(field("CSeq").split(" ")[1]);
  return { method, status, code, sentence, callId: plain(field("Call-ID")), ...(retryIn >= 0 && { retryIn }) };
}

class Phone extends EventTarget {
  #options;
  #ended = new AbortController();
  /** @type {Credential | undefined} */
  #credential;
  /** @type {Promise<void> | undefined} */
  #renewing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {WebSocket | undefined} */
  #socket;
  /** Which server is tried, and how often in vain. */
  #server = 0;
  #failures = 0;
  /** Seconds that JsSIP's next attempt waits. */
  #wait = 0;
  /** @type {UA | undefined} */
  ua;
  /** What JsSIP takes for a socket: it stays while WebSockets come and go. */
  #line = {
    url: "wss://postern.invalid",
    sip_uri: "sip:postern.invalid;transport=ws",
    via_transport: "WSS",
    onconnect: () => {},
    ondisconnect: (/** @type {boolean} */ _error, /** @type {number} */ _code, /** @type {string} */ _reason) => {},
    ondata: (/** @type {unknown} */ _data) => {},
    connect: () => void this.#open(),
    disconnect: () => this.#drop(),
    send: (/** @type {string} */ message) => {
      const open = this.#socket?.readyState === 1;
      if (open) this.#socket?.send(message);
      return open;
    },
  };

  /** @param {ConnectOptions} options */
  constructor(options) {
    super();
    if (!options?.jssip?.UA || !options.credentials) throw new TypeError("connect() needs jssip and credentials");
    this.#options = options;
    /** @type {Promise<UA>} */
    this.ready = new Promise((resolve, reject) => {
      this.addEventListener("connected", () => this.ua && resolve(this.ua));
      this.addEventListener("closed", (event) => {
        const { code, sentence } = /** @type {CustomEvent<Trouble>} */ (event).detail;
        reject(new Fault(code, sentence));
      });
    });
    this.ready.catch(() => {}); // who does not wait for it hears of it by the event
    void this.#renew();
  }

  get iceServers() {
    return this.#credential?.iceServers ?? [];
  }

  /** @param {string} target @param {import("jssip/lib/UA.js").CallOptions} [options] */
  async call(target, options) {
    const ua = await this.ready;
    if (this.#age() >= (this.#credential?.renewIn ?? 0)) await this.#renew();
    return ua.call(target, this.#media(options));
  }

  /** @param {import("jssip/lib/RTCSession.js").RTCSession} session @param {import("jssip/lib/RTCSession.js").AnswerOptions} [options] */
  answer(session, options) {
    session.answer(this.#media(options));
  }

  close() {
    this.#stop({ code: "closed", sentence: "The page closed the connection." });
  }

  /** @param {object} [options] */
  #media(options) {
    const pcConfig = { iceServers: /** @type {RTCIceServer[]} */ (this.iceServers) };
    return { mediaConstraints: { audio: true, video: false }, pcConfig, ...options };
  }

  /** @param {string} name @param {object} detail */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Seconds since there is this credential, by the page's clock, which counts while a laptop sleeps. */
  #age() {
    return (Date.now() - (this.#credential?.at ?? 0)) / 1000;
  }

  /** A new credential, asked for once at a time. */
  #renew() {
    clearTimeout(this.#timer);
    this.#renewing ??= this.#obtain().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #obtain() {
    const { signal } = this.#ended;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        return this.#take(await obtain(this.#options, signal));
      } catch (thrown) {
        if (signal.aborted) return;
        const fault = faultOf(thrown);
        const { code, message: sentence } = fault;
        if (fault.final && this.#socket?.readyState !== 1) return this.#stop({ code, sentence });
        if (fault.final) return this.#tell("trouble", { code, sentence });
        const retryIn = Math.max(fault.wait, backOff(failures));
        this.#tell("trouble", { code, sentence, retryIn });
        await pause(retryIn, signal);
      }
    }
  }

  /** @param {Credential} credential */
  #take(credential) {
    if (this.#ended.signal.aborted) return;
    this.#credential = credential;
    this.#timer = setTimeout(() => void this.#renew(), credential.renewIn * 1000);
    if (this.ua) this.#show();
    else this.#start(credential);
    this.#tell("renewed", { ttl: credential.ttl, renewIn: credential.renewIn });
  }

  /** Gives JsSIP the credential: it forgets the password after each success, and a stale challenge brings an old one back. */
  #show() {
    for (const [name, value] of Object.entries(this.#credential?.proof ?? {})) {
      this.ua?.set(/** @type {"password"} */ (name), value);
    }
  }

  /** @param {Credential} credential */
  #start({ proof, uri }) {
    const { jssip, configuration, register = true } = this.#options;
    const given = { register, ...configuration, ...proof, uri: this.#options.uri ?? uri ?? "" };
    const recovery = { connection_recovery_min_interval: 1, connection_recovery_max_interval: 1 };
    try {
      if (this.#servers().length === 0)
        throw new TypeError("no servers, neither as option nor as uris of the credential");
      this.ua = new jssip.UA({ ...given, ...recovery, sockets: [/** @type {never} */ (this.#line)] });
    } catch (fault) {
      return this.#stop({ code: "credentials-unreadable", sentence: plain(fault) });
    }
    this.ua.on("registrationFailed", ({ response }) => void this.#registerAgain(response));
    Object(this.ua).on("newTransaction", () => this.#show());
    this.ua.start();
  }

  #servers() {
    const { servers = [] } = this.#options;
    const own = [servers].flat();
    return own.length > 0 ? own : (this.#credential?.servers ?? []);
  }

  /** JsSIP wants a connection. */
  async #open() {
    const line = this.#line;
    const { signal } = this.#ended;
    await pause(this.#wait, signal);
    if (this.#age() >= (this.#credential?.renewIn ?? 0)) await this.#renew();
    if (signal.aborted) return;
    const servers = this.#servers();
    const server = servers[this.#server % servers.length] ?? "";
    try {
      this.#socket = new WebSocket(server, "sip");
    } catch (fault) {
      return this.#stop({ code: "server-unreachable", sentence: plain(fault) });
    }
    line.via_transport = server.startsWith("wss:") ? "WSS" : "WS";
    this.#listen(this.#socket, server);
  }

  /** @param {WebSocket} socket @param {string} server */
  #listen(socket, server) {
    let opened = 0;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      opened = Date.now();
      this.#line.onconnect();
      this.#tell("connected", { server });
    };
    socket.onmessage = ({ data }) => this.#hear(typeof data === "string" ? data : new TextDecoder().decode(data));
    socket.onclose = ({ code, reason }) => {
      if (opened && Date.now() - opened > 5_000) this.#failures = 0;
      this.#lost(code, reason, opened > 0);
    };
  }

  /** @param {string} message */
  #hear(message) {
    this.#failures = 0;
    const refused = refusedIn(message);
    if (refused) this.#tell("refused", refused);
    this.#line.ondata(message);
  }

  /** @param {number} code @param {string} reason @param {boolean} opened */
  #lost(code, reason, opened) {
    this.#socket = undefined;
    const trouble = explain(code, reason, opened);
    if (code === 4403) {
      this.#line.ondisconnect(true, code, reason);
      return this.#stop(trouble);
    }
    if (code === 4401 && this.#credential) this.#credential.at = 0;
    const slow = [1008, 1013, 4429].includes(code);
    if (!slow && code !== 4401) this.#server++;
    const elsewhere = code === 1001 && this.#servers().length > 1;
    this.#wait =
      this.#failures === 0 && !slow && (elsewhere || code === 4401)
        ? 0
        : backOff(this.#failures, slow ? patient : first);
    this.#failures++;
    this.#tell("disconnected", { ...trouble, retryIn: this.#wait });
    if (code === 4401) void this.#renew();
    this.#line.ondisconnect(true, code, reason);
  }

  /** JsSIP gives up where a REGISTER fails. @param {import("jssip/lib/SIPMessage.js").IncomingResponse | null} response */
  async #registerAgain(response) {
    const { signal } = this.#ended;
    const ended = response?.getHeader("Postern-Code") === "credential-expired";
    if (ended && this.#age() > (this.#credential?.renewIn ?? 0) / 2) await this.#renew();
    else if (!ended && (!response || response.status_code >= 500)) {
      await pause(Math.max(Number.parseInt(response?.getHeader("Retry-After") ?? "0", 10) || 0, backOff(2)), signal);
    } else return;
    if (!signal.aborted && this.ua?.isConnected()) this.ua.register();
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {Trouble} trouble */
  #stop(trouble) {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    clearTimeout(this.#timer);
    this.ua?.stop();
    this.#tell("closed", trouble);
  }
}

/** @param {ConnectOptions} options */
export const connect = (options) =>
  /** @type {import("./connect.js").Phone} */ (/** @type {unknown} */ (new Phone(options)));
