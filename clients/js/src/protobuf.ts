/**
 * The binary framing of the websocket: protobuf `Frame{oneof text=1 audio=2 transcription=3 message=4
 * interruption=5}`, of which a client needs audio, message and interruption.
 */

export type Incoming = { kind: "audio"; pcm: Uint8Array; rate: number } | { kind: "message"; text: string } | { kind: "interruption" | "other" };

type Field = [number: number, value: number | Uint8Array];

/** A frame with a message of the client protocol, as JSON text. */
export const encodeMessage = (text: string) => Uint8Array.from(field(4, field(1, [...new TextEncoder().encode(text)])));

/** A frame with 16-bit little-endian mono samples. */
export const encodeAudio = (pcm: Uint8Array, rate: number) => Uint8Array.from(field(2, [...field(3, [...pcm]), 4 << 3, ...varint(rate), 5 << 3, 1]));

/** What a frame says. Throws a RangeError where it is cut short or no protobuf at all. */
export function decode(frame: Uint8Array): Incoming {
  for (const [number, body] of fields(frame)) {
    if (number === 5) return { kind: "interruption" };
    if (typeof body === "number") continue;
    const inner = new Map(fields(body));
    if (number === 4) return { kind: "message", text: new TextDecoder().decode(inner.get(1) as Uint8Array) };
    if (number === 2) return { kind: "audio", pcm: inner.get(3) as Uint8Array, rate: (inner.get(4) as number) || 24000 };
  }
  return { kind: "other" };
}

function fields(message: Uint8Array): Field[] {
  let at = 0;
  const short = () => new RangeError("not a protobuf frame");
  const varint = (): number => {
    for (let value = 0, factor = 1; at < message.length && factor < 2 ** 70; factor *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw short();
  };
  const bytes = (length: number): Uint8Array => {
    if (at + length > message.length) throw short();
    return message.subarray(at, (at += length));
  };
  const found: Field[] = [];
  while (at < message.length) {
    const key = varint();
    const read = [varint, () => bytes(8), () => bytes(varint()), , , () => bytes(4)][key % 8];
    if (!read) throw short();
    found.push([key >>> 3, read()]);
  }
  return found;
}

const field = (number: number, body: number[]): number[] => [(number << 3) | 2, ...varint(body.length), ...body];

const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]);
