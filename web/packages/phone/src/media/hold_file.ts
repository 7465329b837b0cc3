/** Music on hold of somebody's own: a file that the browser can decode (WAV, Ogg Opus ...), fetched once per window. */

/** Larger or longer, it would cost every window more than a caller's patience is worth. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_SECONDS = 300;
const MIN_SECONDS = 1;
const TIMEOUT_MS = 10_000;
/** More than a telephone line carries, and a quarter of the memory of full quality. */
const RATE = 24_000;

/** The file is no music for this purpose, and will not become it. */
export class UnusableFile extends Error {}

/** Rejects with `UnusableFile`, or with another error if it may be there the next time. */
export async function loadHoldFile(url: string): Promise<AudioBuffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const bytes = await bounded(response);
  const buffer = await decode(bytes);
  if (buffer.duration < MIN_SECONDS || buffer.duration > MAX_SECONDS) {
    throw new UnusableFile(`it lasts ${Math.round(buffer.duration)} s instead of ${MIN_SECONDS} to ${MAX_SECONDS}`);
  }
  return buffer;
}

async function decode(bytes: ArrayBuffer): Promise<AudioBuffer> {
  try {
    return await new OfflineAudioContext(1, 1, RATE).decodeAudioData(bytes);
  } catch {
    throw new UnusableFile('it is no sound that can be decoded');
  }
}

/** The body, which is not read further than it may be long. */
async function bounded(response: Response): Promise<ArrayBuffer> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
    length += part.value.length;
    if (length > MAX_BYTES) {
      void reader?.cancel().catch(() => undefined);
      throw new UnusableFile(`it is larger than ${MAX_BYTES} bytes`);
    }
    parts.push(part.value);
  }
  return new Blob(parts).arrayBuffer();
}
