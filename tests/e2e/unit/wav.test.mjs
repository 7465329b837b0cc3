import assert from "node:assert/strict";
import { test } from "node:test";
import { tone } from "../lib/sound.mjs";
import { decodeWav, encodeWav } from "../lib/wav.mjs";

test("what is written is read again, within half a step of 16 bits", () => {
  const sound = tone([440], 0.1);
  const back = decodeWav(encodeWav(sound));
  assert.equal(back.rate, 48000);
  assert.equal(back.samples.length, sound.samples.length);
  assert.ok(back.samples.every((sample, index) => Math.abs(sample - sound.samples[index]) < 1 / 16000));
});

test("samples beyond full scale are clipped, not wrapped", () => {
  const back = decodeWav(encodeWav({ rate: 8000, samples: Float32Array.of(2, -2) }));
  assert.ok(back.samples[0] > 0.99 && back.samples[1] < -0.99);
});

test("a header that claims more data than there is ends with the file", () => {
  const file = encodeWav({ rate: 8000, samples: Float32Array.of(0.5, 0.5, 0.5) });
  file.writeUInt32LE(0x7ffff000, 40);
  assert.equal(decodeWav(file).samples.length, 3);
});

test("two channels are averaged, and chunks of odd length are stepped over", () => {
  const format = Buffer.from([1, 0, 2, 0, 64, 31, 0, 0, 0, 125, 0, 0, 4, 0, 16, 0]);
  const chunk = (id, body) => {
    const head = Buffer.alloc(8);
    head.write(id, "latin1");
    head.writeUInt32LE(body.length, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
  };
  const data = Buffer.alloc(4);
  data.writeInt16LE(16384, 0);
  const chunks = Buffer.concat([chunk("LIST", Buffer.from("odd")), chunk("fmt ", format), chunk("data", data)]);
  const file = Buffer.concat([Buffer.from("RIFF\0\0\0\0WAVE", "latin1"), chunks]);
  assert.deepEqual([...decodeWav(file).samples], [0.25]);
});

test("what is no WAV file is refused", () => {
  assert.throws(() => decodeWav(Buffer.from("ID3 something else entirely")), /not a WAV file/);
  assert.throws(() => decodeWav(Buffer.from("RIFF\0\0\0\0WAVE", "latin1")), /no data/);
});
