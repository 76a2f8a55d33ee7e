import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, createUserAgent } from "../../src/client/agent.ts";
import type { AudioCounts } from "../../src/client/audio.ts";
import type { Call, Outcome } from "../../src/client/call.ts";
import { renderLadder } from "../../src/client/ladder.ts";
import type { Parts } from "./parts.ts";

/** Milliseconds that a call lasts: with bob, and with the trunk, which greets and is half a second behind. */
const [short, long] = [2_000, 3_000];
/** Frames of 10 ms in which each side must have heard the tone: of 200 with bob, of 150 that the trunk echoes. */
const enoughTone = 50;

/** Seconds that its credential lives: the longest that acme allows. */
const ttl = 3_600;
/** Milliseconds until one that stays gets another. */
const renewEvery = 1_800_000;

export interface CallReport {
  readonly ok: boolean;
  readonly ladder: string;
  /** One line with the figures. */
  readonly figures: string;
}

/** A user of acme's page, registered; answers whoever calls. */
export async function visitor(
  parts: Parts,
  user: string,
  onCall: (call: Call) => void = () => undefined,
): Promise<Agent> {
  const uri = `sip:${user}@acme.example`;
  const agent = await createUserAgent({ url: parts.gatewayUrl, uri, credentials: parts.minter.mint(user, ttl) });
  agent.onIncoming = (call) => {
    call.answer();
    onCall(call);
  };
  const outcome = await agent.registered;
  if (outcome.ok) return agent;
  await agent.stop();
  throw new Error(`${user} could not register: ${said(outcome)}`);
}

/** bob answers whoever calls, for as long as he is let. */
export async function answerer(parts: Parts): Promise<{ stop(): Promise<void> }> {
  const bob = await visitor(parts, "bob");
  const renewing = setInterval(() => {
    const { username, password } = parts.minter.mint("bob", ttl);
    bob.ua.set("authorization_user", username);
    bob.ua.set("password", password);
  }, renewEvery);
  return {
    stop: () => {
      clearInterval(renewing);
      return bob.stop();
    },
  };
}

/** alice calls bob: client, Postern, Kamailio, Postern, client; both must hear the other's tone. */
export async function callUser(parts: Parts): Promise<CallReport> {
  const answered = Promise.withResolvers<Call>();
  const draw = ladderOf(parts, ["alice", "bob", "postern", "kamailio"]);
  const bob = await visitor(parts, "bob", answered.resolve);
  const alice = await visitor(parts, "alice");
  const [call, outcome] = await place(alice, "sip:bob@acme.example", short);
  const ladder = await draw(alice, bob);
  const heard = outcome.ok ? (await answered.promise).audio : silence;
  const ok = outcome.ok && call.audio.tone >= enoughTone && heard.tone >= enoughTone;
  return { ok, ladder, figures: `${said(outcome)}; alice ${frames(call.audio)}; bob ${frames(heard)}` };
}

/** alice calls one of acme's telephone numbers, which Kamailio takes to acme's trunk. */
export async function callTrunk(parts: Parts): Promise<CallReport> {
  const draw = ladderOf(parts, ["alice", "postern", "kamailio", "trunk"]);
  const alice = await visitor(parts, "alice");
  const [call, outcome] = await place(alice, "sip:+3225887123@acme.example", long);
  const ladder = await draw(alice);
  const invite = parts.seen
    .between(0, Infinity)
    .find(({ to, message }) => to === "trunk" && message.startsWith("INVITE "));
  const caller = /^From:.*?(<[^>]*>)/im.exec(invite?.message ?? "")?.[1] ?? "nobody";
  const ok = outcome.ok && invite !== undefined && call.audio.tone >= enoughTone;
  return { ok, ladder, figures: `${said(outcome)}; the trunk was called by ${caller}; alice ${frames(call.audio)}` };
}

/** A call from ring to the answer to its BYE. */
async function place(agent: Agent, target: string, duration: number): Promise<[Call, Outcome]> {
  const call = agent.call(target);
  const outcome = await call.accepted;
  if (outcome.ok) await sleep(duration);
  call.hangUp();
  await call.ended;
  await agent.socket.idle();
  return [call, outcome];
}

/** Draws what has happened from now on to a number of agents, and stops them. */
function ladderOf(parts: Parts, names: readonly string[]): (...agents: Agent[]) => Promise<string> {
  const begun = Date.now();
  return async (...agents) => {
    const own = agents.flatMap(({ ladder }) => ladder);
    const last = Math.max(...own.map(({ at }) => at));
    // Its log comes through a pipe: by the answers to the un-REGISTERs it has all arrived.
    await Promise.all(agents.map((agent) => agent.stop()));
    return renderLadder([...own, ...parts.seen.between(begun, last)], names);
  };
}

const silence: AudioCounts = { sent: 0, received: 0, tone: 0 };

const frames = ({ sent, received, tone }: AudioCounts): string =>
  `sent ${sent} audio frames and received ${received}, ${tone} of them with the other's tone`;

const said = (outcome: Outcome): string =>
  outcome.ok ? `${outcome.status} OK` : [outcome.status, outcome.code, outcome.sentence].filter(Boolean).join(" ");
