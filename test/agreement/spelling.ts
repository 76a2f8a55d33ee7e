import fc from "fast-check";

/** A header field before it is written: name in its usual spelling. */
export interface Field {
  readonly name: string;
  readonly value: string;
}

const compact: Readonly<Record<string, string>> = {
  Via: "v",
  From: "f",
  To: "t",
  "Call-ID": "i",
  Contact: "m",
  "Content-Length": "l",
  "Content-Type": "c",
  "Refer-To": "r",
  "Session-Expires": "x",
  Supported: "k",
  Subject: "s",
  Identity: "y",
  Event: "o",
};

/** The one far more often than the others: most of what is valid must stay valid. */
export const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 9 * others.length, arbitrary: fc.constant(usual) }, ...others.map((one) => fc.constant(one)));

/** Two times of three the one. */
export const often = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 2 * others.length, arbitrary: fc.constant(usual) }, ...others.map((one) => fc.constant(one)));

export const any = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

export const join = (...parts: readonly (fc.Arbitrary<string> | string)[]): fc.Arbitrary<string> =>
  fc.tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part))).map((all) => all.join(""));

export const fieldOf = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Field> =>
  value.map((text) => ({ name, value: text }));

/** A field as it is written: names long, short, in any case, spaces and folds where they may be. */
export const written = ({ name, value }: Field): fc.Arbitrary<string> => {
  const short = compact[name] ?? name;
  const spelled = mostly(name, short, short.toUpperCase(), name.toLowerCase(), name.toUpperCase());
  const folded = value.replace(/ /, "\r\n ");
  const text = mostly(value, folded, value.replace(/ /g, " \t"), `${value} \t`, value.replace(/, ?/, " ,\r\n\t "));
  return join(spelled, mostly("", " ", "\t"), ":", mostly(" ", "", "\t", "  ", "\r\n "), text);
};

/** Several values in one field, or each in its own. */
export const listed = (name: string, values: readonly string[], together: boolean): Field[] => {
  if (values.length === 0) return [];
  return together ? [{ name, value: values.join(", ") }] : values.map((value) => ({ name, value }));
};
