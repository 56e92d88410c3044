import { capture, devices } from "./devices.ts";
import { emitter, type On } from "./events.ts";
import { pause } from "./http.ts";
import { CAMERA, type Link, type LinkEvents, MIC, unless } from "./link.ts";
import { observation } from "./observation.ts";
import { type Protocol, protocol } from "./protocol.ts";
import { openSound, type Sound } from "./sound.ts";
import { activity, called } from "./tools.ts";
import { transcripts } from "./transcripts.ts";
import { AntiphonError, type Devices, type Message, type Options, type State, type Tracks, type Turn } from "./types.ts";
import { webrtc } from "./webrtc.ts";
import { websocket } from "./websocket.ts";

type Data = Record<string, any>;

/** What lives as long as one conversation. */
interface Talk {
  link: Link;
  protocol: Protocol;
  sound: Sound;
  ending: AbortController;
  /** The other side is being told that we leave. */
  isLeaving: boolean;
}

const PAUSES = [0, 0.5, 1, 2, 4]; // seconds before each try to come back

/** One conversation with an agent, and after its end another. */
export class AntiphonClient {
  /** What was asked for; changes count from the next `connect` on. */
  readonly options: Options;
  /** What there is to hear and to see now. */
  readonly tracks: Tracks = {};
  state: State = "idle";
  /** Whether the microphone, the camera is on. */
  mic = false;
  camera = false;
  /** Calls the listener at each event; what it returns ends that. */
  readonly on: On;

  readonly #emit;
  #observation;
  #transcripts;
  #talk: Talk | undefined;

  constructor(options: Options = {}) {
    this.options = { ...options };
    ({ on: this.on, emit: this.#emit } = emitter());
    this.#observation = observation(this.#emit);
    this.#transcripts = transcripts(this.#emit);
  }

  /** The name of the agent, where `observe` asks for it. */
  get agent(): string {
    return this.#observation.agent;
  }

  /** All turns so far, where `observe` asks for them. */
  get turns(): readonly Turn[] {
    return this.#observation.turns;
  }

  /** Resolves when the agent is ready to talk; rejects with an AntiphonError. Call it in a click, for the sound. */
  async connect(): Promise<void> {
    if (this.#talk) throw new AntiphonError("usage", `The client is ${this.state}.`);
    if (!isSecureContext) throw new AntiphonError("usage", "The page must come over https, or from localhost.");
    const { transport, timeout = 15, mic = true, camera, speaker, volume = 1, worklet } = this.options;
    this.#enter("connecting");
    const emit = this.#emit;
    const watch = (this.#observation = observation(emit));
    this.#transcripts = transcripts(emit);
    const sound = openSound({
      level: (levels) => emit("level", levels),
      began: watch.heard,
      blocked: () => this.#fail("playback", "The browser plays no sound before a click."),
    });
    const events: LinkEvents = {
      message: (text) => talk.protocol.received(text),
      lost: (reason) => void this.#comeBack(talk, reason),
      left: () => void this.#end(talk, talk.isLeaving ? "" : "the agent has left"),
      interrupted: () => this.#interrupted(),
      track: (track, played) => {
        this.tracks[track.kind === "audio" ? "agent" : "agentVideo"] = track;
        if (track.kind === "audio" && !played) sound.attach(track);
        emit("tracks", this.tracks);
      },
    };
    const link =
      transport === "websocket"
        ? websocket(this.options, sound, events)
        : webrtc(this.options, events);
    const ending = new AbortController();
    const talk: Talk = (this.#talk = {
      link,
      sound,
      ending,
      protocol: protocol(link.send, (message) => this.#received(talk, message)),
      isLeaving: false,
    });
    const late = () => ending.abort(new AntiphonError("timeout", `The agent was not ready within ${timeout} s.`));
    let timer: ReturnType<typeof setTimeout> | undefined; // of the server; the user may take time to allow a device
    const begin = async () => {
      await sound.open(worklet);
      sound.setVolume(volume);
      if (speaker) await sound.setSpeaker(speaker);
      await Promise.all([mic && this.setMic(mic), camera && this.setCamera(camera)]);
      timer = setTimeout(late, timeout * 1000);
      await link.open(ending.signal);
      await this.#handshake(talk);
    };
    try {
      await unless(ending.signal, begin());
    } catch (error) {
      await this.#end(talk, (error as Error).message);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the conversation, on both sides. */
  async disconnect(): Promise<void> {
    const talk = this.#talk;
    if (!talk) return;
    if (this.state === "ready") {
      talk.isLeaving = true;
      talk.protocol.send("disconnect-bot");
      await pause(0.05, talk.ending.signal).catch(() => {});
    }
    await this.#end(talk, "");
  }

  /** The microphone: on, off, or a device by its id. Rejects without permission. */
  setMic(on: boolean | string): Promise<void> {
    return this.#set("mic", on);
  }

  /** The camera: on, off, or a device by its id. */
  setCamera(on: boolean | string): Promise<void> {
    return this.#set("camera", on);
  }

  async setSpeaker(id: string): Promise<void> {
    this.options.speaker = id;
    await this.#talk?.sound.setSpeaker(id);
  }

  /** How loud the agent is played, 0 to 1; on iPhones only the buttons of the device change that. */
  setVolume(volume: number): void {
    this.options.volume = volume;
    this.#talk?.sound.setVolume(volume);
  }

  devices(): Promise<Devices> {
    return devices();
  }

  /**
   * Sends what the user typed. The agent stops talking and answers at once; with `queue` it takes it up later,
   * with `silent` it answers in text alone.
   */
  sendText(text: string, { silent = false, queue = false }: { silent?: boolean; queue?: boolean } = {}): void {
    this.#ready().send("send-text", { content: text, options: { run_immediately: !queue, audio_response: !silent } });
    this.#talk!.sound.typed(text);
    this.#transcripts.user({ text, final: true });
  }

  /** Presses keys of the telephone keypad: 0-9, *, #. */
  pressKeys(keys: string): void {
    if (!/^[0-9*#]+$/.test(keys)) throw new AntiphonError("usage", `Keys are 0-9, * and #, not "${keys}".`);
    this.#ready().send("dtmf", { buttons: [...keys] });
  }

  /** Asks the agent's program, and gives its answer. */
  async request<Answer = unknown>(type: string, data?: unknown, seconds = 10): Promise<Answer> {
    return (await this.#ready().ask("client-message", { t: type, d: data }, seconds)) as Answer;
  }

  /** Tells the agent's program. */
  message(type: string, data?: unknown): void {
    this.#ready().send("client-message", { t: type, d: data });
  }

  /** Lets sound play; call it in a click after the error "playback". */
  async resume(): Promise<void> {
    await this.#talk?.sound.resume();
  }

  // Coming and going ------------------------------------------------------------------------------

  async #handshake(talk: Talk): Promise<void> {
    await unless(talk.ending.signal, talk.protocol.handshake(this.options.timeout ?? 15));
    this.#resumed(talk);
  }

  #resumed({ link, protocol }: Talk): void {
    link.ready();
    this.#enter("ready");
    if (!this.options.observe) return;
    protocol.ask("client-message", { t: "antiphon.observe" }, 10).then(
      (all) => this.#observation.all(all as Data),
      () => {}, // it does not let itself be observed
    );
  }

  async #comeBack(talk: Talk, reason: string): Promise<void> {
    const { link, protocol, ending } = talk;
    if (this.#talk !== talk || this.state !== "ready" || talk.isLeaving) return;
    protocol.end(reason);
    if (this.options.reconnect === false) return this.#end(talk, reason);
    this.#enter("reconnecting", reason);
    for (const seconds of PAUSES) {
      try {
        await pause(seconds, ending.signal);
        if (await link.reopen(ending.signal)) this.#resumed(talk);
        else {
          this.#transcripts.cut();
          await this.#handshake(talk);
        }
        return;
      } catch (error) {
        if (ending.signal.aborted) return;
        const { status = 0, message } = error as AntiphonError;
        reason = message;
        if (status >= 400 && status < 500 && status !== 429) break;
      }
    }
    this.#fail("connection", `The conversation was lost: ${reason}`);
    await this.#end(talk, reason);
  }

  async #end(talk: Talk, reason: string): Promise<void> {
    if (this.#talk !== talk) return;
    const { link, protocol, sound, ending } = talk;
    const { tracks } = this;
    this.#talk = undefined;
    const left = new AntiphonError("usage", "The client was disconnected.");
    ending.abort(left);
    protocol.end(reason || left.message);
    link.close();
    this.#transcripts.cut();
    tracks.mic?.stop();
    tracks.camera?.stop();
    for (const name of Object.keys(tracks)) delete tracks[name as keyof Tracks];
    this.mic = this.camera = false;
    this.#emit("tracks", tracks);
    this.#enter("ended", reason);
    await sound.close();
  }

  #enter(state: State, reason = ""): void {
    this.state = state;
    this.#emit("state", { state, reason });
  }

  #fail(code: AntiphonError["code"], message: string): void {
    this.#emit("error", new AntiphonError(code, message));
  }

  #ready(): Protocol {
    if (!this.#talk || this.state !== "ready") throw new AntiphonError("usage", `The client is ${this.state}, not ready.`);
    return this.#talk.protocol;
  }

  async #set(which: "mic" | "camera", on: boolean | string): Promise<void> {
    const talk = this.#talk;
    const { tracks } = this;
    if (!talk) return void (this.options[which] = on);
    const isMic = which === "mic";
    if (!isMic && !talk.link.carriesVideo) throw new AntiphonError("usage", "A websocket carries no video: use WebRTC.");
    if (on && (!tracks[which] || (on !== true && tracks[which].getSettings().deviceId !== on))) {
      const track = await capture(which, on);
      if (this.#talk !== talk) return track.stop(); // the conversation ended meanwhile
      tracks[which]?.stop();
      tracks[which] = track;
      track.onended = () => {
        delete tracks[which];
        this.#fail(which, `The ${which} has gone.`);
        void this.#set(which, false);
      };
    }
    if (!on && !isMic) {
      tracks.camera?.stop();
      delete tracks.camera;
    }
    const track = tracks[which];
    if (track) track.enabled = !!on;
    this[which] = !!on;
    if (isMic) talk.sound.measure(0, track);
    this.#emit("tracks", tracks);
    await talk.link.put(isMic ? MIC : CAMERA, track ?? null, !!on);
  }

  // What comes in ---------------------------------------------------------------------------------

  #interrupted(): void {
    this.#talk?.sound.clear();
    this.#transcripts.cut();
    this.#emit("interrupted", {});
  }

  #received(talk: Talk, message: Message): void {
    this.#emit("protocol", message);
    const data = (message.data ?? {}) as Data;
    const tool = activity(this.#emit, data);
    switch (message.type) {
      case "user-transcription":
        return this.#transcripts.user(data);
      case "bot-output":
        return this.#transcripts.agent(data);
      case "bot-interrupted":
        return this.#interrupted();
      case "server-message":
        if (!this.#observation.told(data)) this.#emit("message", message.data);
        return;
      case "llm-function-call-started":
        return tool.tell("started");
      case "llm-function-call-in-progress":
        tool.tell("running");
        return void this.#call(talk, tool);
      case "llm-function-call-stopped":
        return tool.tell(data.cancelled ? "cancelled" : "done");
      case "error": {
        const why = String(data.error ?? data.message);
        this.#fail("agent", why);
        if (data.fatal) void this.#end(talk, why);
      }
    }
  }

  async #call(talk: Talk, tool: ReturnType<typeof activity>): Promise<void> {
    const answer = await called(this.options.tools, tool);
    if (!answer || this.#talk !== talk || this.state !== "ready") return; // nobody waits for it any more
    talk.protocol.send("llm-function-call-result", answer);
  }
}
