import { readFile } from "node:fs/promises";

/** Numbers that describe a text. */
export interface TextStats {
  readonly characters: number;
  readonly words: number;
  readonly sentences: number;
  readonly longestWord: string;
  readonly minutesToRead: number;
}

const WORDS_PER_MINUTE = 200;

/** Return the words of a text, in any script with letters. */
export function words(text: string): string[] {
  return text.match(/\p{L}+(?:['’-]\p{L}+)*/gu) ?? [];
}

/** Count sentences by the marks at their ends. */
export function countSentences(text: string): number {
  return (text.match(/[.!?]+(?=\s|$)/g) ?? []).length;
}

/** Measure a text. */
export function describe(text: string): TextStats {
  const found = words(text);
  return {
    characters: [...text].length,
    words: found.length,
    sentences: countSentences(text),
    longestWord: found.reduce((best, word) => (word.length > best.length ? word : best), ""),
    minutesToRead: Math.ceil(found.length / WORDS_PER_MINUTE),
  };
}

/** Return the most frequent words with their counts. */
export function frequent(text: string, limit: number): [string, number][] {
  const counts = new Map<string, number>();
  for (const word of words(text.toLowerCase())) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b)).slice(0, limit);
}

/** Measure a file. */
export async function describeFile(path: string): Promise<TextStats> {
  return describe(await readFile(path, "utf8"));
}

const sample = "The ferry left at noon. Didn't you see it? The sea was calm.";
console.assert(describe(sample).words === 13);
console.assert(describe(sample).sentences === 3);
console.assert(frequent(sample, 1)[0].join() === "the,2");
