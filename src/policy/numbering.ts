/**
 * What costs its caller more than a call, by the numbering plans: ITU-T E.164 with the list of assigned country codes (annex
 * to the ITU Operational Bulletin), E.169.2 for +979, and the national plans that countries report to the ITU. Whole ranges
 * only, and only those that hold nothing else; what is merely dear (mobile, far islands) is for `dial` to leave out.
 */

/** By network or service instead of country: Inmarsat, satellite systems, international networks, premium rate. */
export const costlyNetworks: readonly string[] = ["870", "881", "882", "883", "979"];

/** Premium-rate ranges of a country. */
export interface Plan {
  /** Its country code (E.164). */
  readonly code: string;
  /** What is dialled before a national number within the country; empty where nothing is. */
  readonly trunk: string;
  /** National numbers that begin so. */
  readonly premium: readonly string[];
}

const plan = (code: string, trunk: string, ...premium: readonly string[]): Plan => ({ code, trunk, premium });

export const plans: readonly Plan[] = [
  plan("1", "", "900"),
  plan("7", "8", "809"),
  plan("27", "0", "90"),
  plan("30", "", "90"),
  plan("31", "0", "90"),
  plan("32", "0", "90"),
  plan("33", "0", "89"),
  plan("34", "", "803", "806", "807", "905", "907"),
  plan("351", "", "6", "76"),
  plan("352", "", "900", "901", "905"),
  plan("358", "0", "600", "700"),
  plan("359", "0", "90"),
  plan("36", "06", "90", "91"),
  plan("380", "0", "900"),
  plan("385", "0", "60", "61", "64", "69"),
  plan("386", "0", "90"),
  plan("39", "", "89"),
  plan("40", "0", "90"),
  plan("41", "0", "90"),
  plan("420", "", "90"),
  plan("421", "0", "900"),
  plan("43", "0", "9"),
  plan("44", "0", "9", "70", "87"),
  plan("45", "", "90"),
  plan("46", "0", "900", "939", "944"),
  plan("47", "", "820", "829"),
  plan("48", "", "70"),
  plan("49", "0", "900", "118", "137"),
  plan("55", "0", "900"),
  plan("61", "", "190"),
  plan("64", "0", "900"),
  plan("65", "", "1900"),
  plan("82", "0", "60"),
  plan("90", "0", "900"),
  plan("972", "", "1900"),
];

/** What is dialled before a number of another country (ITU-T E.123: the international prefix). */
export const internationalPrefixes: readonly string[] = ["00", "011"];

/** Emergency services nearly everywhere, in the Americas, in the Commonwealth, in Australia. */
export const emergencyCodes: readonly string[] = ["112", "911", "999", "000"];

/** The same behind the digit for an outside line. */
export const emergencyBehindLine: readonly string[] = ["0112", "0911", "0999", "0000", "9112", "9911", "9999"];

const twoDigitCodes = /^(?:2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/** How many digits of an international number are its country code (ITU list of assigned codes). */
export function countryCodeLength(digits: string): number {
  if (/^[17]/.test(digits)) return 1;
  return twoDigitCodes.test(digits) ? 2 : 3;
}
