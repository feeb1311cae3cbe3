/** An immutable matrix of numbers. */
export class Matrix {
  readonly height: number;
  readonly width: number;

  constructor(private readonly rows: readonly (readonly number[])[]) {
    this.height = rows.length;
    this.width = rows[0]?.length ?? 0;
    if (rows.some((row) => row.length !== this.width)) {
      throw new RangeError("all rows must have the same length");
    }
  }

  /** Build a matrix by asking for each of its cells. */
  static build(height: number, width: number, cell: (row: number, col: number) => number): Matrix {
    return new Matrix(
      Array.from({ length: height }, (_, row) =>
        Array.from({ length: width }, (_, col) => cell(row, col)),
      ),
    );
  }

  static identity(size: number): Matrix {
    return Matrix.build(size, size, (row, col) => (row === col ? 1 : 0));
  }

  /** Return one cell; indices start at zero. */
  at(row: number, col: number): number {
    const value = this.rows[row]?.[col];
    if (value === undefined) throw new RangeError(`no cell at ${row}, ${col}`);
    return value;
  }

  add(other: Matrix): Matrix {
    if (other.height !== this.height || other.width !== this.width) {
      throw new RangeError("the sizes differ");
    }
    return Matrix.build(this.height, this.width, (r, c) => this.at(r, c) + other.at(r, c));
  }

  multiply(other: Matrix): Matrix {
    if (this.width !== other.height) throw new RangeError("the inner sizes differ");
    return Matrix.build(this.height, other.width, (r, c) => {
      let sum = 0;
      for (let k = 0; k < this.width; k += 1) sum += this.at(r, k) * other.at(k, c);
      return sum;
    });
  }

  transpose(): Matrix {
    return Matrix.build(this.width, this.height, (r, c) => this.at(c, r));
  }

  toString(): string {
    return this.rows.map((row) => row.join(" ")).join("\n");
  }
}

const turn = new Matrix([[0, -1], [1, 0]]);
console.assert(turn.multiply(turn).toString() === "-1 0\n0 -1");
console.assert(turn.multiply(Matrix.identity(2)).toString() === turn.toString());
