// One call: microphone, room, agent. Tells what happens by events; knows nothing of the page.

// Its debug lines are for its makers.
LivekitClient.setLogLevel("warn");
const { Room, RoomEvent, Track, ParticipantKind, DisconnectReason, ConnectionError, ConnectionErrorReason } =
  globalThis.LivekitClient;

// A line that is free answers within a second; a busy worker is asked for five (worker.py).
const AGENT_TIMEOUT_MS = 12_000;
const LOOK_MS = 1_000;

export class Problem extends Error {}

export async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new Problem("no-server");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status < 500 ? said.error : "no-server");
  return said;
}

export async function openMicrophone(deviceId) {
  if (!globalThis.isSecureContext || !navigator.mediaDevices) throw new Problem("insecure");
  try {
    return await LivekitClient.createLocalAudioTrack({
      deviceId: deviceId || undefined,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    });
  } catch (error) {
    const reasons = { NotAllowedError: "no-permission", NotFoundError: "no-microphone" };
    throw new Problem(reasons[error.name] ?? "microphone-busy");
  }
}

export class Call extends EventTarget {
  constructor() {
    super();
    this.room = new Room({ disconnectOnPageLeave: true });
    this.room
      .on(RoomEvent.TrackSubscribed, (track, _, who) => this.#hear(track, who))
      .on(RoomEvent.ParticipantConnected, (who) => this.#notice(who))
      .on(RoomEvent.ParticipantAttributesChanged, (_, who) => this.#notice(who))
      .on(RoomEvent.Reconnecting, () => this.#tell("state", "reconnecting"))
      .on(RoomEvent.Reconnected, () => this.room.remoteParticipants.forEach((who) => this.#notice(who)))
      .on(RoomEvent.AudioPlaybackStatusChanged, () => this.room.canPlaybackAudio || this.#askForTouch())
      .on(RoomEvent.ConnectionQualityChanged, (quality, who) => who.isLocal && this.#tell("quality", quality))
      .on(RoomEvent.Disconnected, (reason) => this.#ended(reason));
    this.room.registerTextStreamHandler("lk.transcription", (reader, from) => this.#caption(reader, from));
  }

  // Resolves when the agent is there; throws Problem.
  async start(microphone, { relayOnly }) {
    this.microphone = microphone;
    const { token } = await ask("POST", "/api/calls", {});
    const rtcConfig = relayOnly ? { iceTransportPolicy: "relay" } : {};
    try {
      await this.room.connect(`wss://${location.host}`, token, { rtcConfig });
      await this.room.localParticipant.publishTrack(microphone, { source: Track.Source.Microphone });
    } catch (error) {
      console.warn(error);
      await this.hangUp();
      throw new Problem(await whyNot(error));
    }
    this.looking = setInterval(() => this.#look(), LOOK_MS);
    this.#tell("state", "waiting");
    this.room.remoteParticipants.forEach((who) => this.#notice(who));
    await this.#agent();
  }

  get muted() {
    return this.microphone?.isMuted ?? false;
  }

  async mute(wanted) {
    await (wanted ? this.microphone.mute() : this.microphone.unmute());
  }

  async hangUp() {
    this.left = true;
    clearInterval(this.looking);
    this.microphone?.stop();
    await this.room.disconnect();
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #agent() {
    if (this.agent) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Problem("no-agent"));
        this.hangUp();
      }, AGENT_TIMEOUT_MS);
      this.addEventListener("agent", () => (clearTimeout(timer), resolve()), { once: true });
      this.addEventListener("ended", () => (clearTimeout(timer), resolve()), { once: true });
    });
  }

  #notice(who) {
    if (who.kind !== ParticipantKind.AGENT) return;
    if (!this.agent) {
      this.agent = who;
      this.#tell("agent", who.identity);
    }
    this.#tell("state", who.attributes["lk.agent.state"] ?? "waiting");
  }

  #hear(track, who) {
    if (track.kind !== Track.Kind.Audio) return;
    document.body.append(track.attach());
    track.once("ended", () => track.detach().forEach((element) => element.remove()));
    this.#notice(who);
    this.#tell("voice", track.mediaStreamTrack);
  }

  // Some browsers play sound only after another touch than the one on Talk.
  #askForTouch() {
    this.#tell("state", "silent");
    const play = async () => {
      await this.room.startAudio();
      if (this.agent) this.#notice(this.agent);
    };
    document.addEventListener("click", play, { once: true });
  }

  // The agent's words come as they are spoken; ours at once, and perhaps corrected.
  async #caption(reader, from) {
    const who = from.identity === this.room.localParticipant.identity ? "you" : "agent";
    const id = `${who} ${reader.info.attributes?.["lk.segment_id"] ?? reader.info.id}`;
    let text = "";
    try {
      for await (const piece of reader) {
        text += piece;
        this.#tell("caption", { id, who, text });
      }
    } catch (error) {
      if (!this.left) console.warn(error); // hung up in the middle of a sentence
    }
  }

  async #look() {
    const report = await this.microphone.sender?.getStats();
    if (report && !this.left) this.#tell("connection", kindOf([...report.values()]));
  }

  #ended(reason) {
    clearInterval(this.looking);
    this.microphone?.stop();
    for (const element of document.querySelectorAll("body > audio")) element.remove();
    let problem = null;
    if (reason === DisconnectReason.ROOM_DELETED) problem = this.agent ? null : "no-agent"; // the agent hung up
    else if (!this.left && reason !== DisconnectReason.CLIENT_INITIATED) problem = "lost";
    this.left = true;
    this.#tell("ended", problem);
  }
}

// Which way the sound goes (W3C webrtc-stats: the transport names its selected pair).
export function kindOf(stats) {
  const byId = new Map(stats.map((each) => [each.id, each]));
  const transport = stats.find((each) => each.type === "transport" && each.selectedCandidatePairId);
  // Firefox marks the pair instead.
  const pair = byId.get(transport?.selectedCandidatePairId) ?? stats.find((each) => each.selected);
  const local = byId.get(pair?.localCandidateId);
  if (!local) return "unknown";
  if (local.candidateType === "relay") return `relay-${local.relayProtocol ?? local.protocol}`;
  return local.protocol;
}

async function whyNot(error) {
  if (!(error instanceof ConnectionError)) return "no-media";
  if (error.reason !== ConnectionErrorReason.ServerUnreachable) return "no-media";
  // The page's own requests pass where those of WebSockets do not: a warning was clicked away.
  const reached = await fetch("/health").then((answer) => answer.ok, () => false);
  return reached ? "no-certificate" : "no-server";
}
