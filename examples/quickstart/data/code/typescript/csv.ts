/**
 * Read text in CSV form. Cells may be quoted; a quoted cell can hold
 * commas, line breaks and doubled quotes.
 */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;

  const endCell = () => {
    row.push(cell);
    cell = "";
  };
  const endRow = () => {
    endCell();
    rows.push(row);
    row = [];
  };

  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (quoted) {
      if (char !== '"') {
        cell += char;
      } else if (text[i + 1] === '"') {
        cell += '"';
        i += 1;
      } else {
        quoted = false;
      }
    } else if (char === '"') {
      quoted = true;
    } else if (char === ",") {
      endCell();
    } else if (char === "\n") {
      endRow();
    } else if (char !== "\r") {
      cell += char;
    }
  }
  if (cell !== "" || row.length > 0) endRow();
  return rows;
}

/** Write rows as CSV, quoting only the cells that need it. */
export function formatCsv(rows: readonly (readonly string[])[]): string {
  const quote = (cell: string) =>
    /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  return rows.map((row) => row.map(quote).join(",") + "\n").join("");
}

/** Use the first row as the keys of all others. */
export function toRecords([header = [], ...body]: string[][]): Record<string, string>[] {
  return body.map((row) => Object.fromEntries(header.map((key, i) => [key, row[i] ?? ""])));
}

const table = [["name", "note"], ["Ito", 'said "hi", left'], ["Rao", ""]];
console.assert(formatCsv(parseCsv(formatCsv(table))) === formatCsv(table));
console.assert(toRecords(table)[0].note === 'said "hi", left');
