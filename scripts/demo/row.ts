import { conceal } from "../../src/telemetry/conceal.ts";
import type { Traced, Verdict, Way } from "../../src/telemetry/trace.ts";

/** The rails of the ladder, from left to right. */
export const parties = ["browser", "postern", "kamailio", "trunk"] as const;
export type Party = (typeof parties)[number];

/** What the gateway decided, with the proof's own words where one was shown. */
export interface RowVerdict {
  readonly code: string;
  readonly sentence: string;
  readonly customer?: string;
  /** Id of the secret or key. */
  readonly secret?: string;
  /** Of the credential, when it was judged. */
  readonly secondsLeft?: number;
}

/** What Postern vouches for towards Kamailio. */
export interface RowGrant {
  readonly user: string;
  readonly secondsLeft: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** One message as a page's ladder shows it. */
export interface Row {
  /** Counts up; the later of two has the higher. */
  readonly id: number;
  /** Milliseconds since the epoch, with their fractions. */
  readonly at: number;
  readonly from: Party;
  readonly to: Party;
  /** Credentials are masked. */
  readonly message: string;
  verdict?: RowVerdict;
  readonly grant?: RowGrant;
}

const ends: Readonly<Record<Way, readonly [from: Party, to: Party]>> = {
  "from-client": ["browser", "postern"],
  "to-client": ["postern", "browser"],
  "to-upstream": ["postern", "kamailio"],
  "from-upstream": ["kamailio", "postern"],
};

export type NewRow = Omit<Row, "id">;

/** now: milliseconds, as exactly as can be had; Kamailio's own times stand between them. */
export function rowOf({ way }: Pick<Traced, "way">, bytes: Buffer, now: number): NewRow {
  const [from, to] = ends[way];
  const grant = way === "to-upstream" ? grantOf(bytes.toString("latin1"), now) : undefined;
  return { at: now, from, to, message: shown(bytes), ...(grant && { grant }) };
}

export const shown = (bytes: Buffer): string => conceal(bytes).toString("utf8");

export function verdictOf({ code, sentence, who }: Verdict, now: number): RowVerdict {
  if (!who) return { code, sentence };
  const { customer, provedBy, expiry } = who;
  return { code, sentence, customer, secret: provedBy, secondsLeft: expiry - Math.floor(now / 1000) };
}

/** Fields that may be shown; what another version adds is not. */
const shownFields = new Set(["trunk", "trunk2", "caller", "max", "customer"]);

/** The grant without what proves it. */
function grantOf(message: string, now: number): RowGrant | undefined {
  const grant = /^X-Postern-Grant: (\d+):([^|\r\n]+)\|([^\r\n]*)\r$/m.exec(message);
  if (!grant) return undefined;
  const [, expiry = "", user = "", rest = ""] = grant;
  const fields = rest.split("|").map((field): [string, string] => {
    const at = field.indexOf("=");
    return [field.slice(0, at), field.slice(at + 1)];
  });
  const secondsLeft = Number(expiry) - Math.floor(now / 1000);
  return { user, secondsLeft, fields: Object.fromEntries(fields.filter(([name]) => shownFields.has(name))) };
}
