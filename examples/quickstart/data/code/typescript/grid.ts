/** A place on a grid. */
export type Cell = readonly [row: number, col: number];

/** Read a picture of a maze: # is a wall, S the start and G the goal. */
export class Maze {
  private readonly lines: readonly string[];

  constructor(picture: string) {
    this.lines = picture.trim().split("\n");
  }

  /** Find the first cell with the given sign. */
  locate(sign: string): Cell {
    for (const [row, line] of this.lines.entries()) {
      const col = line.indexOf(sign);
      if (col >= 0) return [row, col];
    }
    throw new Error(`the maze has no ${sign}`);
  }

  isOpen([row, col]: Cell): boolean {
    const sign = this.lines[row]?.[col];
    return sign !== undefined && sign !== "#";
  }

  /** The open cells next to a cell. */
  neighbours([row, col]: Cell): Cell[] {
    const around: Cell[] = [[row - 1, col], [row + 1, col], [row, col - 1], [row, col + 1]];
    return around.filter((cell) => this.isOpen(cell));
  }

  /** Count the steps of the shortest way, or return null if there is none. */
  solve(): number | null {
    const goal = String(this.locate("G"));
    const start = this.locate("S");
    const seen = new Set([String(start)]);
    let frontier: Cell[] = [start];
    for (let steps = 0; frontier.length > 0; steps += 1) {
      const next: Cell[] = [];
      for (const cell of frontier) {
        if (String(cell) === goal) return steps;
        for (const neighbour of this.neighbours(cell)) {
          if (!seen.has(String(neighbour))) {
            seen.add(String(neighbour));
            next.push(neighbour);
          }
        }
      }
      frontier = next;
    }
    return null;
  }
}

const garden = new Maze(`
S.#.
.##.
...G
`);
console.assert(garden.solve() === 5);
console.assert(new Maze("S#G").solve() === null);
