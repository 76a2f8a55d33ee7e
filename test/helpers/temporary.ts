import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of one's own; who asked for it removes it. */
export const temporaryDir = (name: string): string => mkdtempSync(join(tmpdir(), `postern-${name}-`));
