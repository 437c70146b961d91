// Graphile Worker on PostgreSQL: jobs are added one at a time and run by a pool of workers, as many as there are
// agents. With the argument `batches`, the pool takes and completes jobs in batches.
import { EventEmitter } from 'node:events';
import { Logger, makeWorkerUtils, run as start } from 'graphile-worker';
import pg from 'pg';
import { asked, Completions, describe, end, measure, newTask, versionOf } from './loop.mjs';

const run = asked();
const isInBatches = process.argv.includes('batches');
const connections = Math.min(run.agents, 32) + 2;
const pgPool = new pg.Pool({ connectionString: run.address, max: connections });
const fail = (error) => {
  throw error;
};
// Connections without a task, and those with one.
pgPool.on('error', fail);
pgPool.on('connect', (client) => client.on('error', fail));
// Failures only, which must not go unnoticed: a line for each job would be most of the work.
const logger = new Logger(() => (level, message) => {
  if (level === 'error') throw new Error(message);
});
const batches = { localQueue: { size: run.agents }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const preset = { worker: { concurrentJobs: run.agents, ...(isInBatches ? batches : {}) } };
const completions = new Completions();
const events = new EventEmitter();
events.on('job:complete', () => completions.add());
const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();
await start({ pgPool, logger, preset, events, noHandleSignals: true, taskList: { task: async () => {} } });
describe(
  `${versionOf('graphile-worker')}: addJob() and a pool with concurrency ${run.agents}, woken by LISTEN/NOTIFY; ` +
    (isInBatches ? `a local queue of ${run.agents} and completeJobBatchDelay 0; ` : 'no local queue; ') +
    `${connections} connections, other settings as they come; a job counts when its deletion has been sent`,
);
await measure(
  run,
  () => utils.addJob('task', newTask()),
  () => completions.next(),
);
end();
