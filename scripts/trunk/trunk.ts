import { randomUUID } from "node:crypto";
import type { CallSound } from "./call.ts";
import type { Address } from "./rtp.ts";
import { bodyOf, field, replyTo, SipSocket } from "./sip.ts";

export interface TrunkOptions {
  readonly host: string;
  /** 0, the default: any. */
  readonly port?: number;
  /** Sound for a call that comes; what it says is heard by whoever made it. */
  readonly sound: (callId: string) => Promise<CallSound>;
  /** Whether the answer comes with the 183 already; default no. */
  readonly early?: boolean;
  /** What it waits for between ringing and answering. Where that rejects it answers with the error's message instead of 200. */
  readonly answers?: () => Promise<void>;
  readonly onMessage?: (message: string) => void;
}

interface CallHere {
  readonly tag: string;
  readonly sound: CallSound;
  /** Says 487 to its INVITE. */
  readonly cancelled: () => void;
  /** What the first INVITE was answered with, for when it comes again. */
  answer?: string;
}

/** A trunk with sound: answers every call that comes over UDP with what its `sound` plays, until it is hung up on. */
export class AnsweringTrunk {
  readonly #socket: SipSocket;
  readonly #options: TrunkOptions;
  readonly #calls = new Map<string, CallHere>();

  private constructor(socket: SipSocket, options: TrunkOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.onMessage = (message, from) => {
      options.onMessage?.(message);
      void this.#take(message, from);
    };
  }

  static async start(options: TrunkOptions): Promise<AnsweringTrunk> {
    return new AnsweringTrunk(await SipSocket.open(options.host, options.port), options);
  }

  /** For a customer's `trunk`. */
  get uri(): string {
    return `sip:${this.#socket.authority}`;
  }

  get port(): number {
    return this.#socket.port;
  }

  /** Calls that are up. */
  get calls(): number {
    return this.#calls.size;
  }

  stop(): void {
    for (const { sound } of this.#calls.values()) sound.close();
    this.#calls.clear();
    this.#socket.close();
  }

  async #take(message: string, from: Address): Promise<void> {
    const method = message.slice(0, message.indexOf(" "));
    if (method === "SIP/2.0" || method === "ACK") return;
    const id = field(message, "Call-ID");
    const call = this.#calls.get(id);
    const tag = call?.tag ?? randomUUID().slice(0, 8);
    const say = (status: string, sdp?: string): string => {
      const text = replyTo(message, { status, tag, contact: this.uri, sdp });
      this.#socket.send(text, from);
      return text;
    };
    if (method === "INVITE") await (call ? this.#again(call, message, from, say) : this.#ring(id, message, tag, say));
    else if (method === "BYE") {
      say(call ? "200 OK" : "481 Call/Transaction Does Not Exist");
      this.#end(id);
    } else if (method === "CANCEL") {
      say("200 OK");
      call?.cancelled();
      this.#end(id);
    } else if (method === "UPDATE" && call && bodyOf(message)) this.#agree(call, message, say);
    else say("200 OK");
  }

  async #ring(id: string, invite: string, tag: string, say: Say): Promise<void> {
    say("100 Trying");
    const sound = await this.#options.sound(id);
    const sdp = sound.answer(bodyOf(invite));
    if (!sdp) {
      sound.close();
      say("488 Not Acceptable Here");
      return;
    }
    const call: CallHere = { tag, sound, cancelled: () => say("487 Request Terminated") };
    this.#calls.set(id, call);
    say(this.#options.early ? "183 Session Progress" : "180 Ringing", this.#options.early ? sdp : undefined);
    sound.play();
    await this.#pickUp(id, call, sdp, say);
  }

  async #pickUp(id: string, call: CallHere, sdp: string, say: Say): Promise<void> {
    try {
      await this.#options.answers?.();
    } catch (refusal) {
      this.#end(id);
      say(String(refusal instanceof Error ? refusal.message : refusal));
      return;
    }
    if (this.#calls.has(id)) call.answer = say("200 OK", sdp);
  }

  /** The same once more, or another offer in the call. */
  async #again(call: CallHere, invite: string, from: Address, say: Say): Promise<void> {
    if (field(invite, "To").includes(";tag=")) this.#agree(call, invite, say);
    else if (call.answer) this.#socket.send(call.answer, from);
  }

  #agree(call: CallHere, request: string, say: Say): void {
    const sdp = bodyOf(request) ? call.sound.answer(bodyOf(request)) : call.sound.offer();
    say(sdp ? "200 OK" : "488 Not Acceptable Here", sdp);
  }

  #end(id: string): void {
    this.#calls.get(id)?.sound.close();
    this.#calls.delete(id);
  }
}

type Say = (status: string, sdp?: string) => string;
