// Receives server-sent events with an EventSource, which cannot send a token: each connection takes a
// ticket of its own. Reconnects, and resumes after the last event with an id.
const hub = "http://127.0.0.1:3001";
const token = "<USER_TOKEN>"; // get a new one when POST /ws/ticket answers 401

let since = ""; // or "&since=id:<newest id of the feed>", if the page has read the feed

async function listen() {
  const again = () => setTimeout(listen, 1000 + Math.random() * 4000);
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${hub}/ws/ticket`, { method: "POST", headers }).catch(() => null);
  if (!answer?.ok) return again();
  const { ticket } = await answer.json();
  const source = new EventSource(`${hub}/sse/notifications?ticket=${ticket}${since}`);
  for (const type of ["notification", "gap", "read", "removed"])
    source.addEventListener(type, ({ data, lastEventId }) => {
      const [, epoch, seq] = lastEventId.match(/^(.*):(\d+)$/) ?? [];
      if (epoch) since = `&since=seq:${seq}&epoch=${encodeURIComponent(epoch)}`;
      console.log(type, data);
    });
  // An EventSource reconnects by itself, but with the ticket that it has used.
  source.onerror = () => {
    source.close();
    again();
  };
}
listen();
