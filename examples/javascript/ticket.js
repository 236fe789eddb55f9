// Opens a WebSocket with a one-time ticket: the token stays out of the URL and of the subprotocols.
const hub = "http://127.0.0.1:3001";
const token = "<USER_TOKEN>";

async function connect() {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${hub}/ws/ticket`, { method: "POST", headers });
  const { ticket, detail } = await answer.json();
  if (!answer.ok) throw new Error(`no ticket: ${answer.status} ${detail}`); // 401: get a new token
  // The ticket opens one socket or stream, within 30 s.
  const url = `${hub.replace("http", "ws")}/ws/notifications?ticket=${ticket}`;
  const ws = new WebSocket(url, "bellwire.v1");
  ws.onmessage = ({ data }) => console.log(data);
  ws.onclose = ({ code, reason }) => console.log("closed", code, reason);
}
connect();
