/** A screenshot with at most 256 colours: a third of its size, and the eye sees no difference. https://www.w3.org/TR/png-3/ */
import { crc32, deflateSync } from 'node:zlib';
import type { Page } from 'playwright-core';

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, alpha of each, row by row. */
  readonly rgba: Buffer;
}

/** The browser that made the picture reads it as well. */
export async function pixelsOf(page: Page, png: Buffer): Promise<Pixels> {
  const read = `(async () => {
    const image = await createImageBitmap(await (await fetch('data:image/png;base64,${png.toString('base64')}')).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    let text = '';
    for (let at = 0; at < data.length; at += 32768) text += String.fromCharCode(...data.subarray(at, at + 32768));
    return { width: image.width, height: image.height, base64: btoa(text) };
  })()`;
  const { width, height, base64 } = (await page.evaluate(read)) as { readonly width: number; readonly height: number; readonly base64: string };
  return { width, height, rgba: Buffer.from(base64, 'base64') };
}

export function smallPng({ width, height, rgba }: Pixels): Buffer {
  const palette = commonColours(rgba);
  const nearest = new Map<number, number>();
  const rows = Buffer.alloc((width + 1) * height); // each begins with its filter: 0, none
  for (let at = 0; at < width * height; at++) {
    const colour = rgba.readUIntBE(at * 4, 3);
    let index = nearest.get(colour);
    if (index === undefined) nearest.set(colour, (index = nearestOf(palette, colour)));
    rows[Math.floor(at / width) * (width + 1) + 1 + (at % width)] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8); // eight bits, indexed
  const colours = Buffer.alloc(palette.length * 3);
  for (const [index, colour] of palette.entries()) colours.writeUIntBE(colour, index * 3, 3);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const COLOURS_MAX = 128;

function commonColours(rgba: Buffer): readonly number[] {
  const counts = new Map<number, number>();
  for (let at = 0; at < rgba.length; at += 4) {
    const colour = rgba.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const byUse = [...counts].sort(([, one], [, other]) => other - one);
  const chosen: number[] = [];
  for (const [colour] of byUse) {
    // neighbours of a chosen colour are well served by it
    if (chosen.length < COLOURS_MAX && chosen.every((other) => distance(colour, other) > 24)) chosen.push(colour);
  }
  return chosen;
}

function nearestOf(palette: readonly number[], colour: number): number {
  let best = 0;
  for (let index = 1; index < palette.length; index++)
    if (distance(palette[index] as number, colour) < distance(palette[best] as number, colour)) best = index;
  return best;
}

function distance(one: number, other: number): number {
  return ((one >> 16) - (other >> 16)) ** 2 + (((one >> 8) & 255) - ((other >> 8) & 255)) ** 2 + ((one & 255) - (other & 255)) ** 2;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
