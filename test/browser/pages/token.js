/**
 * A page that shows a token at the handshake, or leaves that to its cookie, and has no password. It tells what happens
 * to it. settings: url (of the gateway), user, token (for the URL; `own`: as the page's site gives it).
 */
const { url, user, token } = globalThis.settings;

globalThis.phone = {
  async start() {
    const shown = token === "own" ? (await (await fetch("/token")).json()).token : token;
    const socket = new JsSIP.WebSocketInterface(shown ? `${url}/?access_token=${shown}` : `${url}/`);
    this.agent = new JsSIP.UA({ sockets: [socket], uri: `sip:${user}@acme.example`, register: true });
    this.agent.on("connected", () => tell({ what: "connected" }));
    this.agent.on("registered", ({ response }) => tell({ what: "registered", status: response.status_code }));
    this.agent.on("registrationFailed", ({ response }) => tell({ what: "refused", status: response?.status_code }));
    this.agent.on("disconnected", ({ code, reason }) => tell({ what: "disconnected", code, reason }));
    this.agent.start();
  },

  call(number) {
    this.session = this.agent.call(`sip:${number}@acme.example`, {
      mediaConstraints: { audio: true, video: false },
      eventHandlers: {
        accepted: () => tell({ what: "accepted" }),
        failed: ({ cause }) => tell({ what: "failed", cause }),
        ended: () => tell({ what: "ended" }),
      },
    });
  },

  hangup() {
    this.session.terminate();
  },
};
