import { createHmac } from "node:crypto";

/** The value of Postern-Signature: HMAC-SHA256 over `<Unix seconds>.<body>`, hex. */
export function signatureOf(body: string, secret: string, seconds: number): string {
  const mac = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${mac}`;
}
