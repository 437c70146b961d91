// BullMQ on Redis: a queue, and a worker with as many concurrent jobs as there are agents.
import { Queue, Worker } from 'bullmq';
import { asked, Completions, describe, end, measure, newTask, versionOf } from './loop.mjs';

const run = asked();
const [host, port] = run.address.split(':');
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const queue = new Queue('bench', { connection });
const completions = new Completions();
const worker = new Worker('bench', async () => 'done', { connection, concurrency: run.agents });
worker.on('completed', () => completions.add());
worker.on('error', (error) => {
  throw error;
});
await queue.waitUntilReady();
await worker.waitUntilReady();
describe(
  `${versionOf('bullmq')} with ${versionOf('ioredis')}: one Worker with concurrency ${run.agents}, which takes the ` +
    'next job with each completion; other settings as they come, completed jobs are kept',
);
await measure(
  run,
  () => queue.add('task', newTask()),
  () => completions.next(),
);
end();
