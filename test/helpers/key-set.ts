import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A customer's key set at a URL, which may keep who asks waiting. */
export class KeySetServer {
  /** What it answers with. */
  keys: readonly object[];
  /** Whoever asks waits for answer(). */
  slow = false;
  /** How often it was asked. */
  count = 0;
  readonly #server: Server;
  #waiting: ServerResponse[] = [];
  #asked: (() => void)[] = [];

  private constructor(keys: readonly object[]) {
    this.keys = keys;
    this.#server = createServer((_request, response) => {
      this.count++;
      this.#waiting.push(response);
      for (const tell of this.#asked.splice(0)) tell();
      if (!this.slow) this.answer();
    });
  }

  static async open(keys: readonly object[]): Promise<KeySetServer> {
    const set = new KeySetServer(keys);
    await new Promise<void>((resolve) => set.#server.listen(0, "127.0.0.1", resolve));
    return set;
  }

  get uri(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/keys`;
  }

  /** Once somebody asks, or waits already. */
  asked(): Promise<void> {
    return this.#waiting.length > 0 ? Promise.resolve() : new Promise((resolve) => this.#asked.push(resolve));
  }

  answer(): void {
    this.slow = false;
    for (const response of this.#waiting.splice(0)) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ keys: this.keys }));
    }
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
