import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const entry = fileURLToPath(import.meta.resolve("jssip"));

/** SIP.js as an ES module. Nothing is written. */
export async function sipjsBundle(): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(import.meta.resolve("sip.js")),
    platform: "browser",
    logLevel: "silent",
  });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  return output[0].code;
}

/** JsSIP as one script for a browser, with the global `JsSIP` that its own site once offered. Nothing is written. */
export async function jssipBundle(): Promise<string> {
  const bundle = await rolldown({ input: entry, platform: "browser", logLevel: "silent" });
  const { output } = await bundle.generate({ format: "iife", name: "JsSIP" });
  await bundle.close();
  return output[0].code;
}
