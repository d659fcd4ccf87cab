/**
 * Makes a screenshot smaller without changing a pixel.
 *
 * Chromium filters each row as suits photographs. A page is mostly flat colour and repeated letters, which deflate finds
 * by itself when the rows are left as they are: a fifth less (measured on these pictures). PNG, W3C Recommendation,
 * sections 9 (filters) and 5 (chunks).
 */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE_BYTES = 8;
const TRUECOLOUR = 2;

interface Chunk {
  type: string;
  data: Buffer;
}

/** The same picture with unfiltered rows. Throws for anything but 8-bit RGB without interlacing, which Chromium writes. */
export function repackPng(png: Buffer): Buffer {
  const chunks = readChunks(png);
  const header = chunks.find(({ type }) => type === 'IHDR')?.data;
  if (header === undefined || header[8] !== 8 || header[9] !== TRUECOLOUR || header[12] !== 0) {
    throw new Error('not an 8-bit RGB picture without interlacing');
  }
  const body = inflateSync(
    Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data)),
  );
  const rowBytes = header.readUInt32BE(0) * 3;
  const packed = deflateSync(unfilter(body, rowBytes, header.readUInt32BE(4)), { level: 9, memLevel: 9 });
  const kept = [
    { type: 'IHDR', data: header },
    { type: 'IDAT', data: packed },
    { type: 'IEND', data: Buffer.alloc(0) },
  ];
  return Buffer.concat([png.subarray(0, SIGNATURE_BYTES), ...kept.map(writeChunk)]);
}

function readChunks(png: Buffer): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE_BYTES; at < png.length;) {
    const length = png.readUInt32BE(at);
    const type = png.toString('latin1', at + 4, at + 8);
    chunks.push({ type, data: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

function writeChunk({ type, data }: Chunk): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/** Rows as they were before filtering, each behind a filter byte 0 (none). */
function unfilter(filtered: Buffer, rowBytes: number, rows: number): Buffer {
  const stride = rowBytes + 1;
  const plain = Buffer.alloc(stride * rows);
  for (let row = 0; row < rows; row += 1) {
    const start = row * stride + 1;
    const filter = filtered[start - 1]!;
    for (let x = 0; x < rowBytes; x += 1) {
      const at = start + x;
      const left = x < 3 ? 0 : plain[at - 3]!;
      const up = row === 0 ? 0 : plain[at - stride]!;
      const upLeft = x < 3 || row === 0 ? 0 : plain[at - stride - 3]!;
      plain[at] = filtered[at]! + predict({ filter, left, up, upLeft });
    }
  }
  return plain;
}

function predict({
  filter,
  left,
  up,
  upLeft,
}: {
  filter: number;
  left: number;
  up: number;
  upLeft: number;
}): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const guess = left + up - upLeft;
      const [byLeft, byUp, byBoth] = [left, up, upLeft].map((one) => Math.abs(guess - one)) as [
        number,
        number,
        number,
      ];
      if (byLeft <= byUp && byLeft <= byBoth) return left;
      return byUp <= byBoth ? up : upLeft;
    }
    default:
      throw new Error(`there is no PNG filter ${filter}`);
  }
}
