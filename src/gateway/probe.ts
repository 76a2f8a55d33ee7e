import { randomBytes } from "node:crypto";
import type { WebSocket } from "ws";
import type { Clock } from "../core/clock.ts";
import { PosternError } from "../core/errors.ts";
import { type Identity, unnarrowed } from "../core/identity.ts";
import { scan } from "../sip/scan.ts";
import type { Announcements } from "./announce.ts";
import type { Chain } from "./chain.ts";
import { openUpstream, type UpstreamOptions } from "./upstream.ts";

export interface ProbeParts {
  readonly upstream: () => UpstreamOptions;
  readonly chain: () => Chain;
  readonly announcements: Announcements;
}

const freshFor = 2_000;
const answerMs = 2_000;

/** Whose leg a probe is: nobody's customer. */
export const nobody: Identity = {
  customer: {
    id: "postern",
    domains: [],
    secrets: [],
    keys: [],
    apiKeys: [],
    origins: [],
    maxTtl: 0,
    clockSkew: 0,
    callFrom: [],
    numbers: [],
    dial: [],
    methods: [],
    inbound: {},
    passHeaders: [],
    limits: { connections: 0, registrations: 0, calls: 0, callsPerMinute: 0, callSeconds: 0 },
    ceilings: {},
    revoked: [],
  },
  user: "probe",
  domain: "postern.invalid",
  provedBy: { id: "", secret: "", algorithm: "sha256" },
  expiry: 0,
  narrowing: unnarrowed,
  names: [],
};

/** Open a leg as a client's would be (PROXY header, grant), do something with it, and close it. Rejects as opening does. */
async function withLeg(
  parts: ProbeParts,
  urls: readonly string[],
  act: (leg: WebSocket) => Promise<void>,
): Promise<void> {
  const { announcements, upstream, chain } = parts;
  const family = urls.some((url) => !new URL(url).hostname.startsWith("[")) ? 4 : 6;
  const address = family === 4 ? "127.0.0.1" : "::1";
  const port = announcements.take(address, 0);
  if (port === undefined) throw new PosternError("limit-reached", "no local port is left to announce");
  try {
    const announced = { address, port, family } as const;
    const { socket } = await openUpstream({ ...upstream(), urls }, announced, chain().headers(nobody));
    await act(socket).finally(() => socket.close(1000));
  } finally {
    announcements.release(address, port, 0);
  }
}

/**
 * Asks whether upstream takes a leg at all. The function answers undefined, or the reason why not; an answer is good
 * for two seconds.
 */
export function upstreamProbe(parts: ProbeParts & { readonly clock: Clock }): () => Promise<string | undefined> {
  let known: { at: number; answer: Promise<string | undefined> } | undefined;
  return () => {
    const now = parts.clock.now();
    if (!known || now - known.at >= freshFor) known = { at: now, answer: probe() };
    return known.answer;
  };

  function probe(): Promise<string | undefined> {
    return withLeg(parts, parts.upstream().urls, async () => {}).then(
      () => undefined,
      (error: unknown) => {
        if (!(error instanceof PosternError)) throw error;
        return error.message;
      },
    );
  }
}

/** Rejects where this url does not answer OPTIONS under a grant (RFC 3261 §11): one that takes legs may be dumb. */
export function ping(parts: ProbeParts, url: string): Promise<void> {
  return withLeg(parts, [url], async (leg) => {
    const callId = randomBytes(8).toString("hex");
    const answered = answerTo(leg, callId);
    leg.send(options(parts.chain().lines(nobody), callId), { binary: false });
    const status = await answered;
    if (status < 500 || status === 501) return;
    throw new PosternError("upstream-unavailable", `answered OPTIONS with ${status}`);
  });
}

/** The status of the final response with this Call-ID; what else comes on the leg is nobody's. */
function answerTo(leg: WebSocket, callId: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const fail = (): void => {
    reject(new PosternError("upstream-unavailable", "took a leg and did not answer OPTIONS"));
  };
  const timer = setTimeout(fail, answerMs);
  leg.once("close", fail);
  leg.on("message", (data: Buffer) => {
    const scanned = scan(data, { lengthRequired: false });
    if (scanned.kind === "malformed" || scanned.message.callId !== callId) return;
    if (scanned.message.status >= 200) resolve(scanned.message.status);
  });
  return promise.finally(() => clearTimeout(timer));
}

function options(lines: string, callId: string): string {
  const [branch, tag] = [4, 4].map((size) => randomBytes(size).toString("hex"));
  const text = [
    `OPTIONS sip:${nobody.domain} SIP/2.0\r\n${lines}Via: SIP/2.0/WS probe.invalid;branch=z9hG4bK${branch}`,
    "Max-Forwards: 70",
    `From: <sip:${nobody.user}@${nobody.domain}>;tag=${tag}`,
    `To: <sip:${nobody.domain}>`,
    `Call-ID: ${callId}`,
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
  ];
  return `${text.join("\r\n")}\r\n\r\n`;
}
