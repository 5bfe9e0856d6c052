import { expect, test } from "vitest";
import { StreamParser } from "../../src/shared/sse";

const stream = ': beat\n\nid: 3\nevent: snapshot\ndata: {"seq":3}\n\nevent: change\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata:x\n\nevent: nothing\n\n';
const expected = [
  { type: "comment", data: "beat" },
  { type: "snapshot", data: '{"seq":3}' },
  { type: "change", data: '{"a":\n1}' },
  { type: "message", data: "x" },
];

test("a stream is the same however it is cut", () => {
  for (let size = 1; size <= stream.length; size++) {
    const parser = new StreamParser();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...parser.push(stream.slice(at, at + size)));
    expect(events, `pieces of ${size}`).toEqual(expected);
  }
});

test("a lone CR ends a line, but not at the end of a piece", () => {
  const parser = new StreamParser();
  expect(parser.push("data: a\r")).toEqual([]);
  expect(parser.push("\r")).toEqual([]);
  expect(parser.push("data: b\r\r")).toEqual([{ type: "message", data: "a" }]);
});

test("an unfinished event is not handed out", () => {
  expect(new StreamParser().push("data: half")).toEqual([]);
});
