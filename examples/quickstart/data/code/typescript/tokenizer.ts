export type Kind = "number" | "word" | "string" | "symbol";

/** A piece of source text with its place. */
export interface Token {
  readonly kind: Kind;
  readonly text: string;
  readonly line: number;
}

const PATTERNS: readonly [Kind | "skip", RegExp][] = [
  ["skip", /\s+|\/\/[^\n]*/y],
  ["number", /\d+(?:\.\d+)?/y],
  ["word", /[A-Za-z_]\w*/y],
  ["string", /"(?:[^"\\]|\\.)*"/y],
  ["symbol", /[-+*\/=<>!]=?|[(){};,]/y],
];

/** Thrown for a character that starts no token. */
export class LexError extends Error {
  constructor(char: string, readonly line: number) {
    super(`line ${line}: unexpected ${JSON.stringify(char)}`);
  }
}

/** Split a small programming language into tokens. */
export function* tokenize(source: string): Generator<Token> {
  let position = 0;
  let line = 1;
  scan: while (position < source.length) {
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = position;
      const text = pattern.exec(source)?.[0];
      if (text === undefined) continue;
      if (kind !== "skip") yield { kind, text, line };
      line += text.split("\n").length - 1;
      position += text.length;
      continue scan;
    }
    throw new LexError(source[position], line);
  }
}

/** Count the tokens of each kind. */
export function countKinds(source: string): Map<Kind, number> {
  const counts = new Map<Kind, number>();
  for (const { kind } of tokenize(source)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

const program = `
let total = 3.5; // a comment
if (total >= 2) { print("big"); }
`;
const tokens = [...tokenize(program)];
console.assert(tokens[0].text === "let" && tokens[0].line === 2);
console.assert(countKinds(program).get("number") === 2);
console.assert(tokens.some((token) => token.text === ">="));
