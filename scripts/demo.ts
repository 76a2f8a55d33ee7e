/**
 * `npm run demo [-- --once]`: starts a media relay, a trunk, Kamailio, the gateway and its page, places two real calls and draws
 * them; then stays up until Ctrl-C, or with --once ends. Exit 0 only if both calls worked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { answerer, type CallReport, callTrunk, callUser } from "./demo/calls.ts";
import { type Parts, startParts } from "./demo/parts.ts";
import { Steps } from "./demo/steps.ts";

/** Milliseconds for everything until the calls are over. */
const deadline = 60_000;

async function demo(parts: Parts, steps: Steps): Promise<boolean> {
  const inside = await steps.step("alice calls bob", () => callUser(parts));
  const outside = await steps.step("alice calls a number of acme's", () => callTrunk(parts));
  show("client to client: alice calls bob", inside);
  show("client to trunk: alice calls +3225887123, a number of acme's", outside);
  return inside.ok && outside.ok;
}

const show = (title: string, { ok, ladder, figures }: CallReport): void =>
  console.log(`\n${title}\n\n${ladder}\n\n${ok ? "worked" : "FAILED"}: ${figures}`);

/** bob answers whoever calls, until the demo is stopped. */
async function stayUp(parts: Parts): Promise<void> {
  const bob = await answerer(parts);
  const cli = "npm run -s postern --";
  console.log(
    [
      "",
      `Gateway ${parts.gatewayUrl}, metrics ${parts.adminUrl}/metrics, logs in ${parts.dir}.`,
      "bob answers whoever calls. From another terminal, call him or a number of acme's (sip:+3225887123@acme.example):",
      "",
      `  ${cli} mint --secret file:${parts.secretFile} --user carol@acme.example |`,
      `  ${cli} client call sip:bob@acme.example --url ${parts.gatewayUrl} --uri sip:carol@acme.example --credentials -`,
      "",
      "Or call from a page, and see each message on its way. Ctrl-C ends the demo.",
      "",
      `  ${parts.pageUrl}`,
    ].join("\n"),
  );
  await stopped;
  await bob.stop();
}

const stop = new AbortController();
const stopped = new Promise<"stopped">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Who asks twice does not want to wait: what was started is killed on exit.
      if (stop.signal.aborted) process.exit(130);
      stop.abort(new Error("stopped"));
      resolve("stopped");
    });
  }
});

async function run(once: boolean): Promise<boolean> {
  console.log("Postern's demo, all of it on this machine:\n");
  const steps = new Steps(console.log, stop.signal);
  const starting = startParts(steps);
  try {
    const late = sleep(deadline, "late" as const, { ref: false });
    const worked = await Promise.race([starting.then((parts) => demo(parts, steps)), late, stopped]);
    if (worked === "late") console.error(`the demo did not get through within ${deadline / 1000} s`);
    if (worked === true && !once) await stayUp(await starting);
    return worked === true;
  } finally {
    const [parts] = await Promise.allSettled([starting]);
    if (parts.status === "fulfilled") await parts.value.close();
  }
}

const words = process.argv.slice(2);
if (words.some((word) => word !== "--once")) {
  console.error("usage: npm run demo [-- --once]");
  process.exit(2);
}
const good = await run(words.includes("--once")).catch((fault: unknown) => {
  if (!stop.signal.aborted) console.error(fault instanceof Error ? fault.message : fault);
  return false;
});
process.exit(good ? 0 : 1);
