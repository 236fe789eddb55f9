// Parts of a browser that this Node lacks: WebSocket (a global since Node 22) and EventSource (behind a
// flag), as far as examples/javascript use them. Preloaded by the test that runs those files;
// BELLWIRE_OWN_BROWSER=1 also replaces Node's own.
//
// console.log writes a line `log [...]` of JSON for the test to read.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const NO_CLOSE_FRAME = 1006;

class WebSocket {
  constructor(url, protocols) {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64'),
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': [protocols].flat().join(', '),
    };
    const request = http.get(url.replace(/^ws:/, 'http:'), { headers });
    request.on('error', () => this.end(NO_CLOSE_FRAME, ''));
    // Rejected: a page learns only that.
    request.on('response', () => request.destroy());
    request.on('upgrade', (_, socket, head) => {
      this.socket = socket;
      this.unread = head;
      socket.on('data', (bytes) => this.read(bytes));
      socket.on('error', () => {});
      socket.on('close', () => this.end(NO_CLOSE_FRAME, ''));
      this.read(Buffer.alloc(0));
    });
  }

  // Server frames: unmasked, and never fragmented by the hub.
  read(bytes) {
    this.unread = Buffer.concat([this.unread, bytes]);
    for (;;) {
      if (this.unread.length < 2) return;
      let [length, start] = [this.unread[1], 2];
      if (length === 126) start = 4;
      if (length === 127) start = 10;
      if (this.unread.length < start) return;
      if (start === 4) length = this.unread.readUInt16BE(2);
      if (start === 10) length = Number(this.unread.readBigUInt64BE(2));
      if (this.unread.length < start + length) return;
      const payload = this.unread.subarray(start, start + length);
      const opcode = this.unread[0] & 15;
      this.unread = this.unread.subarray(start + length);
      if (opcode === TEXT) this.onmessage?.({ data: payload.toString() });
      if (opcode === PING) this.write(PONG, payload);
      if (opcode === CLOSE) {
        this.write(CLOSE, payload.subarray(0, 2));
        this.end(payload.readUInt16BE(0), payload.subarray(2).toString());
      }
    }
  }

  // Masked with zeros, a valid mask. Short: control frames only.
  write(opcode, payload) {
    this.socket.write(Buffer.concat([Buffer.from([128 | opcode, 128 | payload.length, 0, 0, 0, 0]), payload]));
  }

  end(code, reason) {
    if (this.isOver) return;
    this.isOver = true;
    this.socket?.end();
    this.onclose?.({ code, reason });
  }
}

class EventSource {
  constructor(url) {
    this.listeners = new Map();
    this.abort = new AbortController();
    this.lastEventId = '';
    this.run(url).catch(() => {}).then(() => this.abort.signal.aborted || this.onerror?.({}));
  }

  addEventListener(type, listener) {
    this.listeners.set(type, listener);
  }

  close() {
    this.abort.abort();
  }

  async run(url) {
    const headers = { Accept: 'text/event-stream' };
    const answer = await fetch(url, { headers, signal: this.abort.signal });
    if (answer.status !== 200) return;
    let unread = '';
    const decoder = new TextDecoder();
    for await (const bytes of answer.body) {
      const blocks = (unread + decoder.decode(bytes, { stream: true })).split('\n\n');
      unread = blocks.pop();
      blocks.forEach((block) => this.dispatch(block));
    }
  }

  dispatch(block) {
    let [type, data] = ['message', []];
    for (const line of block.split('\n')) {
      const [, name, value] = line.match(/^([a-z]*): ?(.*)$/) ?? [];
      if (name === 'id') this.lastEventId = value;
      if (name === 'event') type = value;
      if (name === 'data') data.push(value);
    }
    const event = { data: data.join('\n'), lastEventId: this.lastEventId };
    if (data.length > 0) this.listeners.get(type)?.(event);
  }
}

// That of Node 20, behind a flag, tells neither an error nor a close if the server ends the connection
// during the handshake, as every browser does.
const isDeaf = parseInt(process.versions.node, 10) < 22;
if (isDeaf || !globalThis.WebSocket || process.env.BELLWIRE_OWN_BROWSER) globalThis.WebSocket = WebSocket;
if (!globalThis.EventSource || process.env.BELLWIRE_OWN_BROWSER) globalThis.EventSource = EventSource;
console.log = (...words) => process.stdout.write(`log ${JSON.stringify(words)}\n`);
