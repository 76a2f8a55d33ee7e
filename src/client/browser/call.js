/**
 * A click-to-call button by one tag, a classic script:
 *   <script src="call.js" data-number="+3225887000" data-credentials="/sip-credential" data-jssip="jssip.js"
 *     data-server="wss://sip.acme.example:8443"></script>
 * connect.js lies beside it. All attributes, texts, parts and custom properties: docs/browser.md.
 */
(() => {
  /** Not by `document.currentScript`: an image of that name, which a visitor may have written, would stand before it. */
  const script = /** @type {HTMLScriptElement} */ (Reflect.get(Document.prototype, "currentScript", document));

  const texts = new Map(
    Object.entries({
      call: "Call",
      hangup: "Hang up",
      mute: "Mute",
      keypad: "Keypad",
      microphone: "Allow the microphone, please.",
      connecting: "Connecting …",
      ringing: "Ringing …",
      talking: "Connected.",
      ended: "The call has ended.",
      busy: "The line is busy.",
      "no-answer": "Nobody answered.",
      rejected: "The call was not accepted.",
      unknown: "This number cannot be reached.",
      failed: "The call could not be made:",
      "microphone-denied": "The microphone is not allowed. Allow it for this page in the browser, then call again.",
      "microphone-missing": "There is no microphone. Connect one, then call again.",
      "microphone-busy": "The microphone cannot be used. Close other programs that use it, then call again.",
      misconfigured: "This button is not set up: its tag needs data-number or data-to, and data-credentials.",
      insecure: "Calls need a secure page (https).",
      unsupported: "This browser cannot make calls.",
      offline: "There is no network connection.",
      "library-missing": "The telephone on this page could not be loaded.",
      "server-unreachable": "The telephone server could not be reached. Try again later.",
      "connection-lost": "The connection was lost.",
    }),
  );

  /** Final statuses of SIP that have words of their own. @type {Record<number, string>} */
  const statuses = {
    404: "unknown",
    408: "no-answer",
    410: "unknown",
    480: "no-answer",
    484: "unknown",
    486: "busy",
    600: "busy",
    603: "rejected",
    604: "unknown",
  };

  /** @type {Record<string, string>} */
  const microphones = { NotAllowedError: "microphone-denied", NotFoundError: "microphone-missing" };

  const css = `
    :host { display: inline-block; font: var(--postern-font, inherit); color: var(--postern-text, inherit) }
    :host([data-theme]) .box { padding: .75em; border-radius: var(--postern-radius, .6em) }
    :host([data-theme=light]) .box { color: var(--postern-text, #1a1a1a); background: var(--postern-background, #fff) }
    :host([data-theme=dark]) .box { color: var(--postern-text, #f2f2f2); background: var(--postern-background, #1d1d20) }
    [hidden] { display: none !important }
    .row { display: flex; flex-wrap: wrap; gap: .5em; align-items: center }
    button { font: inherit; min-width: 44px; min-height: 44px; padding: .4em 1em; cursor: pointer; color: inherit;
      background: none; border: 1px solid; border-radius: var(--postern-radius, .6em) }
    button:focus-visible { outline: 3px solid var(--postern-focus, #1a73e8); outline-offset: 2px }
    button[aria-pressed=true], button[aria-expanded=true] { box-shadow: inset 0 0 0 2px }
    button[aria-disabled=true] { opacity: .6; cursor: not-allowed }
    .main { display: inline-flex; gap: .5em; align-items: center; font-weight: 600; border-color: transparent;
      color: var(--postern-on-color, #fff); background: var(--postern-color, #0b6b3a) }
    .main.busy { background: var(--postern-danger, #b3261e) }
    svg { width: 1.2em; height: 1.2em; fill: currentColor }
    .busy svg { rotate: 135deg }
    .keys { display: grid; grid-template-columns: repeat(3, 1fr); gap: .25em; max-width: 12em; margin-top: .5em }
    p { margin: .4em 0 0; min-height: 1.4em; max-width: 28em }
    @media (prefers-reduced-motion: no-preference) {
      .main { transition: background .2s }
      .ringing svg { animation: ring .6s infinite alternate } @keyframes ring { to { opacity: .3 } }
    }`;

  const handset =
    "M6.6 10.8a15.5 15.5 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11.4 11.4 0 0 0 3.6.57 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 3 4a1 1 0 0 1 1-1h3.5a1 1 0 0 1 1 1c0 1.25.2 2.45.57 3.57a1 1 0 0 1-.25 1z";

  /** @param {string} name */
  const given = (name) => script.getAttribute(`data-${name}`) ?? undefined;

  /** In the page's words or ours. @param {string} code */
  const known = (code) => given(`text-${code}`) ?? texts.get(code);
  /** The same, or why the call failed in somebody else's. @type {(code: string, sentence?: string) => string} */
  const words = (code, sentence) => (code !== "failed" && known(code)) || `${known("failed")} ${sentence || code}`;

  class CannotCall extends Error {
    constructor(code = "", sentence = "") {
      super(sentence);
      this.code = code;
    }
  }

  /** Why this page cannot call at all. */
  function obstacle() {
    if (!isSecureContext) return "insecure";
    return navigator.mediaDevices && globalThis.RTCPeerConnection ? undefined : "unsupported";
  }

  const incomplete = () => !(given("number") || given("to")) || !given("credentials");

  const microphone = () =>
    navigator.mediaDevices.getUserMedia({ audio: true }).catch((fault) => {
      throw new CannotCall(microphones[fault.name] ?? "microphone-busy");
    });

  const notLoaded = () => new CannotCall(navigator.onLine ? "library-missing" : "offline");

  /** JsSIP: the page's own, or loaded now. @returns {Promise<import("./connect.js").ConnectOptions["jssip"]>} */
  const library = () =>
    new Promise((resolve, reject) => {
      const loaded = () => Object(window).JsSIP;
      if (loaded()) return resolve(loaded());
      const tag = document.createElement("script");
      tag.onload = () => (loaded() ? resolve(loaded()) : tag.onerror?.("empty"));
      tag.onerror = () => reject(notLoaded());
      tag.nonce = script.nonce;
      const integrity = given("jssip-integrity");
      if (integrity) Object.assign(tag, { crossOrigin: "anonymous", integrity });
      tag.src = given("jssip") ?? "jssip.js";
      document.head.append(tag);
    });

  let failures = 0;
  /** Browsers remember a module that could not be loaded, by its URL. @returns {Promise<typeof import("./connect.js")>} */
  const helper = () =>
    import(new URL(`connect.js${failures ? `?${failures}` : ""}`, script.src).href).catch(() => {
      failures++;
      throw notLoaded();
    });

  /** One call, from the press to its end. Everything it began ends with it. */
  class Attempt {
    /** @type {MediaStream | undefined} */
    #stream;
    /** @type {import("./connect.js").Phone | undefined} */
    #phone;
    /** @type {import("jssip/lib/RTCSession.js").RTCSession | undefined} */
    session;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    #timer;
    #over = false;
    #tell;

    /** @param {(state: string, sentence?: string) => void} tell Of each state: `connecting`, `ringing`, `talking`, or why it is over. */
    constructor(tell) {
      this.#tell = tell;
      this.#place().catch((fault) => this.end(fault.code ?? "failed", fault.message));
    }

    async #place() {
      const cannot = obstacle() ?? (incomplete() ? "misconfigured" : undefined);
      if (cannot) throw new CannotCall(cannot);
      this.#tell("microphone");
      this.#stream = await microphone();
      if (this.#over) return this.#silence();
      this.#tell("connecting");
      this.#patience(20, "server-unreachable");
      const [{ connect }, jssip] = await Promise.all([helper(), library()]);
      if (this.#over) return;
      const phone = this.#connect(connect, jssip);
      await phone.ready;
      const session = await phone.call(given("number") ?? given("to") ?? "", { mediaStream: this.#stream });
      this.#follow(session);
    }

    /** @param {typeof import("./connect.js").connect} connect @param {import("./connect.js").ConnectOptions["jssip"]} jssip */
    #connect(connect, jssip) {
      const [servers, uri, exchange] = [given("server")?.match(/\S+/g), given("uri"), given("exchange")];
      const options = {
        ...(servers && { servers }),
        ...(uri && { uri }),
        ...(exchange && { exchange }),
      };
      const phone = connect({ jssip, credentials: given("credentials") ?? "", register: false, ...options });
      this.#phone = phone;
      /** @param {CustomEvent<import("./connect.js").Trouble>} event */
      const hopeless = ({ detail }) => this.session?.isEstablished() || this.end(detail.code, detail.sentence);
      // Each server is tried once; how many the site's answer names is not known.
      let tries = servers?.length ?? 2;
      phone.addEventListener("trouble", hopeless);
      phone.addEventListener("disconnected", (event) => (!this.session && --tries > 0) || hopeless(event));
      phone.addEventListener("refused", hopeless);
      phone.addEventListener("closed", ({ detail }) => this.end(detail.code, detail.sentence));
      return phone;
    }

    /** @param {import("jssip/lib/RTCSession.js").RTCSession} session */
    #follow(session) {
      this.session = session;
      const audio = new Audio();
      audio.autoplay = true;
      session.connection.addEventListener("track", ({ track }) => {
        audio.srcObject = new MediaStream([track]);
      });
      session.on("icecandidate", ({ ready }) => setTimeout(ready, 3_000));
      session.on("sending", () => this.#patience(Number(given("ring") ?? 60), "no-answer"));
      session.on("progress", () => this.#tell("ringing"));
      session.on("accepted", () => {
        clearTimeout(this.#timer);
        this.#tell("talking");
      });
      session.on("ended", () => this.end("ended"));
      session.on("failed", ({ message, cause }) => {
        const status = Number(Object(message).status_code);
        this.end(statuses[status] ?? "failed", `${cause} ${status || ""}`.trim());
      });
    }

    /** @param {number} seconds @param {string} code */
    #patience(seconds, code) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.end(code), seconds * 1000);
    }

    /** In the sound where that is agreed on (RFC 4733), else by INFO. @param {string} tone */
    dial(tone) {
      const inSound = this.session?.connection.getSenders().some(({ dtmf }) => dtmf?.canInsertDTMF);
      this.session?.sendDTMF(tone, { transportType: /** @type {never} */ (inSound ? "RFC2833" : "INFO") });
    }

    #silence() {
      for (const track of this.#stream?.getTracks() ?? []) track.stop();
    }

    end(code = "ended", sentence = "") {
      if (this.#over) return;
      this.#over = true;
      clearTimeout(this.#timer);
      this.#silence();
      this.#phone?.close();
      this.#tell(code, sentence);
    }
  }

  /** @param {string} name @param {object} [properties] @param {(Node | string)[]} children */
  function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(properties)) made.setAttribute(attribute, value);
    made.append(...children);
    return made;
  }

  function icon() {
    const [svg, path] = ["svg", "path"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
    svg?.setAttribute("viewBox", "0 0 24 24");
    svg?.setAttribute("aria-hidden", "true");
    path?.setAttribute("d", handset);
    svg?.append(path ?? "");
    return svg ?? "";
  }

  const underWay = ["microphone", "connecting", "ringing", "talking"];

  class CallButton {
    host = element("span");
    #label = element("span");
    #main = element("button", { type: "button", part: "button", class: "main" }, icon(), this.#label);
    #mute = element("button", { type: "button", part: "mute", "aria-pressed": "false" }, words("mute"));
    #toggle = element("button", { type: "button", part: "keypad-button", "aria-expanded": "false" }, words("keypad"));
    #clock = element("span", { role: "timer", part: "timer" });
    #more = element("span", { class: "row", part: "controls" }, this.#mute, this.#toggle, this.#clock);
    #keys = element("div", { class: "keys", role: "group", part: "keypad", "aria-label": words("keypad") });
    #status = element("p", { role: "status", part: "status" });
    /** @type {Attempt | undefined} */
    #attempt;
    #since = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    #ticking;

    constructor() {
      const root = this.host.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
      root.adoptedStyleSheets = [sheet];
      this.host.lang = given("lang") ?? "en";
      if (given("theme")) this.host.dataset.theme = given("theme");
      const row = element("div", { class: "row" }, this.#main, this.#more);
      root.append(element("div", { class: "box", part: "box" }, row, this.#keys, this.#status));
      for (const key of "123456789*0#") this.#keys.append(this.#key(key));
      this.#main.onclick = ({ detail }) => this.#press(detail);
      this.#main.onkeydown = (event) => {
        if (event.repeat) event.preventDefault(); // a key that is held is one press
      };
      this.#mute.onclick = () => this.#toggleMute();
      this.#toggle.onclick = () => this.#showKeys(this.#keys.hidden === true);
      this.#show("");
      this.#look();
      addEventListener("online", () => this.#look());
      addEventListener("offline", () => this.#look());
    }

    /** What stands in the way is said before anybody presses. Without network a server on this very machine may answer. */
    #look() {
      if (this.#attempt) return;
      const cannot = obstacle();
      const said = cannot ?? (navigator.onLine ? undefined : "offline");
      this.#main.ariaDisabled = `${cannot !== undefined}`;
      this.#status.textContent = said ? words(said) : "";
    }

    /** The second half of a double click is not meant. @param {number} times */
    #press(times) {
      if (times > 1) return;
      if (this.#attempt) this.#attempt.end("ended");
      else this.#attempt = new Attempt((state, sentence) => this.#hear(state, sentence));
    }

    /** @param {string} state @param {string} [sentence] */
    #hear(state, sentence) {
      if (!underWay.includes(state)) this.#attempt = undefined;
      this.#show(state, sentence);
      this.host.dispatchEvent(new CustomEvent("postern-call", { detail: { state }, bubbles: true }));
    }

    #show(state = "", sentence = "") {
      const busy = underWay.includes(state);
      const talking = state === "talking";
      this.#main.className = `main ${busy ? "busy" : ""} ${state === "ringing" ? "ringing" : ""}`;
      this.#label.textContent = busy ? words("hangup") : (given("label") ?? words("call"));
      this.#status.textContent = state && words(state, sentence);
      this.#more.hidden = !talking;
      this.#toggle.hidden = given("keypad") === undefined;
      this.#showKeys(false);
      this.#mute.ariaPressed = "false";
      clearInterval(this.#ticking);
      if (!talking) return;
      this.#since = Date.now();
      this.#tick();
      this.#ticking = setInterval(() => this.#tick(), 1_000);
    }

    #tick() {
      const seconds = Math.round((Date.now() - this.#since) / 1000);
      this.#clock.textContent = `${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, "0")}`;
    }

    #toggleMute() {
      const mute = this.#mute.ariaPressed !== "true";
      if (mute) this.#attempt?.session?.mute({ audio: true });
      else this.#attempt?.session?.unmute({ audio: true });
      this.#mute.ariaPressed = `${mute}`;
    }

    /** @param {boolean} shown */
    #showKeys(shown) {
      this.#keys.hidden = !shown;
      this.#toggle.ariaExpanded = `${shown}`;
    }

    /** @param {string} tone */
    #key(tone) {
      const key = element("button", { type: "button", part: "key" }, tone);
      key.onclick = () => this.#attempt?.dial(tone);
      return key;
    }
  }

  const { host } = new CallButton();
  const place = () => {
    const found = given("in") && document.querySelector(given("in") ?? "");
    if (found) found.append(host);
    else if (document.head.contains(script)) document.body.append(host);
    else script.after(host);
  };
  if (document.readyState === "loading" && (given("in") || document.head.contains(script))) {
    document.addEventListener("DOMContentLoaded", place);
  } else place();
})();
