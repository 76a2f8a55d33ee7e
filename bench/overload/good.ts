import { LoadClient } from "../load.ts";

/** Users who are registered and in a call: INFO and REGISTER in turn, at a fixed rate, whatever becomes of the answers. */
const [url = "", count = "1", rate = "10"] = process.argv.slice(2);

export interface GoodFigures {
  readonly requests: number;
  /** Answered by anything but 200, by a closed connection, or not within the measurement and a second more. */
  readonly refused: number;
  /** Milliseconds, from when a request was due. */
  readonly p50: number;
  readonly p99: number;
}

const users = Array.from({ length: Number(count) }, (_, at) => new LoadClient(url, at));
for (const user of users) {
  await user.connect();
  await user.settle("info");
}

let times: number[] = [];
let [asked, answered] = [0, 0];

/** A nonce that has ended is answered with another, which is no refusal. */
async function ask(user: LoadClient, kind: "info" | "register", due: number): Promise<void> {
  let answer = await user.ask(user.prepare(kind, 1)[0]!);
  if (answer.includes("stale=true")) {
    user.renew(answer);
    answer = await user.ask(user.prepare(kind, 1)[0]!);
  }
  if (answer.toString("latin1", 0, 11) !== "SIP/2.0 200") return;
  answered++;
  times.push(performance.now() - due);
}

/** One after the other; what has to wait for the answer before it counts its waiting too. */
const last = users.map(() => Promise.resolve());
function beat(at: number, turn: number): void {
  const [user, due] = [users[at]!, performance.now()];
  asked++;
  last[at] = last[at]!.then(() => ask(user, turn % 2 === 0 ? "info" : "register", due));
}

/** Each user at a moment of its own. */
async function measure(seconds: number): Promise<GoodFigures> {
  [times, asked, answered] = [[], 0, 0];
  const every = 1000 / Number(rate);
  const timers: NodeJS.Timeout[] = [];
  for (const at of users.keys()) {
    let turn = 0;
    setTimeout(() => timers.push(setInterval(() => beat(at, turn++), every)), (at * every) / users.length);
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  for (const timer of timers) clearInterval(timer);
  const late = new Promise((resolve) => setTimeout(resolve, 1000));
  await Promise.race([Promise.all(last), late]);
  const sorted = times.sort((one, other) => one - other);
  const part = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { requests: asked, refused: asked - answered, p50: part(0.5), p99: part(0.99) };
}

process.on("message", async ({ seconds }: { seconds: number }) => process.send?.(await measure(seconds)));
process.on("disconnect", () => process.exit());
process.send?.({ port: Number(new URL(url).port) });
