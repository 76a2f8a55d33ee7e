// Before the page's own scripts: an ear on every remote track, and what another page would try.
const context = new AudioContext();
const ears = [];

globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) {
    super(...given);
    this.addEventListener("track", ({ track }) => {
      const ear = context.createAnalyser();
      context.createMediaStreamSource(new MediaStream([track])).connect(ear);
      ears.push(ear);
    });
  }
};

/** The greatest sample that any of them hears now. */
globalThis.loudest = () => {
  void context.resume();
  const samples = new Float32Array(2048);
  return Math.max(
    0,
    ...ears.map((ear) => {
      ear.getFloatTimeDomainData(samples);
      return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    }),
  );
};

/** What the page took of microphones, and why it gets none the next time; where it is not secure there are none. */
globalThis.taken = [];
globalThis.refusal = "";
const getUserMedia = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (getUserMedia) {
  navigator.mediaDevices.getUserMedia = async (asked) => {
    const { refusal } = globalThis;
    globalThis.refusal = "";
    if (refusal) throw new Error(refusal);
    const stream = await getUserMedia(asked);
    globalThis.taken.push(...stream.getTracks());
    return stream;
  };
}

const fault = async (doing) => {
  try {
    return (await doing()).status;
  } catch (error) {
    return error.name;
  }
};

/** What comes of it: a status, or the name of the browser's fault, and the code with which the socket is closed. */
globalThis.tryAll = async (demo) => {
  const json = { "content-type": "application/json" };
  return {
    visit: await fault(() => fetch(`${demo}visit`, { method: "POST", headers: json, body: "{}" })),
    simple: await fault(() => fetch(`${demo}servlets`)),
    ladder: await fault(() => fetch(`${demo}ladder`, { headers: { "x-demo-key": "x" } })),
    socket: await new Promise((resolve) => {
      const socket = new WebSocket(demo.replace("http:", "ws:").replace("demo/", ""), "sip");
      socket.addEventListener("close", ({ code }) => resolve(code));
    }),
  };
};
