// pg-boss on PostgreSQL: each agent sends a job, fetches one and completes it.
import { PgBoss } from 'pg-boss';
import { asked, describe, end, measure, newTask, versionOf } from './loop.mjs';

const run = asked();
const connections = Math.min(run.agents, 32);
const boss = new PgBoss({ connectionString: run.address, max: connections });
boss.on('error', (error) => {
  throw error;
});
await boss.start();
await boss.createQueue('bench');
describe(
  `${versionOf('pg-boss')}: send(), fetch() of one job and complete(), which wait for no poll; ` +
    `${connections} connections, other settings as they come`,
);
const complete = async () => {
  // Every agent has sent a job before it fetches, so there is always one left for it, unless the one that it
  // would get is locked at that moment by an agent that fetches another.
  let jobs = [];
  while (jobs.length === 0) jobs = await boss.fetch('bench', { batchSize: 1 });
  await boss.complete('bench', jobs[0].id);
};
await measure(run, () => boss.send('bench', newTask()), complete);
end();
