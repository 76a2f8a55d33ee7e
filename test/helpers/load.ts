import { type Call, establish, exchange } from "./dialog.ts";
import { code, status } from "./raw-client.ts";
import { header, recordRoutes, request, tagOf, uriOf } from "./raw-sip.ts";
import type { Rotation } from "./rotation.ts";
import type { User } from "./scene.ts";

interface Failure {
  readonly loop: string;
  /** performance.now() */
  readonly begun: number;
  readonly ended: number;
  readonly what: string;
}

/** Milliseconds. */
const retryAfter = 500;

/** Users who register, call each other and a trunk, and speak in a call that stands, one request behind the other. */
export class Load {
  readonly failures: Failure[] = [];
  readonly #rounds = new Map<string, number>();
  readonly #looks = new Set<() => void>();
  readonly #loops: Promise<void>[] = [];
  readonly standing: Call;
  #stopped = false;

  private constructor(standing: Call) {
    this.standing = standing;
  }

  static async start(rotation: Rotation): Promise<Load> {
    const [alice, bob] = [await rotation.user("alice"), await rotation.user("bob")];
    const carol = await rotation.user("carol");
    const load = new Load(await establish(alice, bob));
    load.#loop("in a standing call", () => spoken(load.standing, "INFO"));
    load.#loop("REGISTER", async () => expectOk(await carol.client.register(carol.address, carol.given)));
    load.#loop("a new connection", async () => {
      const user = await rotation.user("visitor");
      user.client.close();
    });
    load.#loop("a call to a user", () => wholeCall(rotation));
    load.#loop("a call to a trunk", () => trunkCall(rotation));
    await load.round();
    return load;
  }

  #loop(name: string, once: () => Promise<void>): void {
    this.#rounds.set(name, 0);
    const run = async (): Promise<void> => {
      while (!this.#stopped) {
        const begun = performance.now();
        try {
          await once();
          this.#rounds.set(name, this.#rounds.get(name)! + 1);
        } catch (error) {
          this.failures.push({ loop: name, begun, ended: performance.now(), what: String(error) });
        }
        for (const look of this.#looks) look();
        // Others speak in between; and who was refused comes back later, as a client does (Retry-After).
        await new Promise((resolve) => setTimeout(resolve, this.#failed(name) ? retryAfter : 0));
      }
    };
    this.#loops.push(run());
  }

  #failed(name: string): boolean {
    const latest = this.failures.findLast(({ loop }) => loop === name);
    return latest !== undefined && performance.now() - latest.ended < retryAfter;
  }

  get rounds(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#rounds);
  }

  /** Until each of them has been through a whole round that began after this. */
  round(): Promise<void> {
    const wanted = new Map([...this.#rounds].map(([name, count]) => [name, count + 2]));
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`the load stands still: ${JSON.stringify([this.rounds, this.failures.slice(-5)])}`)),
        60_000,
      );
      const look = (): void => {
        if (![...wanted].every(([name, count]) => this.#rounds.get(name)! >= count)) return;
        clearTimeout(late);
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }
}

function expectOk(answered: string): void {
  if (status(answered) !== 200)
    throw new Error(`${answered.split("\r\n", 1)[0]} ${code(answered)} ${header(answered, "Warning")}`);
}

/** A request of the caller's in the call, answered by the callee. */
export async function spoken(call: Call, method: string): Promise<void> {
  const text = call.fromCaller(method);
  const cseq = header(text, "CSeq");
  const final = exchange(call.caller, text);
  final.catch(() => {}); // it is awaited below, if the callee gets the request
  const got = await call.callee.client.take((one) => one.startsWith(`${method} `) && header(one, "CSeq") === cseq);
  call.callee.client.send(replyTo(got, call.callee));
  expectOk(await final);
}

const replyTo = (got: string, user: User): string => {
  const copied = ["Via", "From", "To", "Call-ID", "CSeq"].flatMap((name) =>
    got
      .split("\r\n")
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line),
  );
  return ["SIP/2.0 200 OK", ...copied, `Contact: ${user.contact}`, "Content-Length: 0", "", ""].join("\r\n");
};

/** Each call has a connection of its own: one keeps its calls in mind for a while after their end, and there is a limit. */
async function wholeCall(rotation: Rotation): Promise<void> {
  const [caller, callee] = [await rotation.stranger("dave"), await rotation.user("erin")];
  const call = await establish(caller, callee);
  await spoken(call, "INFO");
  await spoken(call, "BYE");
  caller.client.close();
  callee.client.close();
}

/** SIPp answers. */
async function trunkCall(rotation: Rotation): Promise<void> {
  const caller = await rotation.stranger("frank");
  const parts = caller.parts("INVITE", "sip:+3225887123@acme.example");
  const ok = await caller.client.prove(parts, caller.given);
  expectOk(ok);
  const within = (method: string, cseq: number): string =>
    request({
      ...parts,
      ...{ method, cseq, uri: uriOf(header(ok, "Contact")), toTag: tagOf(header(ok, "To")) },
      routes: recordRoutes(ok).reverse(),
    });
  caller.client.send(within("ACK", parts.cseq + 1));
  expectOk(await exchange(caller, within("BYE", parts.cseq + 2)));
  caller.client.close();
}
