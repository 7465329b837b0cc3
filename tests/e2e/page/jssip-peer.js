// A phone made of JsSIP, driven from the scenarios through `window.peer`.

import JsSIP from "jssip";

const AUDIO = { audio: true, video: false };

/** The remote track has to be played by an element, as any phone does. */
function play(session) {
  session.connection?.addEventListener("track", attach);
  session.on("peerconnection", ({ peerconnection }) => peerconnection.addEventListener("track", attach));
}

function attach({ streams, track }) {
  const element = document.createElement("audio");
  element.autoplay = true;
  element.srcObject = streams[0] ?? new MediaStream([track]);
  document.body.append(element);
}

class Peer {
  /** Names of what happened, with details, in order. */
  events = [];
  /** @type {Record<string, number>} When (performance.now) something happened last; for time measurements. */
  at = {};

  /** All its calls, in order. */
  sessions = [];

  constructor({ server, uri, password, displayName, answers = false, status = null, patience = 60, replaceable = true }) {
    const socket = new JsSIP.WebSocketInterface(server);
    this.answers = answers;
    this.status = status;
    this.replaceable = replaceable;
    this.agent = new JsSIP.UA({
      sockets: [socket],
      uri,
      password,
      display_name: displayName,
      register_expires: 120,
      session_timers: false,
      no_answer_timeout: patience,
    });
    for (const name of ["connected", "registered", "unregistered", "registrationFailed", "disconnected"]) {
      this.agent.on(name, (data) => this.note(name, data?.cause));
    }
    this.agent.on("newRTCSession", ({ originator, session }) => this.track(originator, session));
  }

  note(name, detail) {
    this.events.push(detail === undefined ? name : `${name}: ${detail}`);
    this.at[name] = performance.now();
  }

  track(originator, session) {
    this.session = session;
    this.sessions.push(session);
    this.note(originator === "remote" ? "incoming" : "outgoing", session.remote_identity?.uri.toString());
    for (const name of ["progress", "accepted", "confirmed", "hold", "unhold"]) {
      session.on(name, ({ originator: by }) => this.note(name, by));
    }
    for (const name of ["ended", "failed"]) {
      session.on(name, ({ originator: by, cause }) => this.note(name, `${by} ${cause}`));
    }
    session.on("refer", ({ request, accept }) => {
      this.note("refer", request.refer_to.uri.toAor());
      accept(null, { mediaConstraints: AUDIO, pcConfig: { iceServers: [] } });
    });
    session.on("replaces", ({ accept, reject }) => {
      this.note("replaces");
      if (this.replaceable) accept();
      else reject();
    });
    session.on("newInfo", ({ info }) => this.note("info", info.body));
    play(session);
    if (originator === "remote" && this.answers) session.answer({ mediaConstraints: AUDIO });
    if (originator === "remote" && this.status) session.terminate({ status_code: this.status });
  }

  start() {
    this.note("start");
    this.agent.start();
  }

  call(target) {
    this.note("call");
    this.agent.call(target, { mediaConstraints: AUDIO, pcConfig: { iceServers: [] } });
  }

  answer() {
    this.session.answer({ mediaConstraints: AUDIO });
  }

  decline() {
    this.session.terminate({ status_code: 603 });
  }

  hangUp() {
    this.session.terminate();
  }

  hold() {
    this.session.hold();
  }

  unhold() {
    this.session.unhold();
  }

  /**
   * Sends the far end of its first call on, to `target`, where it is to take the place of its second call if `attended`. Notes
   * what the far end says of it, and hangs up when that has come about.
   */
  refer(target, attended = false) {
    const [first, second] = this.sessions;
    const told = (name) => (data) => this.note(`sent on: ${name}`, data?.status_line?.status_code ?? data?.response?.status_code);
    const eventHandlers = { accepted: () => first.terminate() };
    for (const name of ["requestSucceeded", "requestFailed", "trying", "progress", "accepted", "failed"]) {
      const more = eventHandlers[name];
      eventHandlers[name] = (data) => (told(name)(data), more?.());
    }
    first.refer(target, { eventHandlers, ...(attended && { replaces: second }) });
  }

  /** As if its calls had ended, of which their far ends have not heard yet. */
  forgetCalls() {
    this.agent._dialogs = {};
  }

  press(keys) {
    // Its default of 100 ms is at times too short for the browser that plays it.
    this.session.sendDTMF(keys, { transportType: "RFC2833", duration: 200 });
  }

  stop() {
    this.agent.stop();
  }
}

window.openPeer = (options) => {
  window.peer = new Peer(options);
  window.peer.start();
};
