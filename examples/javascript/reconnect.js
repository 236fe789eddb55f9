// Stays connected: reconnects with backoff, and resumes after the last notification that it received.
const hub = "ws://127.0.0.1:3001";
let token = "<USER_TOKEN>"; // replace it when it has expired (4401)

// The hub would close the next socket for the same reason.
const terminal = [1002, 1007, 4400, 4403, 4413];
let since = ""; // or "?since=id:<newest id of the feed>", if the page has read the feed
let wait = 1000; // milliseconds

const position = ({ epoch, seq }) =>
  epoch ? `?since=seq:${seq}&epoch=${encodeURIComponent(epoch)}` : "";

function connect() {
  const ws = new WebSocket(`${hub}/ws/notifications${since}`, ["bellwire.v1", `bearer.${token}`]);
  ws.onmessage = ({ data }) => {
    console.log(data);
    const frame = JSON.parse(data);
    switch (frame.type) {
      case "welcome":
        since ||= position(frame);
        wait = 1000;
        break;
      case "notification":
        // Entries of other services have no seq, and need not be in the feed.
        if (frame.notification.seq) since = `?since=id:${frame.notification.id}`;
        break;
      case "gap": // something is missing: read the feed over HTTP
        since = position(frame);
        break;
      case "reconnect":
        wait = frame.afterMs;
        break;
    }
  };
  ws.onclose = ({ code, reason }) => {
    console.log("closed", code, reason);
    if (terminal.includes(code)) return;
    if (code === 4410) since = ""; // bellwire.raw only: read the feed over HTTP
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(2 * Math.max(wait, 500), 30000);
  };
}
connect();
