#!/usr/bin/env node
import { run } from "./program.ts";

// Who reads no further, as `postern calls | head`, is told nothing.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(1);
});
process.exitCode = await run(process.argv.slice(2));
