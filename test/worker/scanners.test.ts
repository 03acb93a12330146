// The two readers of bytes that pass by: token counts, and the end of an event stream.
import { describe, expect, test } from "bun:test";
import { SseEndScanner } from "../../src/worker/sse-end.ts";
import { UsageScanner } from "../../src/worker/usage.ts";

/** The same bytes in one piece, and in pieces of every small size. */
function slicings(text: string): readonly (readonly Uint8Array[])[] {
  const bytes = Buffer.from(text);
  return [bytes.byteLength, 1, 2, 3, 5, 7, 11].map((size) => {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.byteLength; at += size) pieces.push(bytes.subarray(at, at + size));
    return pieces;
  });
}

describe("[D24] token counts", () => {
  const cases: Readonly<Record<string, readonly [text: string, counts: object | null]>> = {
    "of a chat answer": [
      '{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":1}}}',
      { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
    ],
    "of a chat stream": [
      'data: {"choices":[{}],"usage":null}\n\ndata: {"choices":[],"usage": {"prompt_tokens": 3, "completion_tokens": 4}}\n\ndata: [DONE]\n\n',
      { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
    ],
    "of a messages stream, from its first and last event": [
      'data: {"message":{"usage":{"input_tokens":5,"output_tokens":1}}}\n\ndata: {"usage":{"output_tokens":9}}\n\n',
      { prompt_tokens: 5, completion_tokens: 9, total_tokens: 14 },
    ],
    "of a responses stream": [
      'data: {"response":{"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}}\n\n',
      { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    ],
    "of an embedding": ['{"usage":{"prompt_tokens":8,"total_tokens":8}}', { prompt_tokens: 8, total_tokens: 8 }],
    "not from what the model says": [JSON.stringify({ content: '{"usage":{"prompt_tokens":3}}' }), null],
    "not from nonsense": ['{"usage":{"prompt_tokens":-1,"completion_tokens":"4"}}{"usage":[1]}{"usage"', null],
    "not from an object without end": [`{"usage":{${"x".repeat(10_000)}`, null],
  };
  for (const [name, [text, counts]] of Object.entries(cases)) {
    test(name, () => {
      for (const pieces of slicings(text)) {
        const scanner = new UsageScanner();
        for (const piece of pieces) scanner.push(piece);
        expect(scanner.counts()).toEqual(counts);
      }
    });
  }
});

describe("[D11] the end of an event stream", () => {
  const isFinished = (pieces: readonly Uint8Array[]): boolean => {
    const scanner = new SseEndScanner();
    for (const piece of pieces) scanner.push(piece);
    return scanner.isFinished;
  };
  const finished = [
    "data: {}\n\ndata: [DONE]\n\n",
    "data:[DONE]\n\n",
    "data: {}\r\n\r\ndata: [DONE]\r\n\r\n",
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    'data: {"type":"response.completed","response":{}}\n\n',
    "event: response.failed\ndata: {}\n\n",
    "event: response.incomplete\ndata: {}\n\n",
  ];
  for (const text of finished) {
    test(`is seen in ${JSON.stringify(text)}`, () => {
      for (const pieces of slicings(text)) expect(isFinished(pieces)).toBe(true);
    });
  }
  const unfinished = [
    "",
    "data: {}\n\n",
    'data: {"content":"\\ndata: [DONE]"}\n\n',
    'data: {"content":"\\"type\\":\\"message_stop\\""}\n\n',
  ];
  for (const text of unfinished) {
    test(`is not seen in ${JSON.stringify(text)}`, () => {
      for (const pieces of slicings(text)) expect(isFinished(pieces)).toBe(false);
    });
  }
});
