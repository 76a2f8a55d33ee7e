import type { TestGateway } from "./gateway.ts";

export interface TellOptions {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Tells a gateway of conferences: status and code of its answer. */
export async function tell(
  { gatewayUrl }: Pick<TestGateway, "gatewayUrl">,
  path: "events" | "stats",
  body: object,
  { token, headers }: TellOptions = {},
): Promise<readonly [status: number, code: string | undefined]> {
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${gatewayUrl.replace(/^ws/, "http")}/v1/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers, ...bearer },
    body: JSON.stringify(body),
  });
  const { code } = (await response.json()) as { code?: string };
  return [response.status, code];
}

export const taken = [202, undefined] as const;
export const missing = [403, "permission-missing"] as const;
export const mismatch = [403, "identity-mismatch"] as const;

/** What a browser measures while it hears well. */
export const heard = [
  {
    ...{ type: "inbound-rtp", id: "I1", kind: "audio", ssrc: 7, codecId: "C1", packetsReceived: 990, packetsLost: 10 },
    jitter: 0.004,
  },
  { type: "codec", id: "C1", mimeType: "audio/opus" },
];
