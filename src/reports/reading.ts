import { isJsonObject, type JsonObject, type JsonValue } from "../core/strict-json.ts";

/** What is wrong with a member of a body. path: as in `events[0].userID`. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** An object of a body, and what stands before the names of its members in a path. */
export interface Part {
  readonly object: JsonObject;
  readonly path: string;
}

/** A member's right form, and what is said of a wrong one. */
export interface Form<Value extends JsonValue> {
  readonly is: (value: JsonValue) => value is Value;
  readonly sentence: string;
}

/** More faults than these are told nobody. */
const mostFaults = 20;

/** Reads the members of a body; all that is wrong with it is told at once. What could not be read is undefined. */
export class Reading {
  readonly faults: Fault[] = [];

  /** path: of a member, or of a part, which ends in the dot before its members. */
  fault(path: string, message: string): undefined {
    if (this.faults.length < mostFaults) this.faults.push({ path: path.replace(/\.$/, ""), message });
    return undefined;
  }

  required<Value extends JsonValue>(part: Part, name: string, form: Form<Value>): Value | undefined {
    if (part.object[name] === undefined) return this.fault(part.path + name, "is missing");
    return this.optional(part, name, form);
  }

  optional<Value extends JsonValue>({ object, path }: Part, name: string, form: Form<Value>): Value | undefined {
    const value = object[name];
    if (value === undefined) return undefined;
    return form.is(value) ? value : this.fault(path + name, form.sentence);
  }

  /** A member that nobody knows is a mistake that its writer wants to hear of. */
  onlyThese({ object, path }: Part, names: ReadonlySet<string>): void {
    for (const name of Object.keys(object)) {
      if (!names.has(name)) this.fault(path, `has a member that is none of ${[...names].join(", ")}`);
    }
  }

  /** The one thing that the body is, or those in its list of this name. */
  parts(body: JsonObject, list: string, most: number): readonly Part[] {
    const { data_token: _shown, appID: _claimed, ...object } = body;
    const several = object[list];
    if (several === undefined) return [{ object, path: "" }];
    this.onlyThese({ object, path: "" }, new Set([list]));
    return this.objects(several, list, most);
  }

  objects(value: JsonValue | undefined, path: string, most: number): readonly Part[] {
    if (!Array.isArray(value) || value.length === 0 || value.length > most) {
      this.fault(path, `is no list of 1 to ${most} objects`);
      return [];
    }
    const entries: readonly JsonValue[] = value;
    return entries.flatMap((object, at) => {
      if (isJsonObject(object)) return [{ object, path: `${path}[${at}].` }];
      this.fault(`${path}[${at}]`, "is no object");
      return [];
    });
  }
}

export const matching = (pattern: RegExp, sentence: string): Form<string> => ({
  is: (value): value is string => typeof value === "string" && pattern.test(value),
  sentence,
});

export const between = (least: number, most: number): Form<number> => ({
  is: (value): value is number => typeof value === "number" && value >= least && value <= most,
  sentence: `is no number from ${least} to ${most}`,
});

export const whole = (least: number, most: number): Form<number> => ({
  is: (value): value is number => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
  sentence: `is no whole number from ${least} to ${most}`,
});

/** As SIP's Call-ID, which it is of a telephone call. */
export const conferenceID = matching(/^[!-~]{1,256}$/, "is not 1 to 256 printable ASCII characters without a space");
export const bridgeID = matching(/^[!-~]{1,128}$/, "is not 1 to 128 printable ASCII characters without a space");
export const userID = matching(/^[!-~]{1,320}$/, "is no user: write a name, or name@domain");

/** Milliseconds between what is told and the telling: no clock but the gateway's is believed. */
export const ago = whole(0, 3_600_000);
