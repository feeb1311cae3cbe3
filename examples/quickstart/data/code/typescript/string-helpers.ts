/** Make the first letter upper case. */
export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Split a name in any common style into lower-case words. */
export function splitWords(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word.length > 0)
    .map((word) => word.toLowerCase());
}

/** Write a name in camelCase. */
export function camelCase(name: string): string {
  const [first = "", ...others] = splitWords(name);
  return first + others.map(capitalize).join("");
}

/** Write a name in kebab-case. */
export function kebabCase(name: string): string {
  return splitWords(name).join("-");
}

/** Write a name in snake_case. */
export function snakeCase(name: string): string {
  return splitWords(name).join("_");
}

/** Break a text into lines of at most the given width, at spaces. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line === "") {
      line = word;
    } else if (line.length + 1 + word.length <= width) {
      line += ` ${word}`;
    } else {
      lines.push(line);
      line = word;
    }
  }
  return line === "" ? lines : [...lines, line];
}

/** Join words as one does in a sentence: "a, b and c". */
export function enumerate(words: string[], conjunction = "and"): string {
  if (words.length < 2) return words.join("");
  const last = words[words.length - 1];
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}

console.assert(camelCase("max-line_length") === "maxLineLength");
console.assert(kebabCase("backgroundColor") === "background-color");
console.assert(enumerate(["salt", "oil", "flour"]) === "salt, oil and flour");
console.assert(wrap("the quick brown fox", 9).length === 2);
