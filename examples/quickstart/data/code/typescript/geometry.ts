/** A point or a vector in the plane. */
export interface Vec {
  readonly x: number;
  readonly y: number;
}

export const vec = (x: number, y: number): Vec => ({ x, y });
export const add = (a: Vec, b: Vec): Vec => vec(a.x + b.x, a.y + b.y);
export const subtract = (a: Vec, b: Vec): Vec => vec(a.x - b.x, a.y - b.y);
export const scale = (a: Vec, factor: number): Vec => vec(a.x * factor, a.y * factor);
export const dot = (a: Vec, b: Vec): number => a.x * b.x + a.y * b.y;
export const length = (a: Vec): number => Math.hypot(a.x, a.y);

/** The shapes that this module knows, told apart by their kind. */
export type Shape =
  | { kind: "circle"; centre: Vec; radius: number }
  | { kind: "rectangle"; corner: Vec; width: number; height: number }
  | { kind: "triangle"; corners: [Vec, Vec, Vec] };

/** Return the area of a shape. */
export function area(shape: Shape): number {
  switch (shape.kind) {
    case "circle":
      return Math.PI * shape.radius ** 2;
    case "rectangle":
      return shape.width * shape.height;
    case "triangle": {
      const [a, b, c] = shape.corners;
      const u = subtract(b, a);
      const v = subtract(c, a);
      return Math.abs(u.x * v.y - u.y * v.x) / 2;
    }
  }
}

/** Tell whether a point is inside a circle or a rectangle. */
export function contains(shape: Exclude<Shape, { kind: "triangle" }>, point: Vec): boolean {
  if (shape.kind === "circle") {
    return length(subtract(point, shape.centre)) <= shape.radius;
  }
  const offset = subtract(point, shape.corner);
  return offset.x >= 0 && offset.y >= 0 && offset.x <= shape.width && offset.y <= shape.height;
}

console.assert(length(vec(3, 4)) === 5);
console.assert(dot(vec(1, 0), vec(0, 1)) === 0);
console.assert(area({ kind: "triangle", corners: [vec(0, 0), vec(4, 0), vec(0, 3)] }) === 6);
