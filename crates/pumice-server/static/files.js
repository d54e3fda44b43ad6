// Files of one's own for a job: sent in pieces (docs/protocol/rest.md, "Files for jobs"), and named in the definition.
"use strict";

const PIECE_BYTES = 4 << 20;

// SHA-256 (FIPS 180-4). The browser's own is not there on pages without TLS, and wants a file as a whole.
const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
const ROUNDS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const turned = (word, bits) => (word >>> bits) | (word << (32 - bits));

class Sha256 {
  constructor() {
    this.state = START.slice();
    this.words = new Int32Array(64);
    this.rest = new Uint8Array(0);
    this.length = 0;
  }

  update(piece) {
    this.length += piece.length;
    const bytes = new Uint8Array(this.rest.length + piece.length);
    bytes.set(this.rest);
    bytes.set(piece, this.rest.length);
    const view = new DataView(bytes.buffer);
    let at = 0;
    for (; at + 64 <= bytes.length; at += 64) this.block(view, at);
    this.rest = bytes.slice(at);
  }

  block(view, at) {
    const { words, state } = this;
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const early = words[i - 15], late = words[i - 2];
      words[i] = words[i - 16] + (turned(early, 7) ^ turned(early, 18) ^ (early >>> 3))
        + words[i - 7] + (turned(late, 17) ^ turned(late, 19) ^ (late >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
      const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] = (state[i] + word) | 0; });
  }

  hex() {
    const length = this.length;
    const end = new Uint8Array(((length % 64 < 56 ? 64 : 128) - (length % 64)));
    end[0] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(length / 2 ** 29));
    view.setUint32(end.length - 4, (length << 3) >>> 0);
    this.update(end);
    return [...this.state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

const bytesOf = async (file, from) => new Uint8Array(await file.slice(from, from + PIECE_BYTES).arrayBuffer());

async function digestOf(file, tell) {
  const digest = new Sha256();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    tell("read", at / file.size);
    digest.update(await bytesOf(file, at));
  }
  return digest.hex();
}

// Sends what the server has not, and answers what the file is called there.
async function send(file, tell) {
  const sha256 = await digestOf(file, tell);
  const name = file.name.replace(/[^A-Za-z0-9\-_.+@]/g, "_").slice(-190).replace(/^(?![A-Za-z0-9_])/, "_");
  const address = "/api/v0.2/uploads/" + sha256 + "/";
  // What is there already is skipped: the answer says where to go on.
  let upload = { offset: 0, complete: false };
  while (!upload.complete) {
    tell("sent", upload.offset / (file.size || 1));
    const query = new URLSearchParams({ name, size: file.size, offset: upload.offset });
    const answer = await fetch(address + "?" + query, { method: "PUT", body: await bytesOf(file, upload.offset),
      headers: { "Content-Type": "application/octet-stream", "X-Requested-With": "pumice" } });
    upload = await answer.json();
    if (!answer.ok) throw new Error(upload.detail);
  }
  return "upload://" + sha256 + "/" + name;
}

document.addEventListener("DOMContentLoaded", () => {
  const chooser = document.querySelector("#files"), state = document.querySelector("#sent");
  const text = document.querySelector("textarea[data-check]");
  chooser.addEventListener("change", async () => {
    chooser.disabled = true;
    for (const file of chooser.files) {
      try {
        const name = await send(file, (what, part) => { state.textContent = file.name + ": " + Math.floor(100 * part) + " % " + what; });
        text.setRangeText(name, text.selectionStart, text.selectionEnd, "end");
        text.dispatchEvent(new Event("input"));
        state.textContent = file.name + " was sent; its address stands in the definition.";
      } catch (error) {
        state.textContent = file.name + " was not sent: " + error.message;
        break;
      }
    }
    chooser.disabled = false;
    chooser.value = "";
  });
});
