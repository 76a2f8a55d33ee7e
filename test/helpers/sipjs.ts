import { type Invitation, Inviter, Registerer, type Session, SessionState, UserAgent, Web } from "sip.js";
import { WebSocket } from "ws";
import { Audio } from "../../src/client/audio.ts";
import { failure, type Outcome, type Response } from "../../src/client/call.ts";
import { type LadderEntry, mask } from "../../src/client/ladder.ts";
import { loopbackOnly } from "../../src/client/sdp.ts";
import { loadWebRtc, type PeerConnection, type WebRtc } from "../../src/client/webrtc.ts";
import {
  addressOf,
  type ClientOptions,
  credentialsOf,
  Inbox,
  succeeded,
  type TestCall,
  type TestClient,
  untilHeard,
  within,
} from "./clients.ts";

/** SIP.js fires this browser event at streams; libwebrtc for Node has none. */
class TrackEvent extends Event {
  readonly track: unknown;
  constructor(type: string, { track }: { track: unknown }) {
    super(type);
    this.track = track;
  }
}

/** A SIP.js transport class over `ws`: with an Origin, an authority, and a trace of its own. */
function transportOf({ origin, ca }: ClientOptions, note: (message: string, sent: boolean) => void) {
  class TracedSocket extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol, { perMessageDeflate: false, ...(origin && { origin }), ...(ca && { ca }) });
      this.on("message", (data) => note(data.toString(), false));
    }

    override send(data: string): void {
      note(data, true);
      super.send(data);
    }
  }
  return class extends Web.Transport {
    /** SIP.js makes its socket from the global of that name, before it returns. */
    override connect(): Promise<void> {
      const before = globalThis.WebSocket;
      Object.assign(globalThis, { WebSocket: TracedSocket });
      try {
        return super.connect();
      } finally {
        Object.assign(globalThis, { WebSocket: before });
      }
    }
  };
}

/** SIP.js's own WebRTC handler with our sound, its candidates cut down to loopback. */
function descriptions(wrtc: WebRtc, sounds: WeakMap<object, Audio>) {
  return (session: Session, options?: object): Web.SessionDescriptionHandler => {
    const audio = new Audio(wrtc);
    sounds.set(session, audio);
    const make = Web.defaultSessionDescriptionHandlerFactory(() => Promise.resolve(audio.stream as never));
    const handler = make(session, { ...options, peerConnectionConfiguration: { iceServers: [] } });
    const connection = handler.peerConnection as unknown as PeerConnection;
    connection.addEventListener("track", ({ track }) => audio.listen(track));
    const describe = handler.getDescription.bind(handler);
    handler.getDescription = async (...args) => {
      const description = await describe(...args);
      return { ...description, body: loopbackOnly(description.body) };
    };
    return handler;
  };
}

/** The second client of the tests: SIP.js with the same sound. */
export async function sipjsClient(options: ClientOptions): Promise<TestClient> {
  const wrtc = await loadWebRtc();
  Object.assign(globalThis, { MediaStreamTrackEvent: TrackEvent });
  const ladder: LadderEntry[] = [];
  const sounds = new WeakMap<object, Audio>();
  const inbox = new Inbox<Invitation>();
  const { ua, started } = startUserAgent(options, ladder, wrtc, sounds, inbox);
  const extraHeaders = bearer(options);
  const registerer = new Registerer(ua, { expires: options.expires ?? 600, extraHeaders });
  const registration = started.then((outcome) =>
    outcome.ok && options.register !== false ? register(registerer) : outcome,
  );
  return {
    ladder,
    registration: () => within(registration, "registration", ladder),
    registered: () => succeeded(within(registration, "registration", ladder), "registration", ladder),
    incoming: async () => {
      const invitation = await within(inbox.take(), "incoming call", ladder);
      return testCall(invitation, sounds, ladder, established(invitation), () => invitation.accept(audioOnly));
    },
    call: async (target, headers = []) => {
      await succeeded(within(started, "connection", ladder), "connection", ladder);
      return dial(ua, target, [...headers, ...extraHeaders], sounds, ladder);
    },
    stop: async () => {
      await ua.stop();
    },
  };
}

/** SIP.js knows no token: it takes header fields for REGISTER and INVITE, and puts them into no other request. */
function bearer(options: ClientOptions): string[] {
  const credentials = credentialsOf(options);
  return "token" in credentials ? [`Authorization: Bearer ${credentials.token}`] : [];
}

const audioOnly = { sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } };

function startUserAgent(
  options: ClientOptions,
  ladder: LadderEntry[],
  wrtc: WebRtc,
  sounds: WeakMap<object, Audio>,
  inbox: Inbox<Invitation>,
): { ua: UserAgent; started: Promise<Outcome> } {
  const credentials = credentialsOf(options);
  const note = (message: string, sent: boolean): void => {
    if (message.trim() === "") return;
    const [from, to] = sent ? [options.user, "postern"] : ["postern", options.user];
    ladder.push({ at: performance.timeOrigin + performance.now(), from, to, message: mask(message) });
  };
  const uri = UserAgent.makeURI(options.uri ?? `sip:${addressOf(options)}`);
  if (!uri) throw new TypeError("not a SIP URI");
  const ua = new UserAgent({
    uri,
    ...("token" in credentials
      ? {}
      : { authorizationUsername: credentials.username, authorizationPassword: credentials.password }),
    logBuiltinEnabled: false,
    reconnectionAttempts: 0,
    transportConstructor: transportOf(options, note),
    transportOptions: { server: options.url },
    sessionDescriptionHandlerFactory: descriptions(wrtc, sounds),
    delegate: { onInvite: (invitation) => inbox.put(invitation) },
  });
  const started = ua.start().then(
    (): Outcome => ({ ok: true, status: 101 }),
    (fault: unknown) => failure(null, String(fault)),
  );
  return { ua, started };
}

function register(registerer: Registerer): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const requestDelegate = {
      onAccept: () => resolve({ ok: true, status: 200 }),
      onReject: ({ message }: { message: object }) => resolve(refusal(message)),
    };
    registerer.register({ requestDelegate }).catch(reject);
  });
}

function dial(
  ua: UserAgent,
  target: string,
  headers: readonly string[],
  sounds: WeakMap<object, Audio>,
  ladder: readonly LadderEntry[],
): TestCall {
  const uri = UserAgent.makeURI(target);
  if (!uri) throw new TypeError(`not a SIP URI: ${target}`);
  const inviter = new Inviter(ua, uri, { extraHeaders: [...headers], ...audioOnly });
  const answered = new Promise<Outcome>((resolve, reject) => {
    const requestDelegate = {
      onAccept: () => resolve({ ok: true, status: 200 }),
      onReject: ({ message }: { message: object }) => resolve(refusal(message)),
    };
    inviter.invite({ requestDelegate }).catch(reject);
  });
  return testCall(inviter, sounds, ladder, answered, () => undefined);
}

/** SIP.js's response under JsSIP's names. */
function refusal(message: object): Outcome {
  const { statusCode, reasonPhrase, getHeader } = message as {
    statusCode: number;
    reasonPhrase: string;
    getHeader: Response["getHeader"];
  };
  return failure({ status_code: statusCode, getHeader: getHeader.bind(message) }, reasonPhrase);
}

const established = (session: Session): Promise<Outcome> =>
  new Promise((resolve) => {
    session.stateChange.addListener((state) => {
      if (state === SessionState.Established) resolve({ ok: true, status: 200 });
      if (state === SessionState.Terminated) resolve(failure(null, "terminated"));
    });
  });

function testCall(
  session: Inviter | Invitation,
  sounds: WeakMap<object, Audio>,
  ladder: readonly LadderEntry[],
  answered: Promise<Outcome>,
  answer: () => Promise<void> | undefined,
): TestCall {
  const sound = (): Audio | undefined => sounds.get(session);
  const counts = () => sound()?.counts ?? { sent: 0, received: 0, tone: 0 };
  const ended = new Promise<string>((resolve) => {
    session.stateChange.addListener((state) => {
      if (state === SessionState.Established) sound()?.play();
      if (state !== SessionState.Terminated) return;
      sound()?.stop();
      resolve("Terminated");
    });
  });
  const outcome = (): Promise<Outcome> => within(answered, "answer to the call", ladder);
  return {
    outcome,
    accepted: () => succeeded(outcome(), "call", ladder),
    ended: () => within(ended, "end of the call", ladder),
    heard: (frames = 20) => untilHeard(counts, frames, ladder),
    audio: counts,
    answer: () => void answer(),
    hangUp: () => void hangUp(session),
  };
}

function hangUp(session: Inviter | Invitation): Promise<unknown> | undefined {
  if (session.state === SessionState.Established) return session.bye();
  if (session.state === SessionState.Terminated || session.state === SessionState.Terminating) return undefined;
  return session instanceof Inviter ? session.cancel() : session.reject();
}
