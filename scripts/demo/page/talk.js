import { el } from "./dom.js";
import { watch } from "./meter.js";
import { sound } from "./sound.js";

/** @typedef {import("jssip/lib/RTCSession.js").RTCSession} RTCSession */

/** Why a call did not come about, in words; JsSIP's own where there are no better. */
const reasons = /** @type {Record<string, string>} */ ({
  "User Denied Media Access": "The microphone was refused: allow it for this page, then call again.",
  Busy: "Busy.",
  Canceled: "You hung up before anybody answered.",
  "No Answer": "Nobody answered.",
  "Not Found": "Nobody of that name is there.",
  Rejected: "The call was declined.",
  Unavailable: "Nobody of that name is online now.",
});

/** One call, from its begin to its end, in the controls of the page. */
export class Talk {
  #session;
  #over;
  /** @type {(() => void)[]} */
  #stops = [];
  #stopOwn = () => {};

  /** @param {RTCSession} session @param {string} peer @param {(sentence: string) => void} over */
  constructor(session, peer, over) {
    this.#session = session;
    this.#over = over;
    el("talk").hidden = false;
    el("peer").textContent = peer;
    el("timer").textContent = "0:00";
    this.#stage("calling");
    this.#pressed("hold", false);
    this.#pressed("mute", false);
    if (session.connection) this.#hear(session.connection);
    else session.on("peerconnection", ({ peerconnection }) => this.#hear(peerconnection));
    session.on("progress", () => this.#stage("ringing"));
    session.on("confirmed", () => this.#confirmed());
    session.on("hold", ({ originator }) => this.#held(originator, true));
    session.on("unhold", ({ originator }) => this.#held(originator, false));
    session.on("ended", ({ cause }) =>
      this.#end(cause === "Terminated" ? "The call is over." : (reasons[cause] ?? cause)),
    );
    session.on("failed", ({ cause }) => this.#end(reasons[cause] ?? cause));
  }

  hangUp() {
    this.#session.terminate();
  }

  toggleHold() {
    if (this.#session.isOnHold().local) this.#session.unhold();
    else this.#session.hold();
  }

  toggleMute() {
    const { audio } = this.#session.isMuted();
    if (audio) this.#session.unmute({ audio: true });
    else this.#session.mute({ audio: true });
    this.#pressed("mute", !audio);
  }

  /** @param {string} tone @param {boolean} byInfo Instead of RFC 4733. */
  tone(tone, byInfo) {
    this.#session.sendDTMF(tone, { transportType: /** @type {never} */ (byInfo ? "INFO" : "RFC2833") });
  }

  /** Who is muted stays so; JsSIP stops only what it took itself. @param {MediaStreamConstraints} microphone */
  async useMicrophone(microphone) {
    const stream = await navigator.mediaDevices.getUserMedia(microphone);
    const [track] = stream.getAudioTracks();
    const sender = this.#session.connection.getSenders().find((one) => one.track?.kind === "audio");
    if (!track || !sender?.track || this.#session.isEnded()) return track?.stop();
    track.enabled = sender.track.enabled;
    sender.track.stop();
    this.#stops.push(() => track.stop());
    await sender.replaceTrack(track);
    this.#watchOwn();
  }

  /** @param {RTCPeerConnection} connection */
  #hear(connection) {
    connection.addEventListener("track", ({ track, streams }) => {
      const stream = streams[0] ?? new MediaStream([track]);
      sound.srcObject = stream;
      this.#stops.push(watch(stream, /** @type {HTMLMeterElement} */ (el("theirs"))));
    });
  }

  #confirmed() {
    this.#stage("talking");
    const since = Date.now();
    const show = () => {
      const seconds = Math.floor((Date.now() - since) / 1000);
      el("timer").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    };
    const timer = setInterval(show, 500);
    this.#stops.push(() => clearInterval(timer));
    this.#watchOwn();
  }

  #watchOwn() {
    const own = this.#session.connection.getSenders().flatMap(({ track }) => (track ? [track] : []));
    this.#stopOwn();
    if (own.length > 0) this.#stopOwn = watch(new MediaStream(own), /** @type {HTMLMeterElement} */ (el("mine")));
  }

  /** @param {unknown} originator @param {boolean} held */
  #held(originator, held) {
    if (String(originator) === "local") this.#pressed("hold", held);
    const { local, remote } = this.#session.isOnHold();
    this.#stage(local ? "on hold" : remote ? "the other side holds" : "talking");
  }

  /** @param {string} sentence */
  #end(sentence) {
    for (const stop of [...this.#stops.splice(0), this.#stopOwn]) stop();
    sound.srcObject = null;
    el("talk").hidden = true;
    this.#over(sentence);
  }

  /** @param {string} text */
  #stage(text) {
    el("stage").textContent = text;
  }

  /** @param {string} id @param {boolean} pressed */
  #pressed(id, pressed) {
    el(id).setAttribute("aria-pressed", String(pressed));
  }
}
