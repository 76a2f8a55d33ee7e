import { type Finding, fail, ok, type System, warn } from "./finding.ts";

/** 2025-01-01: no machine that this runs on has an earlier date, but for a dead battery. */
const earliest = 1_735_689_600_000;

/** Credentials, grants and certificates are judged by the system's clock: is it sane, and does anything keep it right? */
export async function checkClock(system: System): Promise<Finding> {
  const check = "clock";
  const now = new Date(system.now()).toISOString();
  if (system.now() < earliest) {
    return fail(check, `the system says it is ${now}`, "set the clock: with it every credential is judged wrongly");
  }
  const answer = await system.run("timedatectl", ["show", "--property=NTPSynchronized", "--value"]);
  const synchronized = answer?.trim();
  if (synchronized === "yes") return ok(check, `${now}, kept by NTP`);
  if (synchronized === "no") {
    return warn(check, `${now}, and not synchronized by NTP`, "switch NTP on: timedatectl set-ntp true, or chrony");
  }
  const advice = "in a container the host keeps the time: see there that NTP is on; Kamailio's clock is compared below";
  return warn(check, `${now}; unknown whether NTP keeps it, for timedatectl gives no answer here`, advice);
}
