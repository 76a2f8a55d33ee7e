/**
 * What a page does that was written for Voxbone's library, in the library's order and under its names, over the JsSIP of
 * today. It tells what happens to it. settings: gateway (http origin), raw (the key is written as it is), heedless (a
 * refusal is not looked at, as the library's first generations have it), configuration (over the library's own).
 */
const { gateway, raw = false, heedless = false, configuration = {} } = globalThis.settings;
const domain = "voxout.postern.example";

globalThis.voxbone = {
  WebRTC: {
    authServerURL: `${gateway}/rest/authentication/createToken`,
    preferedPop: "BE",
    context: "order=4711",
    configuration: { uri: "sip:voxrtc@voxbone.com", register: false, ...configuration },
    phone: undefined,
    session: undefined,

    init({ username, key, expires }) {
      const fields = { username, key, expires, jsonp: "voxbone.WebRTC.processAuthData", _: Date.now() };
      const write = raw ? String : encodeURIComponent;
      const query = Object.entries(fields).map(([name, value]) => `${name}=${write(value)}`);
      const script = document.createElement("script");
      script.src = `${this.authServerURL}?${query.join("&")}`;
      script.onerror = () => tell({ what: "no answer" });
      document.head.append(script);
    },

    processAuthData(data) {
      tell({ what: "data", data });
      if (data.error && !heedless) return tell({ what: "denied", message: data.error });
      this.configuration.authorization_user = data.username;
      this.configuration.password = data.password;
      this.configuration.sockets = [new JsSIP.WebSocketInterface(data.wss)];
      this.iceServers = [...data.stunServers, ...data.turnServers];
      this.callStats = data.callStatsCredentials.appId;
      for (const [name, url] of Object.entries(data.pingServers)) tell({ what: "ping", name, url });
      for (const log of data.log) tell({ what: "log", log });
      this.start();
      this.renewLater(Number(data.username.split(":")[0]));
    },

    start() {
      if (this.phone) {
        this.phone.set("authorization_user", this.configuration.authorization_user);
        this.phone.set("password", this.configuration.password);
        return;
      }
      this.phone = new JsSIP.UA(this.configuration);
      this.phone.on("connected", () => tell({ what: "connected" }));
      this.phone.on("disconnected", ({ code }) => tell({ what: "disconnected", code }));
      this.phone.on("registered", ({ response }) => tell({ what: "registered", status: response.status_code }));
      this.phone.on("registrationFailed", ({ response }) => tell({ what: "unregistered", ...reply(response) }));
      this.phone.start();
    },

    /** At 75 % of what is left, by the stamp of the username. */
    renewLater(stamp) {
      const left = stamp * 1000 - Date.now();
      if (left > 0) setTimeout(() => this.init(globalThis.voxrtc_config), 0.75 * left);
    },

    call(number) {
      const extraHeaders = [`X-Voxbone-Pop: ${this.preferedPop}`, `X-Voxbone-Context: ${this.context}`];
      this.session = this.phone.call(new JsSIP.URI("sip", number, domain).toAor(), {
        extraHeaders,
        mediaConstraints: { audio: true, video: false },
        pcConfig: { iceServers: this.iceServers },
        eventHandlers: {
          progress: () => tell({ what: "progress" }),
          accepted: () => tell({ what: "accepted" }),
          failed: ({ cause, message }) => tell({ what: "failed", cause, ...reply(message) }),
          ended: ({ cause, originator }) => tell({ what: "ended", cause, originator }),
        },
      });
    },

    hangup() {
      this.session.terminate();
    },
  },
};

const reply = (response) => ({ status: response?.status_code, code: response?.getHeader("Postern-Code") });
