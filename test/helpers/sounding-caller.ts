import { CallSound } from "../../scripts/trunk/call.ts";
import type { Address } from "../../scripts/trunk/rtp.ts";
import { bodyOf, SipSocket } from "../../scripts/trunk/sip.ts";
import { unique } from "./raw-client.ts";
import { header, isReply, recordRoutes, reply, request, tagOf, uriOf } from "./raw-sip.ts";
import { Ear, tone } from "./sounding-trunk.ts";

export interface CallerOptions {
  readonly host: string;
  readonly to: Address;
  readonly number: string;
  /** Hz. */
  readonly plays: number;
  readonly listensFor: readonly number[];
  /** Says what it wants to hear only in the ACK; default no. */
  readonly late?: boolean;
  /** Instead of an offer of its own, or where it is late, of an answer. */
  readonly sdp?: string;
}

/** Somebody beyond a trunk who calls, with sound, and hangs up or is hung up on. */
export class SoundingCaller {
  readonly ear: Ear;
  readonly sound: CallSound;
  readonly callId = `caller-${unique()}`;
  readonly received: string[] = [];
  readonly #socket: SipSocket;
  readonly #options: CallerOptions;
  readonly #fromTag = `t${unique()}`;
  readonly #looks = new Set<() => void>();
  #answered = "";
  #cseq = 1;

  private constructor(socket: SipSocket, sound: CallSound, ear: Ear, options: CallerOptions) {
    this.#socket = socket;
    this.sound = sound;
    this.ear = ear;
    this.#options = options;
    socket.onMessage = (message) => this.#take(message);
  }

  /** Sends the INVITE. */
  static async call(options: CallerOptions): Promise<SoundingCaller> {
    const ear = new Ear(options.listensFor);
    const sound = await CallSound.open(options.host, tone(options.plays), ear);
    const caller = new SoundingCaller(await SipSocket.open(options.host), sound, ear, options);
    caller.#say("INVITE", `sip:${options.number}@${options.to.host}:${options.to.port}`, {
      ...(options.late ? {} : { body: options.sdp ?? sound.offer() }),
    });
    return caller;
  }

  /** The answer to the INVITE, whatever it is. */
  answer(): Promise<string> {
    return this.waitFor((message) => /^SIP\/2\.0 [2-6]/.test(message) && / INVITE\r$/m.test(message));
  }

  /** Offers anew within the call; resolves when it was answered. */
  async offers(direction: "sendonly" | "sendrecv"): Promise<void> {
    const uri = uriOf(header(this.#answered, "Contact"));
    const cseq = ++this.#cseq;
    this.#say("INVITE", uri, { cseq, body: this.sound.offer(direction) });
    const answer = await this.waitFor(
      (message) => header(message, "CSeq") === `${cseq} INVITE` && message.startsWith("SIP/2.0 200 "),
    );
    this.sound.answered(bodyOf(answer));
    this.#say("ACK", uri, { cseq });
  }

  hangUp(): Promise<string> {
    this.#say("BYE", uriOf(header(this.#answered, "Contact")), { cseq: ++this.#cseq });
    return this.waitFor((message) => isReply(message, 200, "BYE"));
  }

  waitFor(predicate: (message: string) => boolean, timeoutMs = 10_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.received.find(predicate);
        if (found !== undefined) settle(() => resolve(found));
      };
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        this.#looks.delete(look);
        how();
      };
      const late = (): void => reject(new Error(`no such message, only:\n${this.received.join("\n")}`));
      const timer = setTimeout(() => settle(late), timeoutMs);
      this.#looks.add(look);
      look();
    });
  }

  close(): void {
    this.sound.close();
    this.#socket.close();
  }

  #take(message: string): void {
    this.received.push(message);
    if (isReply(message, 200, "INVITE") && !this.#answered) this.#establish(message);
    else if (message.startsWith("BYE ")) this.#socket.send(reply(message, { status: "200 OK" }), this.#options.to);
    for (const look of [...this.#looks]) look();
  }

  #establish(answer: string): void {
    this.#answered = answer;
    const { late, sdp } = this.#options;
    const body = late ? (sdp ?? this.sound.answer(bodyOf(answer))) : undefined;
    if (!late) this.sound.answered(bodyOf(answer));
    this.#say("ACK", uriOf(header(answer, "Contact")), body ? { body } : {});
    this.sound.play();
  }

  #say(method: string, uri: string, more: { readonly body?: string; readonly cseq?: number }): void {
    const { authority } = this.#socket;
    const { number, to } = this.#options;
    const toTag = tagOf(header(this.#answered, "To"));
    const text = request({
      ...{ method, uri, from: `+4412345@${authority}`, to: `${number}@${to.host}`, fromTag: this.#fromTag },
      ...{
        callId: this.callId,
        cseq: 1,
        viaHost: authority,
        viaTransport: "UDP",
        contact: `<sip:+4412345@${authority}>`,
      },
      ...(toTag && { toTag, routes: recordRoutes(this.#answered).reverse() }),
      ...more,
    });
    this.#socket.send(text, to);
  }
}
