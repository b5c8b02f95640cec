// A meeting: one connection to publish, one to receive, offers over a WebSocket. docs/web.md has the messages.
"use strict";

const SIMULCAST = [
  { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000, scalabilityMode: "L1T3" },
  { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000, scalabilityMode: "L1T3" },
  { rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_500_000, scalabilityMode: "L1T3" },
];
const SPEAKING_LEVEL = 0.02;
const RECONNECT_MS = [500, 1000, 2000, 5000, 10000];
const ROOT = new URL("../", import.meta.url); // where the application is mounted

const $ = (id) => document.getElementById(id);

class Meeting {
  constructor(room, name) {
    this.room = room;
    this.name = name;
    this.members = [];
    this.tiles = new Map();
    this.local = new MediaStream();
    this.attempts = 0;
    this.left = false;
  }

  async start(withAudio, withVideo) {
    if (withAudio || withVideo) await this.openDevices(withAudio, withVideo);
    if (this.left) { this.stopTracks(); return; } // while the browser was asking
    this.showOwnTile();
    this.connect();
    this.meter = setInterval(() => this.showSpeakers(), 200);
    this.pinger = setInterval(() => this.send({ type: "ping" }), 20000);
  }

  async openDevices(audio, video) {
    if (!navigator.mediaDevices) {
      showError("Camera and microphone need a page served by HTTPS or from localhost. You can watch and listen.");
      return;
    }
    const camera = { width: 1280, height: 720, frameRate: 30 };
    // both at once, so that the browser asks once; else what there is: a missing camera shall not silence anybody
    const attempts = audio && video ? [[true, camera], [true, false], [false, camera]] : [[audio, video && camera]];
    let first;
    for (const [wantAudio, wantVideo] of attempts) {
      try {
        this.local = await navigator.mediaDevices.getUserMedia({ audio: wantAudio, video: wantVideo });
        if (first) showError(`The ${wantAudio ? "camera" : "microphone"} cannot be used: ${reasonOf(first)}.`);
        return;
      } catch (error) {
        first ??= error;
        if (error.name === "NotAllowedError") break;
      }
    }
    showError(`Camera and microphone cannot be used: ${reasonOf(first)}. You can watch and listen.`);
  }

  connect() {
    const url = new URL(`ws/${encodeURIComponent(this.room)}`, ROOT);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("name", this.name);
    const token = new URLSearchParams(location.search).get("token");
    if (token) url.searchParams.set("token", token);
    showState("Connecting…");
    this.socket = new WebSocket(url);
    this.socket.onmessage = (event) => this.handle(JSON.parse(event.data))
      .catch((error) => showError(`Something went wrong with the connection: ${error.message}`));
    this.socket.onclose = (event) => this.disconnected(event);
  }

  disconnected(event) {
    if (this.left) return;
    this.closeConnections();
    if (event.code >= 4400) {
      showState("Not connected");
      showError(event.reason || "The server refused the connection.");
      return;
    }
    const wait = RECONNECT_MS[Math.min(this.attempts++, RECONNECT_MS.length - 1)];
    showState("The server is gone. Trying again…");
    setTimeout(() => this.left || this.connect(), wait);
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  async handle(message) {
    if (message.type === "welcome") {
      this.id = message.id;
      this.attempts = 0;
      this.closeConnections();
      this.showState();
      for (const track of this.local.getTracks()) {
        if (!track.enabled) this.send({ type: "mute", kind: track.kind, muted: true });
      }
      await this.publish();
    } else if (message.type === "members") {
      this.members = message.members;
      this.showMembers();
      await this.receive();
    } else if (message.type === "published") {
      await this.publishing?.setRemoteDescription({ type: "answer", sdp: message.sdp });
      this.publishBusy = false;
      if (this.publishAgain) await this.publish();
    } else if (message.type === "received") {
      await this.receiving?.setRemoteDescription({ type: "answer", sdp: message.sdp });
      this.receiveBusy = false;
      if (this.receiveAgain) await this.receive();
    } else if (message.type === "wanted") {
      // one after the other: parameters are set from those that were read last
      this.wanting = (this.wanting ?? Promise.resolve()).then(() => this.sendWanted(message)).catch(console.warn);
    } else if (message.type === "error") {
      this.publishBusy = this.receiveBusy = false;
      showError(message.text);
    }
  }

  // ---- publishing

  newConnection() {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "failed") this.restart(connection);
      this.showState();
    };
    return connection;
  }

  restart(connection) {
    // both ends begin anew: a failed connection has lost its network
    if (connection === this.publishing) {
      this.dropPublishing();
      this.publish();
    } else if (connection === this.receiving) {
      this.dropReceiving();
      this.receive();
    }
  }

  async publish() {
    if (this.publishBusy) { this.publishAgain = true; return; }
    this.publishAgain = false;
    const tracks = [...this.local.getTracks(), ...(this.screen?.getTracks() ?? [])];
    if (!tracks.length && !this.publishing) return;
    this.publishing ??= this.newConnection();
    const senders = this.publishing.getTransceivers();
    for (const track of tracks) {
      if (senders.some((t) => t.sender.track === track)) continue;
      const options = { direction: "sendonly" };
      if (track.kind === "video") {
        options.sendEncodings = track === this.screen?.getVideoTracks()[0]
          ? [{ maxBitrate: 2_500_000 }] : SIMULCAST.map((encoding) => ({ ...encoding }));
      }
      const transceiver = this.publishing.addTransceiver(track, options);
      if (track.kind === "video") preferVp8(transceiver);
    }
    this.publishBusy = true;
    await this.publishing.setLocalDescription(await this.publishing.createOffer());
    this.send({ type: "publish", sdp: this.publishing.localDescription.sdp });
  }

  async sendWanted({ mid, layers }) {
    const sender = this.publishing?.getTransceivers().find((t) => t.mid === mid)?.sender;
    if (!sender) return;
    const parameters = sender.getParameters();
    for (const [index, encoding] of parameters.encodings.entries()) {
      const layer = layers.find((l) => l.rid && l.rid === encoding.rid) ?? layers[index];
      if (layer) encoding.active = layer.active;
    }
    await sender.setParameters(parameters);
  }

  async toggleScreen(button) {
    if (this.screen) return this.stopScreen(button);
    if (!navigator.mediaDevices?.getDisplayMedia) {
      showError("This browser, or a page that is not served by HTTPS, cannot share the screen.");
      return;
    }
    try {
      this.screen = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 } });
    } catch (error) {
      if (error.name !== "NotAllowedError") showError(`The screen cannot be shared: ${error.message}`);
      return;
    }
    const track = this.screen.getVideoTracks()[0];
    track.contentHint = "detail";
    track.onended = () => this.stopScreen(button);
    label(button, true, "Stop sharing");
    await this.publish();
  }

  async stopScreen(button) {
    for (const track of this.screen?.getTracks() ?? []) {
      track.stop();
      this.publishing?.getTransceivers().find((t) => t.sender.track === track)?.stop();
    }
    this.screen = null;
    label(button, false, "Share screen");
    await this.publish();
  }

  toggle(kind, button, on, off) {
    const track = this.local.getTracks().find((t) => t.kind === kind);
    if (!track) { showError(`There is no ${kind === "audio" ? "microphone" : "camera"} in this meeting.`); return; }
    track.enabled = !track.enabled;
    label(button, !track.enabled, track.enabled ? on : off);
    this.send({ type: "mute", kind, muted: !track.enabled });
    if (kind === "video") this.ownTile?.classList.toggle("dark", !track.enabled);
  }

  // ---- receiving

  wantedStreams() {
    return this.members.filter((m) => m.id !== this.id)
      .flatMap((member) => member.streams.map((stream) => ({ ...stream, member: member.id })));
  }

  async receive() {
    if (this.receiveBusy) { this.receiveAgain = true; return; }
    this.receiveAgain = false;
    const wanted = this.wantedStreams();
    if (!wanted.length && !this.receiving) return;
    this.assigned ??= new Map();
    const ids = new Set(wanted.map((s) => s.id));
    let changed = false;
    for (const [transceiver, stream] of this.assigned) {
      if (stream && !ids.has(stream.id)) { this.assigned.set(transceiver, null); changed = true; }
    }
    this.receiving ??= this.newConnection();
    const here = new Set([...this.assigned.values()].filter(Boolean).map((s) => s.id));
    for (const stream of wanted) {
      if (here.has(stream.id)) continue;
      changed = true;
      const free = [...this.assigned].find(([t, s]) => !s && t.receiver.track.kind === stream.kind)?.[0];
      const transceiver = free ?? this.receiving.addTransceiver(stream.kind, { direction: "recvonly" });
      this.assigned.set(transceiver, stream);
    }
    if (!changed) return;
    this.receiveBusy = true;
    await this.receiving.setLocalDescription(await this.receiving.createOffer());
    const byMid = {};
    for (const [transceiver, stream] of this.assigned) if (stream) byMid[transceiver.mid] = stream.id;
    this.send({ type: "receive", sdp: this.receiving.localDescription.sdp, wanted: byMid });
    this.showMembers();
  }

  dropReceiving() {
    this.receiving?.close();
    this.receiving = null;
    this.assigned = null;
    this.receiveBusy = this.receiveAgain = false;
  }

  dropPublishing() {
    this.publishing?.close();
    this.publishing = null;
    this.publishBusy = this.publishAgain = false;
  }

  closeConnections() {
    this.dropPublishing();
    this.dropReceiving();
  }

  stopTracks() {
    for (const track of [...this.local.getTracks(), ...(this.screen?.getTracks() ?? [])]) track.stop();
  }

  leave() {
    this.left = true;
    clearInterval(this.meter);
    clearInterval(this.pinger);
    this.closeConnections();
    this.socket?.close();
    this.stopTracks();
    for (const tile of this.tiles.values()) tile.remove();
    this.ownTile?.remove();
  }

  // ---- what is seen

  showState() {
    const states = [this.publishing, this.receiving].filter(Boolean).map((c) => c.connectionState);
    if (states.some((s) => s === "failed" || s === "disconnected")) showState("Media interrupted. Trying again…");
    else if (states.some((s) => s !== "connected")) showState("Connecting media…");
    else showState("In the meeting");
  }

  showOwnTile() {
    this.ownTile = newTile(`${this.name} (you)`);
    this.ownTile.classList.add("own");
    const video = this.ownTile.querySelector("video");
    video.muted = true;
    video.srcObject = this.local;
    this.ownTile.classList.toggle("dark", !this.local.getVideoTracks().length);
    $("grid").append(this.ownTile);
  }

  showMembers() {
    const seen = new Set();
    for (const member of this.members) {
      if (member.id === this.id) continue;
      const videos = member.streams.filter((s) => s.kind === "video");
      const audios = member.streams.filter((s) => s.kind === "audio");
      const shown = videos.length ? videos : [null];
      shown.forEach((stream, index) => {
        const key = `${member.id} ${index}`;
        seen.add(key);
        this.showTile(key, member, stream, index === 0 ? audios[0] : null, index > 0);
      });
    }
    for (const [key, tile] of this.tiles) {
      if (seen.has(key)) continue;
      tile.remove();
      this.tiles.delete(key);
    }
  }

  showTile(key, member, videoStream, audioStream, isScreen) {
    let tile = this.tiles.get(key);
    if (!tile) {
      tile = newTile(isScreen ? `${member.name}'s screen` : member.name);
      this.tiles.set(key, tile);
      $("grid").append(tile);
    }
    tile.dataset.member = member.id;
    tile.querySelector(".muted").hidden = !member.muted.audio;
    tile.classList.toggle("dark", !videoStream || (member.muted.video && !isScreen));
    const tracks = [videoStream, audioStream].filter(Boolean).map((s) => this.trackOf(s.id)).filter(Boolean);
    const video = tile.querySelector("video");
    const present = video.srcObject?.getTracks() ?? [];
    if (tracks.length !== present.length || tracks.some((t) => !present.includes(t))) {
      video.srcObject = new MediaStream(tracks);
      video.play().catch(() => {});
    }
  }

  trackOf(id) {
    for (const [transceiver, stream] of this.assigned ?? []) {
      if (stream?.id === id) return transceiver.receiver.track;
    }
    return null;
  }

  showSpeakers() {
    const loud = new Set();
    for (const [transceiver, stream] of this.assigned ?? []) {
      if (stream?.kind !== "audio") continue;
      const source = transceiver.receiver.getSynchronizationSources()[0];
      if ((source?.audioLevel ?? 0) > SPEAKING_LEVEL) loud.add(stream.member);
    }
    for (const tile of this.tiles.values()) {
      const speaks = loud.has(tile.dataset.member);
      tile.classList.toggle("speaking", speaks);
      tile.querySelector(".speaks").hidden = !speaks; // not by colour alone
    }
  }
}

function preferVp8(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities("video").codecs;
  const vp8 = codecs.filter((c) => c.mimeType.toLowerCase() === "video/vp8");
  try {
    transceiver.setCodecPreferences?.([...vp8, ...codecs.filter((c) => !vp8.includes(c))]);
  } catch (error) {
    console.warn("codec order kept:", error);
  }
}

function newTile(name) {
  const tile = $("tile").content.firstElementChild.cloneNode(true);
  tile.querySelector(".who").textContent = name;
  tile.querySelector(".initial").textContent = name.slice(0, 1).toUpperCase();
  return tile;
}

// the label says what the button does next; the look, that it has been used
function label(button, used, text) {
  button.classList.toggle("used", used);
  button.textContent = text;
}

function reasonOf(error) {
  const reasons = {
    NotAllowedError: "the browser did not allow it",
    NotFoundError: "there is none",
    NotReadableError: "it is in use elsewhere",
  };
  return reasons[error.name] ?? error.message;
}

function showState(text) {
  $("state").textContent = text;
}

let errorTimer;
function showError(text) {
  $("error").textContent = text;
  $("error").hidden = false;
  clearTimeout(errorTimer);
  errorTimer = setTimeout(() => { $("error").hidden = true; }, 8000);
}

let meeting;

$("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  const room = $("room").value.trim();
  const name = $("name").value.trim();
  localStorage.setItem("name", name);
  history.replaceState(null, "", `${ROOT.pathname}r/${encodeURIComponent(room)}${location.search}`);
  $("entry").hidden = true;
  $("meeting").hidden = false;
  $("title").textContent = room;
  document.title = `${room} – meeting`;
  meeting = new Meeting(room, name);
  window.meeting = meeting;
  $("toggle-audio").focus();
  await meeting.start($("with-audio").checked, $("with-video").checked);
});
$("toggle-audio").addEventListener("click", (e) => meeting.toggle("audio", e.target, "Mute microphone", "Unmute microphone"));
$("toggle-video").addEventListener("click", (e) => meeting.toggle("video", e.target, "Stop camera", "Start camera"));
$("toggle-screen").addEventListener("click", (e) => meeting.toggleScreen(e.target));
$("leave").addEventListener("click", () => {
  meeting.leave();
  $("meeting").hidden = true;
  $("entry").hidden = false;
  document.title = "Meeting";
  label($("toggle-audio"), false, "Mute microphone");
  label($("toggle-video"), false, "Stop camera");
  label($("toggle-screen"), false, "Share screen");
  showState("");
  $("name").focus();
});

$("name").value = localStorage.getItem("name") ?? "";
$("room").value = location.pathname.match(/\/r\/([A-Za-z0-9_.~-]+)$/)?.[1] ?? "lobby";
