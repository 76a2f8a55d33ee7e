/** The small primes by which the fingerprint of Nemec et al., CCS 2017, §2.1, tells such moduli. */
const primes = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
  127, 131, 137, 139, 149, 151, 157, 163, 167,
] as const;

/**
 * Whether an RSA modulus has the form that Infineon's library gave it (CVE-2017-15361): its private key can be computed.
 * Such a modulus is a power of 65537 modulo each small prime; by chance that happens once in 2^27.
 */
export const isRoca = (modulus: bigint): boolean =>
  primes.every((prime) => powers(prime).has(Number(modulus % BigInt(prime))));

function powers(prime: number): Set<number> {
  const found = new Set<number>();
  for (let power = 1; !found.has(power); power = (power * 65_537) % prime) found.add(power);
  return found;
}
