import { readFile } from 'node:fs/promises';
import type { Catalog } from '#schemas/catalog';
import { InterlockError } from '#schemas/errors';

const CATALOG_BYTES_MAX = 256 * 1024 * 1024;

/** A reading of a target's catalog, JSON of schemas/catalog.ts. @throws InterlockError USAGE that names the file */
export async function readCatalog(file: string): Promise<Catalog> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new InterlockError('USAGE', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  });
  if (text.length > CATALOG_BYTES_MAX) throw new InterlockError('USAGE', `${file}: is longer than 256 MiB`);
  try {
    const catalog = JSON.parse(text) as Catalog;
    if (Array.isArray(catalog.relations)) return catalog;
  } catch (error) {
    throw new InterlockError('USAGE', `${file}: is not JSON`, { cause: error });
  }
  throw new InterlockError('USAGE', `${file}: is not a reading of a catalog: \`relations\` missing`);
}
