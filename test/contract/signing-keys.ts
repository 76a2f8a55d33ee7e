import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeSigningKey } from "../../src/auth/signing-key.ts";
import { entryOf } from "../../src/store/chain.ts";
import type { Ports } from "../../src/store/port.ts";

/** An empty database, and how to open it: keys newest first; renew: everything is sealed anew where another is the newest. */
export interface SigningKeysBackend {
  open(keys: readonly string[], renew: boolean): Promise<Ports>;
  /** Everything in it, as whoever reads its files or tables sees it. */
  contents(): Promise<string>;
  remove(): void | Promise<void>;
}

const [first, second] = ["the-key-of-this-store", "the-next-key-of-this-store"] as const;
const act = { by: "gateway", what: "signing-key.add" };

/** What every backend does with the gateway's own keys. */
export function describeSigningKeys(name: string, make: () => Promise<SigningKeysBackend>): void {
  describe(`signing keys in ${name}`, () => {
    let backend: SigningKeysBackend;
    let ports: Ports;

    beforeEach(async () => {
      backend = await make();
      ports = await backend.open([first], false);
    });
    afterEach(async () => {
      await ports.store.close();
      await backend.remove();
    });

    const reopen = async (keys: readonly string[], renew = true): Promise<void> => {
      await ports.store.close();
      ports = await backend.open(keys, renew);
    };

    it("are kept, by when they sign, and are the same after it was opened again", async () => {
      const [old, next] = [makeSigningKey(1_700_000_000_000, 1_700_000_000_000), makeSigningKey(5, 6)];
      expect(await ports.signingKeys.all()).toEqual([]);
      expect(await ports.signingKeys.change({ known: [], add: old, forget: [] }, act)).toBe(true);
      expect(await ports.signingKeys.change({ known: [old.kid], add: next, forget: [] }, act)).toBe(true);
      await reopen([first]);
      expect(await ports.signingKeys.all()).toEqual([next, old]);
      expect(await ports.signingKeys.change({ known: [old.kid, next.kid], forget: [next.kid] }, act)).toBe(true);
      expect(await ports.signingKeys.all()).toEqual([old]);
      expect(await ports.signingKeys.change({ known: [old.kid, next.kid], forget: [old.kid] }, act)).toBe(false);
      expect(await ports.signingKeys.all()).toEqual([old]);
    });

    it("are made by whoever is first: the other is told, and nothing is changed", async () => {
      const other = await backend.open([first], false);
      const [one, two] = [makeSigningKey(1, 1), makeSigningKey(2, 2)];
      const made = await Promise.all([
        ports.signingKeys.change({ known: [], add: one, forget: [] }, act),
        other.signingKeys.change({ known: [], add: two, forget: [] }, act),
      ]);
      expect(made.toSorted()).toEqual([false, true]);
      expect(await other.signingKeys.all()).toEqual([made[0] ? one : two]);
      expect(await ports.signingKeys.all()).toEqual(await other.signingKeys.all());
      await other.store.close();
    });

    it("make an entry of the audit with each change, and none where nothing was changed", async () => {
      const key = makeSigningKey(1, 1);
      const what = `signing-key.add ${key.kid}`;
      await ports.signingKeys.change({ known: [], add: key, forget: [] }, { by: "cli:root", what });
      await ports.signingKeys.change({ known: [], add: makeSigningKey(2, 2), forget: [] }, act);
      const rows = await ports.audit.read({ limit: 10 });
      expect(rows.map(({ text }) => entryOf(text))).toMatchObject([{ by: "cli:root", what }]);
      expect(rows.map(({ text }) => text).join()).not.toContain(JSON.parse(key.jwk).d);
    });

    it("lie there sealed: nothing private is in the clear", async () => {
      const key = makeSigningKey(1, 1);
      await ports.signingKeys.change({ known: [], add: key, forget: [] }, act);
      const contents = await backend.contents();
      expect(contents).toContain(key.kid);
      expect(contents).not.toContain((JSON.parse(key.jwk) as { d: string }).d);
    });

    it("are sealed anew with everything else when the store's key changes", async () => {
      const key = makeSigningKey(1, 1);
      await ports.signingKeys.change({ known: [], add: key, forget: [] }, act);
      await reopen([second, first]);
      expect(await ports.signingKeys.all()).toEqual([key]);
      await reopen([second]);
      expect(await ports.signingKeys.all()).toEqual([key]);
    });
  });
}
