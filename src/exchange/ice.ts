import { mint } from "../auth/ephemeral.ts";
import type { TurnSettings } from "./context.ts";

/** An RTCIceServer, as RTCPeerConnection takes it. */
export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

/**
 * STUN servers, which ask for nothing, and TURN servers with a credential by the construction that coturn documents
 * (`use-auth-secret`; TURN REST draft §2.2): always HMAC-SHA1. user: `alice@acme.example`; now: Unix seconds.
 */
export function iceServers(turn: TurnSettings | undefined, user: string, now: number): readonly IceServer[] {
  if (!turn) return [];
  const [open, guarded] = [turn.urls.filter(isStun), turn.urls.filter((url) => !isStun(url))];
  const servers: IceServer[] = open.length > 0 ? [{ urls: open }] : [];
  if (guarded.length === 0) return servers;
  const { username, password } = mint({ secret: turn.secret, user, ttl: turn.ttl, algorithm: "sha1", now });
  return [...servers, { urls: guarded, username, credential: password }];
}

export const isStun = (url: string): boolean => /^stuns?:/.test(url);
