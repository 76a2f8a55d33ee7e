import { describe, expect, it } from "vitest";
import { DecoyKeys } from "../../../src/auth/decoy-keys.ts";
import { readJws } from "../../../src/auth/jws-text.ts";
import { verifyJws } from "../../../src/auth/verification-keys.ts";
import type { JwtAlgorithm } from "../../../src/core/identity.ts";
import { signer, signToken } from "../../helpers/tokens.ts";

describe("a decoy key", () => {
  it.each<JwtAlgorithm>(["HS256", "HS512", "RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"])(
    "for %s checks a signature in full and finds it wrong, is made once, and is another in each process",
    async (alg) => {
      const decoys = new DecoyKeys();
      const key = decoys.for(alg);
      expect(decoys.for(alg)).toBe(key);
      expect(new DecoyKeys().for(alg).key).not.toBe(key.key);
      const token = await signToken({ alg }, {}, alg.startsWith("HS") ? "s".repeat(64) : signer(alg).private);
      const read = readJws(token);
      expect(read.kind === "jws" && (await verifyJws(read.jws, key))).toBe(false);
    },
  );
});
