// What psql -c does, in a few lines of node-postgres: one statement, its rows or its refusal.
import pg from 'pg';

const client = new pg.Client();
client.on('notice', (notice) => console.error(`NOTICE:  ${notice.message}`));
await client.connect();
try {
  const result = await client.query(process.argv[2]);
  if (result.rows.length > 0) console.table(result.rows);
  else console.log(`${result.command} ${result.rowCount ?? ''}`);
} catch (error) {
  console.error(`ERROR:  ${error.message}\nDETAIL:  ${error.detail}\nHINT:  ${error.hint}`);
  process.exitCode = 1;
}
await client.end();
