import { readdirSync, readFileSync } from "node:fs";

/** CPU time of processes and all their threads, microseconds: the scheduler's own account, in nanoseconds. */
export function cpuMicros(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ", 1)[0]);
    }
  }
  return nanoseconds / 1000;
}

/** Resident memory of processes, bytes. */
export const residentBytes = (pids: readonly number[]): number => statusBytes(pids, "VmRSS");

/** The most that it ever was. */
export const peakBytes = (pids: readonly number[]): number => statusBytes(pids, "VmHWM");

function statusBytes(pids: readonly number[], name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m");
  const kilobytes = pids.map((pid) => Number(line.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0));
  return kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
}

/** The processes of a process group, as Kamailio's are. */
export function groupOf(leader: number): number[] {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter((pid) => groupIdOf(pid) === leader);
}

/** Undefined where the process has ended meanwhile. */
function groupIdOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
      return undefined;
    throw error;
  }
}
