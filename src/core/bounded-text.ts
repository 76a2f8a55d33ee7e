/** The body of an answer to fetch(). Throws where it has more than so many bytes, and reads no more of it then. */
export async function boundedText({ body }: Response, most: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > most) throw new Error("it says more than anybody asked for");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
