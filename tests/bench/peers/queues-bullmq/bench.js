// The peer in the benchmark `queues`: empty jobs, added in bulk and processed by BullMQ's own worker,
// for some seconds. Prints
// {"done":n,"seconds":s,"cpuSeconds":c,"sendMs":[p50,p99,worst],"memoryMib":m}.
//
//   node bench.js REDIS_PORT BATCH PRODUCERS SECONDS
"use strict";

const { Queue, Worker } = require("bullmq");

const [port, batch, producers, seconds] = process.argv.slice(2).map(Number);
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
const name = "bench";
// Limits the waiting jobs to twice the number that the producers can add at once.
const WAITING_MAX = 2 * batch * producers;

let added = 0;
let done = 0;
let running = true;
const sendMs = [];

const queue = new Queue(name, {
  connection,
  defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: 5 },
});
const worker = new Worker(name, async () => {}, {
  connection,
  concurrency: batch,
  removeOnComplete: { count: 0 },
});
worker.on("completed", () => {
  done += 1;
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function produce() {
  const jobs = Array.from({ length: batch }, (_, n) => ({
    name: "job",
    data: { orderId: 100000 + n, carrier: "post", note: "x".repeat(60) },
  }));
  while (running) {
    if (added - done > WAITING_MAX) {
      await pause(1);
      continue;
    }
    added += batch;
    const begun = process.hrtime.bigint();
    await queue.addBulk(jobs);
    sendMs.push(Number(process.hrtime.bigint() - begun) / 1e6);
  }
}

async function main() {
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
  const producing = Array.from({ length: producers }, produce);
  await pause(500);
  sendMs.length = 0;
  const [before, cpuBefore, begun] = [done, process.cpuUsage(), process.hrtime.bigint()];
  await pause(seconds * 1000);
  const took = Number(process.hrtime.bigint() - begun) / 1e9;
  const cpu = process.cpuUsage(cpuBefore);
  const count = done - before;
  const memoryMib = process.memoryUsage.rss() / 1024 / 1024;
  running = false;
  await Promise.all(producing);
  sendMs.sort((a, b) => a - b);
  const last = sendMs.length - 1;
  const at = (share) => sendMs[Math.min(last, Math.floor(share * sendMs.length))] ?? 0;
  await worker.close();
  await queue.obliterate({ force: true });
  await queue.close();
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  console.log(JSON.stringify({ done: count, seconds: took, cpuSeconds, sendMs: [at(0.5), at(0.99), at(1)], memoryMib }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
