/** How many metres there are in one of each unit of length. */
const METRES = {
  mm: 0.001,
  cm: 0.01,
  m: 1,
  km: 1000,
  inch: 0.0254,
  foot: 0.3048,
  mile: 1609.344,
} as const;

export type LengthUnit = keyof typeof METRES;

/** Convert a length from one unit to another. */
export function convert(value: number, from: LengthUnit, to: LengthUnit): number {
  return (value * METRES[from]) / METRES[to];
}

/** Tell whether a text names a unit; narrows its type. */
export function isLengthUnit(text: string): text is LengthUnit {
  return Object.hasOwn(METRES, text);
}

/** Read a length such as "12.5 km" and return it in metres. */
export function parseLength(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/.exec(text);
  const unit = match?.[2] ?? "";
  if (!match || !isLengthUnit(unit)) throw new SyntaxError(`not a length: ${text}`);
  return Number(match[1]) * METRES[unit];
}

/** Write a length in the metric unit that suits its size. */
export function formatLength(metres: number): string {
  const units: LengthUnit[] = ["km", "m", "cm"];
  const unit = units.find((candidate) => metres >= METRES[candidate]) ?? "mm";
  const value = convert(metres, "m", unit);
  return `${Number(value.toPrecision(4))} ${unit}`;
}

/** Add lengths that are written in different units. */
export function addLengths(...texts: string[]): string {
  return formatLength(texts.map(parseLength).reduce((a, b) => a + b, 0));
}

console.assert(convert(1, "mile", "m") === 1609.344);
console.assert(addLengths("1.2 km", "300 m") === "1.5 km");
console.assert(formatLength(0.25) === "25 cm");
