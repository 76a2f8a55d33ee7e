import { describe, expect, it } from "vitest";
import type { Edit } from "../../../src/manage/edit.ts";
import { addApiKey, addKey, removeApiKey, removeKey } from "../../../src/manage/keys.ts";
import { addText, removeInbound, removeText, setInbound } from "../../../src/manage/lists.ts";
import { dropEnded, restore, resume, revoke, suspend } from "../../../src/manage/revocations.ts";
import { createSecret, listSecrets, promoteSecret, retireSecret, revokeSecret } from "../../../src/manage/secrets.ts";
import { mergePatch, replaceWhole } from "../../../src/manage/whole.ts";
import type { Item } from "../../../src/store/port.ts";

const now = 1_700_000_000;
const k1 = { id: "k1", secret: "the-secret-of-acme-1", algorithm: "sha1" };
const k2 = { id: "k2", secret: "the-secret-of-acme-2", algorithm: "sha256" };
const acme: Item = Object.freeze({ id: "acme", domains: ["acme.example"], secrets: [k1, k2] });

function mustBeMade<Told>(edit: Edit<Told>, item: Item = acme): { item: Item; told: Told } {
  const made = edit(item);
  if (made.kind !== "made") return expect.fail(`it was ${made.kind}`);
  return made;
}

describe("a secret", () => {
  it("is made here, of 32 random bytes, told once, and before the others", () => {
    const { item, told } = mustBeMade(createSecret({}));
    expect(told).toEqual({ id: "k3", algorithm: "sha1", secret: expect.any(String) });
    expect(Buffer.from(told.secret ?? "", "base64")).toHaveLength(32);
    expect(item.secrets).toEqual([{ id: "k3", secret: told.secret, algorithm: "sha1" }, k1, k2]);
    expect(mustBeMade(createSecret({})).told.secret).not.toBe(told.secret);
  });

  it("that is brought is not told again", () => {
    const { item, told } = mustBeMade(createSecret({ id: "mine", secret: "a-secret-brought-along", notAfter: now }));
    expect(told).toEqual({ id: "mine", algorithm: "sha1" });
    expect(item.secrets).toMatchObject([{ id: "mine", secret: "a-secret-brought-along", notAfter: now }, k1, k2]);
  });

  it("of an id that is taken, in whatever case, is refused", () => {
    expect(createSecret({ id: "K1" })(acme)).toMatchObject({ kind: "refused", faults: [{ path: "id" }] });
    expect(createSecret({ id: "k4" })(acme)).toMatchObject({ kind: "made" });
  });

  it("is listed without what it is", () => {
    const secrets = [
      { ...k1, notAfter: now - 1 },
      { ...k2, notBefore: "2100-01-01" },
      { id: "k3", secret: "x" },
    ];
    expect(listSecrets({ id: "acme", secrets }, now)).toEqual([
      { id: "k1", algorithm: "sha1", notBefore: null, notAfter: now - 1, state: "ended" },
      { id: "k2", algorithm: "sha256", notBefore: 4_102_444_800, notAfter: null, state: "not yet" },
      { id: "k3", algorithm: "sha1", notBefore: null, notAfter: null, state: "valid" },
    ]);
    const use = { customer: "acme", count: 7, last: 1_700_000_000_999 } as const;
    const uses = [{ ...use, kind: "secret", id: "k2" } as const, { ...use, kind: "key", id: "k3" } as const];
    expect(listSecrets({ id: "acme", secrets }, now, uses)).toMatchObject([
      { id: "k1", uses: 0, lastUsed: null },
      { id: "k2", uses: 7, lastUsed: 1_700_000_000 },
      { id: "k3", uses: 0, lastUsed: null },
    ]);
  });

  it("is promoted to the front", () => {
    expect(mustBeMade(promoteSecret("k2")).item.secrets).toEqual([k2, k1]);
    expect(promoteSecret("k9")(acme)).toEqual({ kind: "absent", what: "secret" });
  });

  it("is retired with a grace time, never longer than it was good before", () => {
    const { item, told } = mustBeMade(retireSecret("k1", now, 60));
    expect(told).toEqual({ id: "k1", notAfter: now + 60 });
    expect(item.secrets).toEqual([{ ...k1, notAfter: now + 60 }, k2]);
    expect(mustBeMade(retireSecret("k1", now, 600), item).told.notAfter).toBe(now + 60);
    expect(retireSecret("k9", now, 60)(acme)).toEqual({ kind: "absent", what: "secret" });
    const later = { ...acme, secrets: [{ ...k1, notBefore: now + 90 }] };
    expect(retireSecret("k1", now, 60)(later)).toMatchObject({ kind: "refused", faults: [{ path: "grace" }] });
  });

  it("is revoked at once", () => {
    expect(mustBeMade(revokeSecret("k1"))).toMatchObject({ item: { secrets: [k2] }, told: { left: 1 } });
    expect(revokeSecret("k9")(acme)).toEqual({ kind: "absent", what: "secret" });
  });
});

describe("keys", () => {
  const key = { id: "j1", alg: "HS256", secret: "a-shared-secret-of-32-bytes-long" };

  it("are added and removed by their ids", () => {
    const { item } = mustBeMade(addKey(key));
    expect(item.keys).toEqual([key]);
    expect(addKey({ ...key, id: "J1" })(item)).toMatchObject({ kind: "refused", faults: [{ path: "id" }] });
    expect(mustBeMade(removeKey("j1"), item).item.keys).toEqual([]);
    expect(removeKey("j2")(item)).toEqual({ kind: "absent", what: "key" });
  });

  it("of the API are made here and told once, or brought", () => {
    const { item, told } = mustBeMade(addApiKey({ id: "a1" }));
    expect(item.apiKeys).toEqual([{ id: "a1", secret: told.secret }]);
    expect(mustBeMade(addApiKey({ id: "a2", secret: "a-secret-brought-along" })).told).toEqual({ id: "a2" });
    expect(addApiKey({ id: "A1" })(item)).toMatchObject({ kind: "refused", faults: [{ path: "id" }] });
    expect(mustBeMade(removeApiKey("a1"), item).item.apiKeys).toEqual([]);
    expect(removeApiKey("a1")(acme)).toEqual({ kind: "absent", what: "API key" });
  });
});

describe("a list", () => {
  it("gets a text once, and loses it in whatever case where it knows none", () => {
    const { item } = mustBeMade(addText("origins", "https://www.acme.example"));
    expect(mustBeMade(addText("origins", "https://www.acme.example"), item)).toEqual({
      ...{ kind: "made", item, told: { added: false } },
    });
    const { item: two } = mustBeMade(addText("origins", "https://b.example"), item);
    expect(mustBeMade(removeText("origins", "HTTPS://www.acme.example"), two).item.origins).toEqual([
      "https://b.example",
    ]);
    expect(removeText("origins", "https://other.example")(item)).toEqual({ kind: "absent", what: "origin" });
    expect(mustBeMade(addText("numbers", "+3225887*")).item.numbers).toEqual(["+3225887*"]);
    expect(removeText("dial", "+32*")(acme)).toEqual({ kind: "absent", what: "number" });
  });

  it("of origins does not become empty by removing one, for then any page might connect", () => {
    const one = { ...acme, origins: ["https://www.acme.example"] };
    expect(removeText("origins", "https://www.acme.example")(one)).toMatchObject({
      ...{ kind: "refused", faults: [{ path: "origins[0]", message: expect.stringContaining("every page") }] },
    });
    const callFrom = { ...acme, callFrom: ["*@Acme.example"] };
    expect(mustBeMade(removeText("callFrom", "*@acme.EXAMPLE"), callFrom).item.callFrom).toEqual([]);
  });

  it("of numbers leads each to one user, whatever its spelling", () => {
    const { item } = mustBeMade(setInbound("+3225887000", "reception"));
    expect(item.inbound).toEqual({ "+3225887000": "reception" });
    const moved = mustBeMade(setInbound("003225887000", "sales"), item).item;
    expect(moved.inbound).toEqual({ "003225887000": "sales" });
    expect(mustBeMade(removeInbound("3225887000"), moved).item.inbound).toEqual({});
    expect(removeInbound("+3225887001")(moved)).toEqual({ kind: "absent", what: "number" });
  });
});

describe("what is taken from a customer", () => {
  it("is a suspension, until it is lifted", () => {
    const { item } = mustBeMade(suspend("finish"));
    expect(item.suspended).toBe("finish");
    expect(mustBeMade(resume, item).item).toEqual(acme);
  });

  it("is a user, credential, jti or handle, each once", () => {
    const alice = { user: "alice@acme.example", until: now + 60 };
    const { item } = mustBeMade(revoke(alice, now));
    const later = { user: "alice@ACME.example", until: now + 90, calls: "finish" };
    const replaced = mustBeMade(revoke(later, now), item).item;
    expect(replaced.revoked).toEqual([later]);
    const jti = { jti: "alice@acme.example", until: now + 60 };
    const both = mustBeMade(revoke(jti, now), replaced).item;
    expect(both.revoked).toEqual([jti, later]);
    expect(mustBeMade(restore("user", "alice@acme.example"), both).item.revoked).toEqual([jti]);
    expect(restore("handle", "alice@acme.example")(both)).toEqual({ kind: "absent", what: "revocation" });
    expect(mustBeMade(revoke({ until: now }, now), both).item.revoked).toEqual([{ until: now }, jti, later]);
  });

  it("is not until a time that is over: it would be dropped, and seem to be revoked", () => {
    for (const until of [now - 1, 1, "1970-01-02"]) {
      const refused = revoke({ user: "alice", until }, now)(acme);
      expect(refused).toMatchObject({ kind: "refused", faults: [{ path: "revoked[0].until" }] });
    }
    expect(mustBeMade(revoke({ user: "alice", until: now }, now)).item.revoked).toHaveLength(1);
  });

  it("is forgotten when it has ended, and only then", () => {
    const revoked = [
      { user: "a", until: now - 1 },
      { user: "b", until: now },
      { user: "c", until: "never" },
    ];
    expect(dropEnded({ ...acme, revoked }, now).revoked).toEqual(revoked.slice(1));
    expect(dropEnded({ ...acme, revoked: revoked.slice(0, 1) }, now)).toEqual(acme);
    expect(dropEnded(acme, now)).toBe(acme);
  });
});

describe("a merge patch (RFC 7396)", () => {
  const patched = (patch: object, item: Item = acme): Item => mustBeMade(mergePatch({ ...patch }), item).item;

  it("replaces, takes away, and goes into maps", () => {
    const item = { ...acme, limits: { calls: 5, connections: 7 }, trunk: "sip:pbx.acme.example" };
    expect(patched({ limits: { calls: null, callSeconds: 9 }, trunk: null, domains: ["b.example"] }, item)).toEqual({
      ...{ id: "acme", domains: ["b.example"], secrets: [k1, k2], limits: { connections: 7, callSeconds: 9 } },
    });
  });

  it("keeps the secrets of entries that do not say theirs, and of a webhook", () => {
    const jwk = { id: "j2", alg: "ES256", jwksUri: "https://acme.example/jwks?token=t" };
    const hs = { id: "j1", alg: "HS256", secret: "a-shared-secret-of-32-bytes-long" };
    const webhook = { url: "https://acme.example/a", secret: "the-secret-of-its-webhook" };
    const trunkAuth = { username: "acme-trunk", password: "its-password" };
    const item = { ...acme, keys: [hs, jwk], webhook, trunkAuth };
    const shown = {
      secrets: [{ id: "k2", algorithm: "sha512" }, { id: "new" }],
      keys: [
        { id: "j1", alg: "HS256" },
        { id: "j2", alg: "ES256", jwksUri: "https://acme.example/jwks" },
      ],
      webhook: { url: "https://acme.example/b" },
      trunkAuth: { username: "acme-trunk", realm: "pbx.acme.example" },
    };
    expect(patched(shown, item)).toMatchObject({
      secrets: [{ ...k2, algorithm: "sha512" }, { id: "new" }],
      keys: [hs, jwk],
      webhook: { url: "https://acme.example/b", secret: webhook.secret },
      trunkAuth: { ...trunkAuth, realm: "pbx.acme.example" },
    });
    const other = { id: "j1", alg: "ES256", jwksUri: "https://acme.example/other" };
    expect(patched({ keys: [other] }, item).keys).toEqual([other]);
  });

  it("does not change the id", () => {
    expect(mergePatch({ id: "globex" })(acme)).toMatchObject({ kind: "refused", faults: [{ path: "id" }] });
    expect(patched({ id: "acme" })).toEqual(acme);
    expect(mergePatch({ id: null })(acme)).toMatchObject({ kind: "refused" });
  });

  it("gives no name a meaning of its own", () => {
    const patch = JSON.parse('{"constructor":{"prototype":{"own":1}},"limits":{"toString":1}}') as object;
    const item = patched(patch);
    expect(Object.keys(item)).toEqual(["id", "domains", "secrets", "constructor", "limits"]);
    expect(({} as Record<string, unknown>).own).toBeUndefined();
  });
});

describe("a whole replacement", () => {
  it("leaves nothing of before but the id, and secrets of entries that do not say theirs", () => {
    const { item } = mustBeMade(replaceWhole({ secrets: [{ id: "k1", algorithm: "sha1" }] }), { ...acme, maxTtl: 60 });
    expect(item).toEqual({ id: "acme", secrets: [k1] });
    expect(replaceWhole({ id: "globex" })(acme)).toMatchObject({ kind: "refused", faults: [{ path: "id" }] });
  });
});
