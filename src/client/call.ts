import type { AnswerOptions, IncomingEvent, OutgoingEvent, RTCSession } from "jssip/lib/RTCSession.js";
import type { Audio, AudioCounts } from "./audio.ts";
import { loopbackOnly } from "./sdp.ts";
import type { PeerConnection } from "./webrtc.ts";

/** How a request ended: with a 2xx, or with whatever else. */
export type Outcome =
  | { readonly ok: true; readonly status: number }
  | {
      readonly ok: false;
      /** SIP status; none where no response came. */
      readonly status: number | null;
      /** Postern-Code, where the refusal is Postern's. */
      readonly code: string | null;
      /** The sentence of the Warning header, else what JsSIP or the socket says. */
      readonly sentence: string;
    };

export interface Response {
  readonly status_code?: number;
  getHeader(name: string): string | undefined;
}

/** What a refusal says for itself. cause: what to say where there is no response. */
export function failure(response: Response | null | undefined, cause: string): Outcome & { ok: false } {
  const warning = /^399 \S+ "(.*)"$/.exec(response?.getHeader("Warning") ?? "")?.[1];
  return {
    ok: false,
    status: response?.status_code ?? null,
    code: response?.getHeader("Postern-Code") ?? null,
    sentence: warning ?? cause,
  };
}

export interface CallOptions {
  /** Whether media must stay on this host. */
  readonly loopback: boolean;
  /** A better word for JsSIP's cause of a failure without response. */
  readonly explain: (cause: string) => string;
}

/** What JsSIP takes to make or answer a call with a sound of ours. */
export const media = (audio: Audio): AnswerOptions => ({
  mediaStream: audio.stream as never,
  mediaConstraints: { audio: true, video: false },
  pcConfig: { iceServers: [] },
});

/** One call with real audio: it plays the tone from the moment it is up, and counts what it hears. */
export class Call {
  /** Accepted, by whichever side had to; or failed before that. */
  readonly accepted: Promise<Outcome>;
  /** Why it is over, in JsSIP's words. */
  readonly ended: Promise<string>;
  readonly session: RTCSession;
  readonly #audio: Audio;

  constructor(session: RTCSession, audio: Audio, { loopback, explain }: CallOptions) {
    const accepted = Promise.withResolvers<Outcome>();
    const ended = Promise.withResolvers<string>();
    session.on("accepted", (event: IncomingEvent | OutgoingEvent) => {
      const response: Response | null = "response" in event ? event.response : null;
      accepted.resolve({ ok: true, status: response?.status_code ?? 200 });
      audio.play();
    });
    session.on("failed", ({ message, cause }) => {
      const response = responseOf(message);
      accepted.resolve(failure(response, response ? cause : explain(cause)));
      ended.resolve(cause);
      audio.stop();
    });
    session.on("ended", ({ cause }) => {
      ended.resolve(cause);
      audio.stop();
    });
    if (loopback) keepOnLoopback(session);
    hear(session, audio);
    this.accepted = accepted.promise;
    this.ended = ended.promise;
    this.session = session;
    this.#audio = audio;
  }

  get audio(): AudioCounts {
    return this.#audio.counts;
  }

  /** Says yes to an incoming call. */
  answer(): void {
    this.session.answer(media(this.#audio));
  }

  /** CANCEL, BYE or a refusal, whichever fits; nothing where the call is over. */
  hangUp(): void {
    if (!this.session.isEnded()) this.session.terminate();
  }
}

function keepOnLoopback(session: RTCSession): void {
  session.on("sdp", (event) => {
    event.sdp = loopbackOnly(event.sdp);
  });
}

/** An outgoing session has its connection already, an incoming one gets it with the answer. */
function hear(session: RTCSession, audio: Audio): void {
  const attach = (connection: unknown): void =>
    (connection as PeerConnection).addEventListener("track", ({ track }) => audio.listen(track));
  if (session.connection) attach(session.connection);
  else session.on("peerconnection", ({ peerconnection }) => attach(peerconnection));
}

function responseOf(message: unknown): Response | null {
  return typeof message === "object" && message !== null && "status_code" in message ? (message as Response) : null;
}
