/** @import * as I from "./internal.js" */
/** JsSIP with a credential that is renewed and a connection that comes back: docs/browser.md, connect.d.ts. */

/** Of somebody else's text: no control or direction characters, and an end. @param {unknown} text */
const plain = (text) =>
  `${text}`
    .replace(/\p{C}+/gu, " ")
    .trim()
    .slice(0, 300);

class Fault extends Error {
  /** wait: seconds; absent: another try is of no use. @param {string} code @param {unknown} sentence @param {number} [wait] */
  constructor(code, sentence, wait) {
    super(plain(sentence));
    this.code = code;
    this.wait = wait;
  }
}

/** @param {Fault} fault */
const told = ({ code, message: sentence }) => ({ code, sentence });

/** @type {I.FieldsOf} */
const fields = (value) => Object(value);

/** Ends no quoted string and no line of SIP. @param {unknown} value */
const safe = (value) => (typeof value === "string" && /^[!#-[\]-~]{1,8192}$/.test(value) ? value : undefined);

/** @param {unknown} value */
const list = (value) => (Array.isArray(value) ? value.slice(0, 16) : []);

const unreadable = (why = "") =>
  new Fault("credentials-unreadable", `The site gave no credential that can be used: ${why}.`, 0);

/** Of a JWT, unproved. */
function claims(token = "") {
  try {
    return fields(JSON.parse(atob(token.split(".")[1]?.replace(/-/g, "+").replace(/_/g, "/") ?? "")));
  } catch {
    return {};
  }
}

/** @type {I.ProofOf} */
function proofOf({ token, access_token, key, expires, username, password }) {
  const jwt = safe(token ?? access_token);
  if (jwt) return { proof: { authorization_jwt: `Bearer ${jwt}` }, stamp: claims(jwt).exp, user: claims(jwt).sub };
  const authorization_user = safe(key ? `${expires}:${username}` : username);
  const secret = safe(key ?? password);
  const [, stamp, user] = /^(\d+):([^;]*)/.exec(`${authorization_user}`) ?? [];
  return authorization_user && secret ? { proof: { authorization_user, password: secret }, stamp, user } : undefined;
}

/** @type {I.Read} */
function read(answer, now) {
  const given = fields(answer);
  const found = proofOf(given);
  const ttl = Number(given.ttl ?? given.expires_in ?? Number(found?.stamp) - now);
  if (!found || !(ttl > 0)) throw unreadable(found ? "no time is left" : "it is not there");
  const after = Number(given.refreshAfter) || Infinity;
  return {
    proof: found.proof,
    uri: safe(given.uri) ?? safe(`sip:${found.user}`),
    servers: list(given.uris).filter(safe),
    iceServers: list(given.iceServers),
    ttl,
    renewIn: Math.max(1, Math.min(after, ttl * 0.75, 86_400)),
    at: Date.now(),
  };
}

/** @type {I.Ask} */
async function ask(url, init) {
  const response = await fetch(url, { cache: "no-store", ...init });
  const { status, ok, headers } = response;
  const answer = await response.json().catch(() => undefined);
  if (ok && answer) return [answer, (Date.parse(headers.get("Date") ?? "") || Date.now()) / 1000];
  if (ok) throw unreadable("it is no JSON");
  const { detail, error_description, error } = fields(answer);
  const said = detail ?? error_description ?? error ?? `The site answered ${status} and gave no credential.`;
  if (status < 500 && ![408, 425, 429].includes(status)) throw new Fault("credentials-denied", said);
  throw new Fault("credentials-unavailable", said, Number(headers.get("Retry-After")) || 0);
}

/** @type {I.Show} */
const shown = ({ authorization_jwt: token, authorization_user: username, password }) =>
  token
    ? { headers: { authorization: `${token}` } }
    : { headers: { "content-type": "application/json" }, body: JSON.stringify({ username, password }) };

/** @type {I.Asked} */
async function asked({ credentials, exchange }, signal) {
  const own = typeof credentials === "function";
  const given = own
    ? read(await credentials(signal), Date.now() / 1000)
    : read(...(await ask(credentials, { signal })));
  if (!exchange) return given;
  return read(...(await ask(exchange, { method: "POST", credentials: "omit", signal, ...shown(given.proof) })));
}

/** @type {I.Asked} */
async function obtain(options, ended) {
  const signal = AbortSignal.any([ended, AbortSignal.timeout(options.timeout ?? 10_000)]);
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => signal.addEventListener("abort", reject));
  return Promise.race([asked(options, signal), late]).catch((fault) => {
    if (fault instanceof Fault) throw fault;
    const why = signal.aborted ? "did not answer in time" : "could not be reached";
    throw offline() ?? new Fault("credentials-unavailable", `The site's server for credentials ${why}.`, 0);
  });
}

const offline = () =>
  globalThis.navigator?.onLine === false
    ? new Fault("offline", "This device has no network connection.", 0)
    : undefined;

/** Seconds after `failures` failures, in part by chance, so that pages do not come back all at once. */
const backOff = (failures = 0, least = 2) => Math.min(30, least * 2 ** failures) * (0.5 + Math.random() / 2);

/** Until then, until the network is back, or until all is over. @type {I.Pause} */
const pause = (seconds, signal) =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(seconds, 86_400) * 1000); // a longer one is over at once
    globalThis.addEventListener?.("online", end);
    signal.addEventListener("abort", end);
  });

/** A socket that closed. */
function explain(status = 1006, reason = "", opened = false) {
  const [, code, sentence] = /^([a-z-]{1,40}): (.+)/s.exec(reason) ?? [];
  if (code) return new Fault(code, sentence);
  if (opened) return offline() ?? new Fault("connection-lost", `The telephone server is gone (${status}).`);
  return offline() ?? new Fault("server-unreachable", "The telephone server could not be reached.");
}

/** A request that the gateway refused. @type {I.RefusedIn} */
function refusedIn(message) {
  const [head = ""] = message.split("\r\n\r\n", 1);
  const field = (name = "") => plain(new RegExp(`^${name} *:(.*)$`, "im").exec(head)?.[1] ?? "");
  const status = Number(/^SIP\/2\.0 ([3-6]\d\d) /.exec(head)?.[1]);
  const code = /^[a-z-]{1,40}$/.exec(field("Postern-Code"))?.[0];
  if (!status || !code) return undefined;
  const sentence = /^399 postern "(.*)"$/.exec(field("Warning"))?.[1] ?? code;
  const retryIn = Number.parseInt(field("Retry-After"), 10);
  const method = field("CSeq").split(" ")[1] ?? "";
  return { method, callId: field("Call-ID"), status, code, sentence, ...(retryIn >= 0 && { retryIn }) };
}

class Phone extends EventTarget {
  #options;
  #end = new AbortController();
  #signal = this.#end.signal;
  /** @type {I.Credential | undefined} */
  #credential;
  /** @type {Promise<void> | undefined} */
  #renewing;
  #timer = 0;
  /** @type {WebSocket | undefined} */
  #socket;
  /** The server that is tried, how often in vain, seconds to the next attempt. */
  #server = 0;
  #failures = 0;
  #wait = 0;
  /** JsSIP's attempts: an older one is void. */
  #attempt = 0;
  /** What JsSIP takes for a socket; it stays while WebSockets come and go. @type {I.Line} */
  #line = Object({
    url: "postern",
    sip_uri: "sip:postern.invalid;transport=ws",
    via_transport: "WSS",
    connect: () => this.#open(++this.#attempt),
    disconnect: () => this.#drop(),
    send: (message = "") => {
      this.#socket?.send(message);
      return true;
    },
  });
  /** @type {I.UA | undefined} */
  ua;

  /** @param {I.Options} options */
  constructor(options) {
    super();
    if (!options?.jssip?.UA || !options.credentials) throw new TypeError("connect() needs jssip and credentials");
    this.#options = options;
    this.ready = new Promise((resolve, reject) => {
      this.addEventListener("connected", () => resolve(this.ua));
      this.#signal.addEventListener("abort", () => reject(this.#signal.reason));
    });
    this.ready.catch(() => undefined); // who does not wait for it is told by the event
    this.#renew();
  }

  get iceServers() {
    return this.#credential?.iceServers ?? [];
  }

  /** @type {I.Call} */
  async call(target, options) {
    const ua = await this.ready;
    await this.#fresh();
    this.#signal.throwIfAborted();
    return ua.call(target, this.#media(options));
  }

  /** @type {I.Answer} */
  answer(session, options) {
    session.answer(this.#media(options));
  }

  close() {
    this.#stop(new Fault("closed", "The page ended the connection."));
  }

  /** @param {object} [options] */
  #media(options) {
    return { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: this.iceServers }, ...options };
  }

  #tell(name = "", detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Whether that part of its life is over. The page's clock goes on while a laptop sleeps. */
  #over(part = 1) {
    const { at, ttl } = this.#credential ?? { at: 0, ttl: 0 };
    return Date.now() >= at + ttl * part * 1000;
  }

  async #fresh() {
    if (this.#over()) await this.#renew();
  }

  /** One at a time. */
  #renew() {
    clearTimeout(this.#timer);
    this.#renewing ??= this.#obtain().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #obtain() {
    for (let failures = 0; !this.#signal.aborted; failures++) {
      try {
        return this.#take(await obtain(this.#options, this.#signal));
      } catch (thrown) {
        const fault = /** @type {Fault} */ (thrown);
        if (this.#signal.aborted) return;
        if (fault.wait === undefined) return this.#socket ? this.#tell("trouble", told(fault)) : this.#stop(fault);
        const retryIn = Math.max(fault.wait, backOff(failures));
        this.#tell("trouble", { ...told(fault), retryIn });
        await pause(retryIn, this.#signal);
      }
    }
  }

  /** @param {I.Credential} credential */
  #take(credential) {
    const { ttl, renewIn } = credential;
    if (this.#signal.aborted) return;
    this.#credential = credential;
    this.#timer = Number(setTimeout(() => this.#renew(), renewIn * 1000));
    if (this.ua) this.#show();
    else this.#start(credential);
    this.#tell("renewed", { ttl, renewIn });
  }

  /** JsSIP forgets the password after each success, and a stale challenge can bring an old one back. */
  #show() {
    for (const [name, value] of Object.entries(this.#credential?.proof ?? {})) {
      this.ua?.set(/** @type {"password"} */ (name), value);
    }
  }

  /** @param {I.Credential} credential */
  #start({ proof, uri = "" }) {
    const { jssip, configuration, register = true } = this.#options;
    const recovery = { connection_recovery_min_interval: 1, connection_recovery_max_interval: 1 };
    const sockets = [this.#line];
    try {
      if (!this.#servers()[0]) throw unreadable("it names no server, nor does the page");
      this.ua = new jssip.UA({
        uri: this.#options.uri ?? uri,
        register,
        ...configuration,
        ...proof,
        ...recovery,
        sockets,
      });
      this.ua.on("registrationFailed", ({ response }) => this.#registerAgain(response));
      this.ua.start();
    } catch (fault) {
      this.#stop(fault);
    }
  }

  #servers() {
    return [this.#options.servers ?? this.#credential?.servers ?? []].flat();
  }

  async #open(attempt = 0) {
    await pause(this.#wait - 1, this.#signal);
    await this.#fresh();
    if (attempt !== this.#attempt || this.#signal.aborted) return;
    const servers = this.#servers();
    const server = servers[this.#server % servers.length] ?? "";
    this.#line.via_transport = /^wss:/i.test(server) ? "WSS" : "WS";
    try {
      this.#socket = new WebSocket(server, "sip");
      this.#listen(this.#socket, server);
    } catch (fault) {
      this.#stop(fault);
    }
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
    socket.onmessage = ({ data }) => this.#hear(data.at ? data : new TextDecoder().decode(data));
    socket.onclose = ({ code, reason }) => {
      if (opened && Date.now() - opened > 5_000) this.#failures = 0;
      this.#lost(code, reason, opened > 0);
    };
  }

  #hear(message = "") {
    this.#failures = 0;
    this.#show();
    const refused = refusedIn(message);
    if (refused) this.#tell("refused", refused);
    this.#line.ondata(message);
  }

  #lost(code = 1006, reason = "", opened = false) {
    this.#socket = undefined;
    const fault = explain(code, reason, opened);
    const slow = [1008, 1013, 4429].includes(code);
    if (!slow && code !== 4401) this.#server++;
    this.#wait = backOff(this.#failures++, slow ? 10 : 2);
    if (code === 4403) this.#stop(fault);
    else this.#tell("disconnected", { ...told(fault), retryIn: this.#wait });
    if (code === 4401 && this.#credential) this.#credential.at = 0;
    this.#fresh();
    this.#line.ondisconnect(true, code, reason);
  }

  /** JsSIP itself does not. @param {I.Answered} response */
  async #registerAgain(response) {
    const expired = response?.getHeader("Postern-Code") === "credential-expired";
    if (expired ? !this.#over(0.5) : response && response.status_code < 500) return;
    if (expired) {
      await this.#renew();
      if (this.#over(0.5)) return;
    } else await pause(Math.max(Number(response?.getHeader("Retry-After")) || 0, backOff(1)), this.#signal);
    if (!this.#signal.aborted && this.ua?.isConnected() && !this.ua.isRegistered()) this.ua.register();
  }

  #drop() {
    this.#attempt++;
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) socket.onclose = null;
    socket?.close();
  }

  /** @param {unknown} thrown */
  #stop(thrown) {
    if (this.#signal.aborted) return;
    const fault = thrown instanceof Fault ? thrown : new Fault("misconfigured", thrown);
    clearTimeout(this.#timer);
    this.#end.abort(fault);
    this.#tell("closed", told(fault));
    this.ua?.stop();
  }
}

/** @type {(options: I.Options) => unknown} */
const make = (options) => new Phone(options);
export const connect = /** @type {I.Connect} */ (make);
