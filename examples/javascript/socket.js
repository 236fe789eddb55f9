// Prints one user's notifications as they arrive, over a WebSocket.
// Paste it into the console of a page of an allowed origin: with `make up`, http://127.0.0.1:3001/healthz
const hub = "ws://127.0.0.1:3001";
const token = "<USER_TOKEN>";

const ws = new WebSocket(`${hub}/ws/notifications`, ["bellwire.v1", `bearer.${token}`]);
ws.onmessage = ({ data }) => console.log(data);
ws.onclose = ({ code, reason }) => console.log("closed", code, reason);
