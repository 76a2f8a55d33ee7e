/** What this client uses of WebRTC; the compiler's DOM library would bring in the rest of a browser. */
export interface Track {
  readonly kind: string;
  stop(): void;
}

export interface Stream {
  getTracks(): Track[];
}

export interface PeerConnection {
  addEventListener(type: "track", listener: (event: { readonly track: Track }) => void): void;
}

export interface AudioSource {
  createTrack(): Track;
  onData(data: { samples: Int16Array; sampleRate: number; bitsPerSample: number; channelCount: number }): void;
}

export interface AudioSink {
  ondata: ((data: { samples: Int16Array; sampleRate: number; channelCount: number }) => void) | null;
  stop(): void;
}

export interface WebRtc {
  readonly RTCPeerConnection: new (configuration?: object) => PeerConnection;
  readonly RTCSessionDescription: new (init: object) => object;
  readonly MediaStream: new (tracks?: Track[]) => Stream;
  readonly nonstandard: {
    readonly RTCAudioSource: new () => AudioSource;
    readonly RTCAudioSink: new (track: Track) => AudioSink;
  };
}

let loaded = false;

/**
 * libwebrtc for Node, loaded when it is first asked for, and put where SIP libraries written for browsers look: they name
 * `RTCPeerConnection` and `RTCSessionDescription` as globals, and JsSIP asks `window` whether there is WebRTC at all.
 * The library crashes (0.10.0) where Node takes its environment down because nothing is left to do, and not on exit().
 */
export async function loadWebRtc(): Promise<WebRtc> {
  const { default: module } = await import("@roamhq/wrtc").catch((cause: unknown) => {
    throw new Error("the package @roamhq/wrtc is needed for the sound and cannot be loaded", { cause });
  });
  if (!loaded) process.once("beforeExit", () => process.exit());
  loaded = true;
  const wrtc = module as unknown as WebRtc;
  const { RTCPeerConnection, RTCSessionDescription, MediaStream } = wrtc;
  Object.assign(globalThis, { RTCPeerConnection, RTCSessionDescription, MediaStream });
  if (!("window" in globalThis)) Object.assign(globalThis, { window: { RTCPeerConnection } });
  return wrtc;
}
