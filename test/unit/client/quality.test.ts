import process_ from "node:process";
import type { RTCSession } from "jssip/lib/RTCSession.js";
import type { Session as SipJsSession } from "sip.js";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { dataTokens, type Problem, type Quality, quality, type Session } from "../../../src/client/browser/quality.js";

const gateway = "https://sip.acme.example:8443";

interface Asked {
  readonly path: string;
  readonly token: string | undefined;
  readonly body: Body;
  readonly init: RequestInit;
}

interface Body {
  readonly data_token?: string;
  readonly events?: readonly { readonly event: string; readonly ago: number; readonly conferenceID: string }[];
  readonly reports?: readonly { readonly stats: readonly object[]; readonly ago: number }[];
}

/** What the gateway is asked, and what it answers: by default that all was taken. */
let asked: Asked[];
let answer: (one: Asked) => Response | Promise<Response>;
let beacons: { readonly url: string; readonly body: Body }[];
let page: Record<string, () => void>;
let problems: Problem[];
/** Requests that told nothing. */
let empty = 0;
/** How often the whole process was run, and what comes of it. */
let processes: number;
let process: () => Promise<{ data_token: string; expires_in: number }>;
const open: Quality[] = [];

const taken = (): Response => Response.json({ taken: 1 }, { status: 202 });
const refused = (status: number, code: string, headers: Record<string, string> = {}): Response =>
  Response.json({ status, code, detail: `${code}: do this` }, { status, headers });

beforeEach(() => {
  vi.useFakeTimers();
  [asked, beacons, page, problems, processes] = [[], [], {}, [], 0];
  answer = taken;
  process = async () => ({ data_token: `token-${processes}`, expires_in: 3600 });
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const { Authorization } = init.headers as Record<string, string>;
    const one = { path: url.replace(gateway, ""), token: Authorization, body: JSON.parse(String(init.body)), init };
    asked.push(one);
    if ([one.body.events, one.body.reports].some((list) => list?.length === 0)) empty++;
    return answer(one);
  });
  vi.stubGlobal("navigator", {
    sendBeacon: (url: string, body: string) => beacons.push({ url, body: JSON.parse(body) }),
  });
  vi.stubGlobal("addEventListener", (name: string, listener: () => void) => {
    page[name] = listener;
  });
  vi.stubGlobal("removeEventListener", (name: string) => delete page[name]);
});

afterEach(() => {
  expect(empty).toBe(0);
  for (const one of open.splice(0)) one.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function begin(more: object = {}): Quality {
  const dataToken = () => {
    processes++;
    return process();
  };
  const onProblem = (problem: Problem) => problems.push(problem);
  const made = quality({ gateway, userID: "alice@acme.example", dataToken, onProblem, ...more });
  open.push(made);
  return made;
}

const stats = [
  {
    type: "inbound-rtp",
    id: "i",
    kind: "audio",
    ssrc: 7,
    packetsReceived: 50,
    packetsLost: 1,
    jitter: 0.002,
    mid: "0",
  },
  { type: "candidate-pair", id: "p", nominated: true, currentRoundTripTime: 0.01 },
  { type: "candidate-pair", id: "q", nominated: false, currentRoundTripTime: 0.5 },
  { type: "local-candidate", id: "l", candidateType: "host", address: "192.0.2.7", port: 4711, networkType: "wifi" },
  { type: "codec", id: "k", mimeType: "audio/opus", clockRate: 48_000 },
  { type: "certificate", id: "c", fingerprint: "AA:BB" },
];

class Connection extends EventTarget {
  connectionState = "new";
  getStats = async (): Promise<Map<string, object>> => new Map(stats.map((one) => [one.id, one]));
  become(state: string): void {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }
}

/** As much of JsSIP's session as is read. */
class Jssip {
  readonly id = "call-1;tag";
  readonly direction: string;
  readonly connection = new Connection();
  readonly _request = { call_id: "call-1" };
  readonly #on = new Map<string, (told: object) => void>();
  constructor(direction = "outgoing") {
    this.direction = direction;
  }
  on(name: string, listener: (told: object) => void): void {
    this.#on.set(name, listener);
  }
  emit(name: string, told: object = {}): void {
    this.#on.get(name)?.(told);
  }
  get session(): Session {
    return this as unknown as Session;
  }
}

const seconds = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * 1000);
const told = (): string[] => asked.flatMap(({ body }) => (body.events ?? []).map(({ event }) => event));
const reports = (): number => asked.reduce((sum, { body }) => sum + (body.reports?.length ?? 0), 0);

/** A call that is under way, and everything of its begin was sent. */
async function inCall(more: object = {}, call = new Jssip()): Promise<{ made: Quality; call: Jssip }> {
  const made = begin(more);
  made.watch(call.session);
  call.emit("accepted");
  await seconds(3);
  return { made, call };
}

describe("quality.js", () => {
  it("takes what JsSIP and SIP.js call a session", () => {
    const watch = (_session: Session): void => {};
    expect((one: RTCSession, other: SipJsSession) => [watch(one), watch(other)]).toBeTypeOf("function");
  });

  it("runs the process once, and shows its token", async () => {
    await inCall();
    expect(processes).toBe(1);
    expect(asked.every(({ token }) => token === "Bearer token-1")).toBe(true);
  });

  it("shows the token that the page has already, as long as that is good", async () => {
    answer = ({ token }) => (token === "Bearer first" ? refused(401, "credential-expired") : taken());
    await inCall({ first: { data_token: "first", expires_in: 3600 } });
    expect(asked.map(({ token }) => token).slice(0, 2)).toEqual(["Bearer first", "Bearer token-1"]);
    expect(processes).toBe(1);
  });

  it("has another before that one ends", async () => {
    const { made, call } = await inCall({ first: { data_token: "first", expires_in: 10 } });
    await seconds(6.5);
    made.event(call.session, "feedback");
    await seconds(1);
    expect([told().at(-1), processes]).toEqual(["feedback", 1]);
  });

  it("sends the statistics of a call that is over, though nothing else may be told of it", async () => {
    answer = ({ path }) => (path === "/v1/events" ? refused(403, "permission-missing") : taken());
    const { call } = await inCall();
    const before = reports();
    await seconds(3);
    call.emit("ended");
    await seconds(2);
    expect(reports()).toBeGreaterThan(before);
  });

  it("sends no cookies, and requests that outlive the page", async () => {
    const timeouts = vi.spyOn(AbortSignal, "timeout");
    await inCall();
    expect(timeouts).toHaveBeenCalledWith(20_000);
    expect(asked[0]?.init).toMatchObject({ credentials: "omit", keepalive: true, method: "POST" });
  });

  it("tells of a call that was answered before it was watched", async () => {
    const call = Object.assign(new Jssip(), { isEstablished: () => true });
    begin().watch(call.session);
    await seconds(2);
    expect(told()).toEqual(["conferenceStarted", "userJoined"]);
  });

  it("tells nothing of a call that has no media", async () => {
    const call = new Jssip();
    Object.defineProperty(call, "connection", { value: undefined });
    begin().watch(call.session);
    call.emit("accepted");
    await seconds(30);
    expect(asked).toEqual([]);
  });

  it("tells nothing before the call is answered, and nothing of one that never is", async () => {
    const made = begin();
    const call = new Jssip();
    made.watch(call.session);
    await seconds(60);
    call.emit("failed");
    await seconds(60);
    expect([asked, processes]).toEqual([[], 0]);
  });

  it("tells who called that the conference started, under the Call-ID, each permission in a request of its own", async () => {
    const made = begin();
    const call = new Jssip();
    made.watch(call.session);
    call.emit("accepted");
    call.emit("accepted");
    await seconds(1);
    expect(told()).toEqual(["conferenceStarted", "userJoined"]);
    expect(asked.map(({ body }) => body.events?.length).slice(0, 2)).toEqual([1, 1]);
    expect(asked[0]?.body.events?.[0]).toMatchObject({ conferenceID: "call-1", userID: "alice@acme.example" });
    call.emit("ended");
    await seconds(2);
    expect(told()).toEqual(["conferenceStarted", "userJoined", "userLeft"]);
  });

  it("tells of who was called that they joined, no more", async () => {
    await inCall({}, new Jssip("incoming"));
    expect(told()).toEqual(["userJoined"]);
  });

  it("tells what the session and its connection go through", async () => {
    const { made, call } = await inCall();
    call.connection.become("connected");
    call.connection.become("connecting");
    call.emit("muted", { audio: true });
    call.emit("unmuted", { audio: true });
    call.emit("muted", { audio: false });
    call.emit("unmuted", { audio: false });
    call.connection.become("failed");
    made.event(call.session, "feedback", { stars: 4 });
    await seconds(2);
    const muted = ["audioMuted", "audioUnmuted", "videoMuted", "videoUnmuted"];
    expect(told().slice(2)).toEqual(["mediaConnected", ...muted, "mediaFailed", "feedback"]);
    expect(asked.at(-1)?.body.events?.at(-1)).toMatchObject({ detail: { stars: 4 } });
  });

  it("tells that the conference has ended only when asked to, last of all", async () => {
    const { made, call } = await inCall();
    made.end(call.session);
    call.emit("ended");
    await seconds(3);
    expect(told().slice(2)).toEqual(["userLeft", "conferenceEnded"]);
  });

  it("takes another conferenceID where it is given one", async () => {
    const made = begin();
    const call = new Jssip();
    made.watch(call.session, { conferenceID: "room-7" });
    call.emit("accepted");
    await seconds(2);
    expect(asked[0]?.body.events?.[0]?.conferenceID).toBe("room-7");
  });

  it.each(["Initial", "Established"])("follows a session of SIP.js, watched while it is %s", async (state) => {
    let changed = (_state: string): void => {};
    const stateChange = { addListener: (listener: typeof changed) => (changed = listener) };
    const sessionDescriptionHandler = { peerConnection: new Connection() };
    const session = {
      id: "x",
      state,
      stateChange,
      request: { callId: "call-2" },
      sessionDescriptionHandler,
      invite() {},
    };
    begin().watch(session as unknown as Session);
    if (state === "Initial") changed("Established");
    await seconds(3);
    changed("Terminated");
    await seconds(2);
    expect(told()).toEqual(["conferenceStarted", "userJoined", "userLeft"]);
    expect(asked[0]?.body.events?.[0]?.conferenceID).toBe("call-2");
  });
});

describe("the statistics", () => {
  it("come more often while the call is young, together in requests", async () => {
    await inCall();
    await seconds(57);
    const requests = asked.filter(({ path }) => path === "/v1/stats");
    expect(reports()).toBeGreaterThan(5);
    expect(requests.length).toBeLessThan(reports() / 2);
  });

  it("are what the gateway reads: no address, no device, no pair that is not used", async () => {
    await inCall();
    await seconds(30);
    const sent = asked.find(({ body }) => body.reports)?.body.reports?.[0]?.stats;
    expect(sent).toEqual([
      { type: "inbound-rtp", id: "i", kind: "audio", ssrc: 7, packetsReceived: 50, packetsLost: 1, jitter: 0.002 },
      { type: "candidate-pair", id: "p", nominated: true, currentRoundTripTime: 0.01 },
      { type: "local-candidate", id: "l", candidateType: "host" },
      { type: "codec", id: "k", mimeType: "audio/opus" },
    ]);
  });

  it("are not sent where there is nothing yet", async () => {
    const call = new Jssip();
    call.connection.getStats = async () => new Map();
    await inCall({}, call);
    await seconds(60);
    expect(reports()).toBe(0);
  });

  it("end with the call", async () => {
    const { call } = await inCall();
    call.emit("ended");
    await seconds(30);
    const before = reports();
    await seconds(120);
    expect(reports()).toBe(before);
  });
});

describe("when the gateway is out of reach", () => {
  it("comes again, each time later, and no memory grows", async () => {
    answer = () => Promise.reject(new TypeError("Failed to fetch"));
    const { made, call } = await inCall();
    for (let count = 0; count < 500; count++) made.event(call.session, "feedback", { count });
    await seconds(600);
    expect(asked.length).toBeLessThan(16);
    await seconds(300);
    answer = taken;
    asked = [];
    await seconds(92);
    expect(told().length + reports()).toBeLessThan(125);
    expect(told().length + reports()).toBeGreaterThanOrEqual(100);
    expect(problems).toEqual([]);
  });

  it("sends what has waited in requests of ten at most, one after the other", async () => {
    answer = () => Promise.reject(new TypeError("Failed to fetch"));
    const { made, call } = await inCall();
    for (let count = 0; count < 50; count++) made.event(call.session, "feedback", { count });
    let open = 0;
    answer = async () => {
      expect(++open).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      open--;
      return taken();
    };
    asked = [];
    await seconds(60);
    const sizes = asked.map(({ body }) => (body.events ?? body.reports ?? []).length);
    expect([Math.max(...sizes), told().length]).toEqual([10, 52]);
  });

  it("sends no more at once than a browser lets outlive its page, and the gateway reads", async () => {
    const { call } = await inCall();
    const large = { ...stats[0], transportId: "t".repeat(9_000) };
    call.connection.getStats = async () => new Map([["i", large]]);
    answer = () => Promise.reject(new TypeError("offline"));
    await seconds(120);
    [asked, answer] = [[], taken];
    await seconds(61 * 1.5);
    expect(reports()).toBeGreaterThan(10);
    expect(Math.max(...asked.map(({ init }) => String(init.body).length))).toBeLessThan(65_536);
    expect(Math.max(...asked.map(({ body }) => body.reports?.length ?? 0))).toBeGreaterThan(1);
  });

  it("forgets what is older than the gateway would take", async () => {
    answer = () => Promise.reject(new TypeError("Failed to fetch"));
    const { call } = await inCall();
    call.emit("ended");
    await seconds(3600);
    answer = taken;
    asked = [];
    await seconds(200);
    expect(asked).toEqual([]);
  });

  it("comes soon again after what was but a moment, and waits are not the same for all pages", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.9);
    answer = () => refused(429, "rate-limited");
    await inCall();
    await seconds(30);
    answer = taken;
    await seconds(60);
    const { length } = asked;
    answer = () => Promise.reject(new TypeError("Failed to fetch"));
    await seconds(20);
    expect(problems).toEqual([]);
    expect(asked.length).toBeGreaterThan(length);
    const failed = asked.length;
    vi.spyOn(Math, "random").mockReturnValue(0);
    await seconds(4);
    expect(asked.length).toBeGreaterThan(failed);
    vi.restoreAllMocks();
  });

  it("says how long ago each thing was", async () => {
    answer = () => Promise.reject(new TypeError("Failed to fetch"));
    await inCall();
    answer = taken;
    asked = [];
    await seconds(10);
    expect(asked[0]?.body.events?.[0]?.ago).toBeGreaterThan(2000);
    expect(Number.isInteger(asked[0]?.body.events?.[0]?.ago)).toBe(true);
  });

  it("waits as long as Retry-After says", async () => {
    answer = () => refused(503, "limit-reached", { "Retry-After": "40" });
    await inCall();
    expect(asked.length).toBe(1);
    await seconds(36);
    expect(asked.length).toBe(1);
    await seconds(30);
    expect(asked.length).toBe(2);
  });
});

describe("a data_token that is refused", () => {
  it("is followed by the whole process, at once, and what was refused is sent again", async () => {
    answer = ({ token }) => (token === "Bearer token-1" ? refused(401, "credential-revoked") : taken());
    const call = new Jssip();
    begin().watch(call.session);
    call.emit("accepted");
    await seconds(2.01);
    expect(processes).toBe(2);
    await seconds(1);
    expect(asked.filter(({ token }) => token === "Bearer token-1")).toHaveLength(1);
    expect(told()).toEqual(["conferenceStarted", "conferenceStarted", "userJoined"]);
  });

  it("is followed by it once a token, later and later", async () => {
    answer = () => refused(401, "credential-rejected");
    await inCall();
    await seconds(300);
    expect(asked.length).toBe(processes);
    expect(asked.length).toBeLessThan(12);
  });

  it.each([401, 403])("stops everything where the application does not give another (%i)", async (status) => {
    process = () => dataTokens({ gateway, appID: "acme", userID: "alice", applicationToken: async () => "a" })();
    const detail = "application-denied: do this".padEnd(5000, ".");
    answer = () => Response.json({ code: "application-denied", detail }, { status });
    await inCall();
    await seconds(300);
    expect(asked.map(({ path }) => path)).toEqual(["/v1/data-tokens"]);
    expect(problems).toMatchObject([{ stopped: true, problem: { status, code: "application-denied" } }]);
    expect(problems[0]?.problem.message).toBe("application-denied: do this".padEnd(300, "."));
  });

  it.each([401, 403])("stops everything where it ended between two requests (%i)", async (status) => {
    process = () => Promise.reject(Object.assign(new Error("log in again"), { status }));
    answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return taken();
    };
    await inCall({ first: { data_token: "first", expires_in: 2 } });
    await seconds(300);
    expect([told(), processes]).toEqual([["conferenceStarted"], 1]);
    expect(problems).toMatchObject([{ stopped: true, problem: { status } }]);
  });

  it("is asked for again, before it has ended, by the page's own clock", async () => {
    process = async () => ({ data_token: `token-${processes}`, expires_in: 100 });
    await inCall();
    await seconds(300);
    expect([3, 4]).toContain(processes);
  });
});

describe("a permission that is missing", () => {
  it("stops what needs it, with the sentence, and nothing else", async () => {
    answer = ({ path }) => (path === "/v1/stats" ? refused(403, "permission-missing") : taken());
    const { call } = await inCall();
    await seconds(300);
    call.emit("ended");
    await seconds(2);
    expect(asked.filter(({ path }) => path === "/v1/stats")).toHaveLength(1);
    expect(told()).toEqual(["conferenceStarted", "userJoined", "userLeft"]);
    expect(problems).toMatchObject([{ permission: "SubmitConferenceStats", stopped: false }]);
    expect(problems[0]?.problem.message).toBe("permission-missing: do this");
    expect(processes).toBe(1);
  });

  it("of bridges is theirs alone", async () => {
    answer = ({ body }) => (body.events?.[0]?.event === "bridgeCreated" ? refused(403, "permission-missing") : taken());
    const { made, call } = await inCall();
    for (const event of ["bridgeCreated", "feedback"]) made.event(call.session, event);
    await seconds(2);
    for (const event of ["bridgeEnded", "feedback"]) made.event(call.session, event);
    await seconds(2);
    expect(told().slice(2)).toEqual(["bridgeCreated", "feedback", "feedback"]);
    expect(problems).toMatchObject([{ permission: "SubmitBridgeEvent", stopped: false }]);
  });

  it("is no other refusal: that drops what was refused, and goes on", async () => {
    answer = () => refused(403, "identity-mismatch");
    const { made, call } = await inCall();
    answer = taken;
    made.event(call.session, "deviceChanged");
    await seconds(2);
    expect(told().at(-1)).toBe("deviceChanged");
    expect(problems.map(({ problem, permission }) => [problem.code, permission])).toEqual([
      ["identity-mismatch", undefined],
      ["identity-mismatch", undefined],
    ]);
  });
});

describe("a page that is wrong itself", () => {
  it("is told so, and what comes later is sent all the same", async () => {
    const thrown: unknown[] = [];
    const heard = (reason: unknown): void => void thrown.push(reason);
    process_.on("unhandledRejection", heard);
    onTestFinished(() => void process_.off("unhandledRejection", heard));
    const onProblem = () => {
      throw new Error("show() is not there");
    };
    answer = () => refused(403, "identity-mismatch");
    const { made, call } = await inCall({ onProblem });
    answer = taken;
    made.event(call.session, "deviceChanged");
    await seconds(3);
    expect(told().at(-1)).toBe("deviceChanged");
    vi.useRealTimers();
    await expect.poll(() => thrown.length).toBeGreaterThan(0);
  });
});

describe("the end of the page", () => {
  it("is told by beacons, which hold the token", async () => {
    await inCall();
    const before = asked.length;
    page.pagehide?.();
    const events = beacons.flatMap(({ body }) => body.events ?? []);
    expect(events.map(({ event }) => event)).toEqual(["userLeft"]);
    expect(beacons.every(({ body }) => body.data_token === "token-1")).toBe(true);
    expect(beacons.map(({ url }) => url).toSorted()).toEqual([`${gateway}/v1/events`, `${gateway}/v1/stats`]);
    await seconds(60);
    expect(asked.length).toBe(before);
  });

  it("is not told where there is no token yet: nobody would believe it", async () => {
    const call = new Jssip();
    begin().watch(call.session);
    call.emit("accepted");
    page.pagehide?.();
    expect(beacons).toEqual([]);
  });

  it("leaves out what is on its way already", async () => {
    const { made, call } = await inCall();
    answer = ({ path }) => (path === "/v1/events" ? new Promise(() => {}) : taken());
    made.event(call.session, "deviceChanged");
    await seconds(4);
    expect(told().at(-1)).toBe("deviceChanged");
    page.pagehide?.();
    const events = beacons.flatMap(({ body }) => body.events ?? []);
    expect(events.map(({ event }) => event)).toEqual(["userLeft"]);
  });

  it("is as close(), after which nothing is told", async () => {
    const { made } = await inCall();
    made.close();
    expect(beacons.flatMap(({ body }) => body.events ?? [])).toHaveLength(1);
    const [before, other] = [asked.length, new Jssip()];
    const look = vi.spyOn(other.connection, "getStats");
    made.watch(other.session);
    other.emit("accepted");
    await seconds(60);
    expect([asked.length, page]).toEqual([before, {}]);
    expect([look.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0]);
  });
});

describe("dataTokens()", () => {
  it("gives the application's own words where it refused", async () => {
    const words = { error: "access_denied", error_description: "log in again" };
    answer = () => Response.json({ code: "application-denied", detail: "refused", ...words }, { status: 403 });
    const given = dataTokens({ gateway, appID: "acme", userID: "alice", applicationToken: async () => "a" });
    await expect(given()).rejects.toThrow(/^log in again$/);
  });

  it("runs the first two steps and gives what the gateway answers", async () => {
    answer = () => Response.json({ data_token: "t", expires_in: 60, token_type: "bearer", permissions: ["*"] });
    const given = dataTokens({
      gateway,
      appID: "acme",
      userID: "alice",
      applicationToken: async () => "from-the-site",
    });
    expect(await given()).toMatchObject({ data_token: "t" });
    expect(asked).toMatchObject([
      { path: "/v1/data-tokens", body: { appID: "acme", userID: "alice", application_token: "from-the-site" } },
    ]);
  });
});
