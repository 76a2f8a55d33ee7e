import { InvalidArgumentError } from "commander";

/** Of an option that may be given again. */
export const another = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export function wholeNumber(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}

export const wholeSeconds = (text: string): number => {
  if (!/^[0-9]{1,10}$/.test(text)) throw new InvalidArgumentError("It must be a whole number of seconds.");
  return Number(text);
};

export function callsThen(text: string): "finish" | "end" {
  if (text !== "finish" && text !== "end") throw new InvalidArgumentError("It must be finish or end.");
  return text;
}
