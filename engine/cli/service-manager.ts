/** Tells systemd how a service of `Type=notify` is: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html */
import { execFile } from 'node:child_process';
import type { Log } from '#client/log';

const NOTIFY_MS_MAX = 5_000;

/**
 * Does nothing where no service manager asks for it. Node speaks no datagrams on a socket of the file system, so systemd's own little
 * program does it; the unit says `NotifyAccess=all` for that.
 */
export async function tellServiceManager(state: 'READY=1' | 'STOPPING=1', log: Log): Promise<void> {
  const { NOTIFY_SOCKET, PATH } = process.env;
  if (NOTIFY_SOCKET === undefined || NOTIFY_SOCKET === '') return;
  const env = { NOTIFY_SOCKET, ...(PATH === undefined ? {} : { PATH }) };
  await new Promise<void>((resolve) => {
    execFile('systemd-notify', [`MAINPID=${process.pid}`, state], { env, timeout: NOTIFY_MS_MAX }, (error) => {
      if (error) log.warn({ err: error }, `the service manager could not be told ${state}`);
      resolve();
    });
  });
}
