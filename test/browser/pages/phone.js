/**
 * A page that uses connect(), loaded as it is. It tells what happens to it. settings: credentials (URL), and what else
 * connect() takes.
 */
globalThis.phoning = {
  async start() {
    const { connect } = await import("/connect.js");
    this.phone = connect({ jssip: JsSIP, ...globalThis.settings });
    for (const what of ["connected", "disconnected", "renewed", "trouble", "refused", "closed"]) {
      this.phone.addEventListener(what, ({ detail }) => tell({ what, ...detail }));
    }
    this.phone.ready.then(
      (ua) => ua.on("registered", () => tell({ what: "registered" })),
      ({ code, message }) => tell({ what: "not ready", code, message }),
    );
  },

  async call(target) {
    const session = await this.phone.call(target);
    session.on("accepted", () => tell({ what: "accepted" }));
    session.on("failed", ({ cause }) => tell({ what: "failed", cause }));
    session.on("ended", () => tell({ what: "ended" }));
    this.session = session;
  },
};
