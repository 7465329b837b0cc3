import assert from "node:assert/strict";
import { test } from "node:test";
import { digest, parseAnswer } from "../lib/sip.mjs";

test("an answer's contacts are split, quoted commas or not", () => {
  const answer = parseAnswer(
    'SIP/2.0 200 OK\r\nVia: SIP/2.0/WS a;branch=z9hG4bK1\r\nm: "A, B" <sip:a@b>;expires=5, <sip:c@d>\r\nContact: <sip:e@f>\r\n\r\n',
  );
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("contact").length, 3);
});

test("what is no answer is none", () => {
  assert.equal(parseAnswer("INVITE sip:a@b SIP/2.0\r\n\r\n"), undefined);
});

test("the response without qop is the one of RFC 2617's formula", () => {
  const text = digest('Digest realm="r", nonce="n"', { method: "REGISTER", uri: "sip:r", user: "u", password: "p" });
  // MD5(MD5("u:r:p"):n:MD5("REGISTER:sip:r")), computed with another tool.
  assert.match(text, /response="5790559ba44538767b07fb5adb649909"/);
});
