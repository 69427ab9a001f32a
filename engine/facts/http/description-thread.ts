/** Reads a description in a thread of its own, bounded in time and memory: megabytes of YAML take seconds, in which a gateway serves others. */
import { Worker } from 'node:worker_threads';
import { InterlockError } from '#schemas/errors';
import type { HttpCatalog } from '#schemas/knowledge';
import type { Description } from './description.ts';
import { HTTP_FACTS_LIMITS } from './limits.ts';

export type DescriptionAnswer = { readonly catalog: HttpCatalog } | { readonly failure: string };

/** @throws InterlockError CONFIG_INVALID, naming the file and the operation */
export async function readDescriptionApart(description: Description, deadlineMs: number = HTTP_FACTS_LIMITS.descriptionMs): Promise<HttpCatalog> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpCatalog>();
  const file = (description.openapi ?? description.routes ?? description.graphql)?.file ?? '';
  const failed = (why: string, cause?: unknown): void => reject(new InterlockError('CONFIG_INVALID', why, { cause }));
  // the package has this file as .js
  const entry = new URL(import.meta.url.endsWith('.ts') ? './description-worker.ts' : './description-worker.js', import.meta.url);
  const resourceLimits = { maxOldGenerationSizeMb: HTTP_FACTS_LIMITS.descriptionHeapMiB, maxYoungGenerationSizeMb: 32, stackSizeMb: 8 };
  const worker = new Worker(entry, { workerData: description, resourceLimits });
  worker.unref();
  // counted from when it runs: a machine under load is no fault of the description's
  let timer: NodeJS.Timeout | undefined;
  worker.on('online', () => (timer = setTimeout(() => failed(`${file}: reading it took longer than ${deadlineMs} ms`), deadlineMs)));
  worker.on('message', (answer: DescriptionAnswer) => ('failure' in answer ? failed(answer.failure) : resolve(answer.catalog)));
  worker.on('error', (error) => failed(`${file}: reading it went out of its bounds`, error));
  worker.on('exit', () => failed(`${file}: reading it ended without an answer`));
  return promise.finally(() => {
    clearTimeout(timer);
    void worker.terminate();
  });
}
