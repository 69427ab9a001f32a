/** `interlock up` whose disk pulls the plug: `node crashing-gateway.ts CONFIG WORDS before|after` kills itself where a commit with these words begins or has ended. */
import { loadConfig } from '#engine/config/load';
import { openLog } from '#engine/config/log';
import { type JournalFiles, realFiles } from '#engine/journal/files';
import { up } from '#engine/main';

const [configFile = '', words = '', where = ''] = process.argv.slice(2);

const files: JournalFiles = {
  allocate: (path, bytes) => realFiles.allocate(path, bytes),
  open: async (path) => {
    const file = await realFiles.open(path);
    return {
      commit: (bytes, length, position, done) => {
        const struck = Buffer.from(bytes.buffer, bytes.byteOffset, length).includes(words);
        if (struck && where === 'before') process.kill(process.pid, 'SIGKILL');
        file.commit(bytes, length, position, (error) => (struck ? process.kill(process.pid, 'SIGKILL') : done(error)));
      },
      close: () => file.close(),
    };
  },
};

const running = await up(await loadConfig(configFile), { log: openLog({ level: 'warn', format: 'json', secrets: [] }), version: '0', files });
process.stdout.write(`${JSON.stringify({ targets: running.targets })}\n`);
await running.finished;
