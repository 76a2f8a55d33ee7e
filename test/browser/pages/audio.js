/**
 * A telephone with JsSIP or SIP.js that plays a tone and listens. settings: url, uri, username, password, plays (Hz), hears
 * (Hz, a list). `ear` is how many times 50 ms each of these was most of what came, and silence, and anything else.
 */
const context = new AudioContext();
const ear = { silence: 0, other: 0 };
globalThis.ear = ear;

/** A microphone that plays. */
function microphone() {
  const oscillator = context.createOscillator();
  oscillator.frequency.value = globalThis.settings.plays;
  const loudness = context.createGain();
  loudness.gain.value = 0.5;
  const made = context.createMediaStreamDestination();
  oscillator.connect(loudness).connect(made);
  oscillator.start();
  return made.stream;
}

/** How much of the power is at one frequency: Goertzel's algorithm. */
function share(samples, frequency) {
  const turn = 2 * Math.cos((2 * Math.PI * frequency) / context.sampleRate);
  let [before, last, total] = [0, 0, 0];
  for (const sample of samples) {
    [before, last] = [last, sample + turn * last - before];
    total += sample * sample;
  }
  return (2 * (last * last + before * before - turn * last * before)) / (total * samples.length);
}

function listen(stream) {
  // Chromium decodes what comes only where an element plays it.
  const element = document.createElement("audio");
  element.srcObject = stream;
  element.muted = true;
  element.play();
  const analyser = context.createAnalyser();
  analyser.fftSize = 2048;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const loud = samples.some((sample) => Math.abs(sample) > 0.01);
    const most = loud ? globalThis.settings.hears.find((one) => share(samples, one) > 0.5) : "silence";
    ear[most ?? "other"] = (ear[most ?? "other"] ?? 0) + 1;
  }, 50);
}

const hear = (connection) => connection.addEventListener("track", ({ track }) => listen(new MediaStream([track])));

globalThis.sounding = {
  start() {
    const { url, uri, username, password } = globalThis.settings;
    this.ua = new JsSIP.UA({
      ...{ sockets: [new JsSIP.WebSocketInterface(url)], uri, authorization_user: username, password },
      ...{ connection_recovery_min_interval: 1, connection_recovery_max_interval: 1 },
    });
    this.ua.on("registered", () => tell({ what: "registered" }));
    this.ua.on("disconnected", () => tell({ what: "disconnected" }));
    this.ua.on("newRTCSession", ({ session, originator }) => {
      this.session = session;
      if (session.connection) hear(session.connection);
      else session.on("peerconnection", ({ peerconnection }) => hear(peerconnection));
      for (const what of ["accepted", "failed", "ended"]) session.on(what, ({ cause }) => tell({ what, cause }));
      if (originator === "remote") session.answer({ mediaStream: microphone() });
    });
    this.ua.start();
  },

  call(target) {
    this.ua.call(target, { mediaStream: microphone() });
  },
};

globalThis.soundingWithSipJs = {
  async start() {
    const { UserAgent, Web } = await import("/sip.js");
    const { url, uri, username, password } = globalThis.settings;
    this.ua = new UserAgent({
      ...{ uri: UserAgent.makeURI(uri), transportOptions: { server: url } },
      ...{ authorizationUsername: username, authorizationPassword: password },
      sessionDescriptionHandlerFactory: Web.defaultSessionDescriptionHandlerFactory(async () => microphone()),
    });
    await this.ua.start();
    tell({ what: "connected" });
  },

  async call(target) {
    const { Inviter, SessionState, UserAgent } = await import("/sip.js");
    this.session = new Inviter(this.ua, UserAgent.makeURI(target), {
      sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } },
    });
    this.session.stateChange.addListener((state) => {
      if (state === SessionState.Established) tell({ what: "accepted" });
      if (state === SessionState.Terminated) tell({ what: "ended" });
    });
    await this.session.invite({
      requestDelegate: { onTrying: () => hear(this.session.sessionDescriptionHandler.peerConnection) },
    });
  },
};
