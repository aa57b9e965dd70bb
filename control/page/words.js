// What people read. Keys are reasons; each says what happened and what to do.

export const PROBLEMS = {
  "wrong-password": ["This is not the password.", "Whoever runs this service can read it: make up says where."],
  "too-often": ["Too many tries.", "Please wait a minute, then try again."],
  "not-signed-in": ["You were signed out.", "Please sign in again."],
  "no-server": ["The service does not answer.", "Check your network. If you run this service: make status."],
  "insecure": ["This browser gives no microphone to this page.", "Open the page by its https:// address, in a current browser."],
  "no-permission": ["The microphone is not allowed.", "Allow it for this page: by the symbol left of the address, or in the settings of your browser or phone. Then press Talk again."],
  "no-microphone": ["No microphone was found.", "Connect one, then press Talk again."],
  "microphone-busy": ["The microphone could not be opened.", "Another program may be using it. Close that program, then press Talk again."],
  "no-certificate": ["The secure way for sound was refused.", "This device does not trust the service's certificate: a click past the warning is not enough. Fetch /ca.crt from this address and add it to the trusted authorities (docs/page.md)."],
  "no-media": ["The sound cannot get through.", "Your network blocks it, or the relay is not reachable. Try another network, or the other choice under Connection."],
  "no-agent": ["Nobody answered.", "All lines may be busy, or the agent is not running. Please try again in a moment."],
  "lost": ["The connection was lost.", "Check your network, then press Talk again."],
};

// How the sound travels, by the browser's own statistics.
export const CONNECTIONS = {
  "unknown": "Finding a way for the sound…",
  "udp": "Connected directly over UDP: the best way.",
  "tcp": "Connected directly over TCP: your network blocks UDP, so sound may come late.",
  "relay-udp": "Connected through the relay, over UDP.",
  "relay-tcp": "Connected through the relay, over TCP.",
  "relay-tls": "Connected through the relay, over TLS: your network lets little else through.",
};

export const QUALITIES = {
  poor: "The connection is poor. Move closer to your Wi-Fi, or close what else uses the network.",
  lost: "No connection at the moment…",
};

export const STATES = {
  connecting: "Connecting…",
  waiting: "Waiting for the agent…",
  initializing: "Waiting for the agent…",
  idle: "Listening",
  listening: "Listening",
  thinking: "Thinking…",
  speaking: "Speaking",
  reconnecting: "Reconnecting…",
  silent: "Touch the page to hear the agent",
};
