/** A graph as lists of neighbours. */
export type Graph = Readonly<Record<string, readonly string[]>>;

/** Return the shortest path by breadth-first search, or null. */
export function shortestPath(graph: Graph, start: string, goal: string): string[] | null {
  const cameFrom = new Map<string, string | null>([[start, null]]);
  const queue = [start];
  for (const node of queue) {
    // The loop also visits what is pushed while it runs.
    if (node === goal) return walkBack(cameFrom, goal);
    for (const neighbour of graph[node] ?? []) {
      if (!cameFrom.has(neighbour)) {
        cameFrom.set(neighbour, node);
        queue.push(neighbour);
      }
    }
  }
  return null;
}

function walkBack(cameFrom: Map<string, string | null>, goal: string): string[] {
  const path: string[] = [];
  let step: string | null = goal;
  while (step !== null) {
    path.unshift(step);
    step = cameFrom.get(step) ?? null;
  }
  return path;
}

/**
 * Put the nodes in an order in which every node comes after all the
 * nodes that it points to. Throws if the graph has a cycle.
 */
export function topologicalOrder(graph: Graph): string[] {
  const order: string[] = [];
  const state = new Map<string, "open" | "done">();

  function visit(node: string): void {
    if (state.get(node) === "done") return;
    if (state.get(node) === "open") throw new Error(`cycle through ${node}`);
    state.set(node, "open");
    for (const neighbour of graph[node] ?? []) visit(neighbour);
    state.set(node, "done");
    order.push(node);
  }

  for (const node of Object.keys(graph)) visit(node);
  return order;
}

/** What has to be put on before what. */
const clothes: Graph = {
  shoes: ["socks", "trousers"],
  belt: ["trousers"],
  coat: ["shirt"],
};
const order = topologicalOrder(clothes);
console.assert(order.indexOf("socks") < order.indexOf("shoes"));
console.assert(shortestPath({ a: ["b", "c"], b: ["d"], c: [] }, "a", "d")?.join("") === "abd");
