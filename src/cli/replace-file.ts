import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/**
 * Another text in the place of a file's, whole or not at all: by a rename, also when the machine fails. Owner and group stay,
 * and the mode but for what others may. check: looks at the new file before it takes the place; what it throws leaves all as it
 * was. Throws what node:fs throws.
 */
export function replaceFile(path: string, text: string, check: (fresh: string) => void = () => undefined): void {
  const real = realpathSync(path);
  const { mode, uid, gid } = statSync(real);
  writeBeside(real, text, (fresh) => {
    chownSync(fresh, uid, gid);
    chmodSync(fresh, mode & 0o770);
    check(fresh);
  });
}

/** A file that may not be there yet, with owner and mode of another one. */
export function writeLike(model: string, path: string, text: string): void {
  const { mode, uid, gid } = statSync(model);
  writeBeside(path, text, (fresh) => {
    chownSync(fresh, uid, gid);
    chmodSync(fresh, mode & 0o770);
  });
}

function writeBeside(path: string, text: string, prepare: (fresh: string) => void): void {
  // One that was killed has left it; whoever writes here holds the lock.
  const fresh = `${path}.tmp`;
  rmSync(fresh, { force: true });
  try {
    writeFileSync(fresh, text, { mode: 0o600, flag: "wx", flush: true });
    prepare(fresh);
    renameSync(fresh, path);
  } finally {
    rmSync(fresh, { force: true });
  }
  sync(dirname(path));
}

function sync(folder: string): void {
  const opened = openSync(folder, "r");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

/** Of a process that lives, beside the file that it changes; without it, a release that gives the place free. Never waits. */
export function lock(path: string): { readonly release: () => void } | { readonly heldBy: number } {
  const file = `${realpathSync(path)}.rotating`;
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, `${process.pid}\n`, { mode: 0o600, flag: "wx" });
      return { release: () => rmSync(file, { force: true }) };
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
    }
    const pid = ownerOf(file);
    if (attempt > 0 || isAlive(pid)) return { heldBy: pid };
    rmSync(file, { force: true });
  }
}

function ownerOf(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10) || 0;
  } catch (error) {
    if (isCode(error, "ENOENT")) return 0;
    throw error;
  }
}

/** A process of another user lives too. */
function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, "EPERM");
  }
}

const isCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;
