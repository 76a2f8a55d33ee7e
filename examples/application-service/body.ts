import type { IncomingMessage } from "node:http";

/** The JWS of `{"getPermissionToken":"…"}`; undefined: the text is nothing of the kind. */
export function messageIn(text: string): string | undefined {
  try {
    const { getPermissionToken } = Object(JSON.parse(text)) as { readonly getPermissionToken?: unknown };
    return typeof getPermissionToken === "string" ? getPermissionToken : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The body; undefined: it is longer than that many bytes. */
export async function readBody(request: IncomingMessage, longest: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > longest) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
