/**
 * `npm run demo [-- --once]`: starts Kamailio, a trunk and the gateway, places two real calls and draws them; then stays up
 * until Ctrl-C, or with --once ends. Exit 0 only if both calls worked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type CallReport, callTrunk, callUser, visitor } from "./demo/calls.ts";
import { type Parts, startParts } from "./demo/parts.ts";

/** Milliseconds for everything until the calls are over. */
const deadline = 60_000;

async function demo(parts: Parts): Promise<boolean> {
  console.log(`Postern listens on ${parts.gatewayUrl}, Kamailio and acme's trunk are behind it.\n`);
  const inside = show("client to client: alice calls bob", await callUser(parts));
  const outside = show("client to trunk: alice calls +3225887123, a number of acme's", await callTrunk(parts));
  return inside && outside;
}

function show(title: string, { ok, ladder, figures }: CallReport): boolean {
  console.log(`${title}\n\n${ladder}\n\n${ok ? "worked" : "FAILED"}: ${figures}\n`);
  return ok;
}

/** bob answers whoever calls, until the demo is stopped. */
async function stayUp(parts: Parts): Promise<void> {
  const bob = await visitor(parts, "bob");
  const cli = "npm run -s postern --";
  console.log(
    [
      `Gateway ${parts.gatewayUrl}, metrics ${parts.adminUrl}/metrics, logs in ${parts.dir}.`,
      "bob answers for the next hour. In another terminal, call him or a number of acme's (sip:+3225887123@acme.example):",
      "",
      `  ${cli} mint --secret file:${parts.secretFile} --user carol@acme.example |`,
      `  ${cli} client call sip:bob@acme.example --url ${parts.gatewayUrl} --uri sip:carol@acme.example --credentials -`,
      "",
      "Ctrl-C ends the demo.",
    ].join("\n"),
  );
  await stopped;
  await bob.stop();
}

const stopped = new Promise<"stopped">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve("stopped"));
});

async function run(once: boolean): Promise<boolean> {
  const starting = startParts();
  try {
    const late = sleep(deadline, "late" as const, { ref: false });
    const worked = await Promise.race([starting.then(demo), late, stopped]);
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
  console.error(fault instanceof Error ? fault.message : fault);
  return false;
});
process.exit(good ? 0 : 1);
