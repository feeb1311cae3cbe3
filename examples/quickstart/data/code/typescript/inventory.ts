/** An article on the shelves; prices are whole cents. */
export interface Article {
  readonly name: string;
  readonly price: number;
  readonly stock: number;
}

/** What happened in the shop. */
export type Change =
  | { type: "received"; name: string; amount: number; price: number }
  | { type: "sold"; name: string; amount: number }
  | { type: "repriced"; name: string; price: number };

export type Inventory = ReadonlyMap<string, Article>;

/** Return the inventory after a change; the old one stays as it was. */
export function apply(inventory: Inventory, change: Change): Inventory {
  const next = new Map(inventory);
  const article = inventory.get(change.name);
  switch (change.type) {
    case "received": {
      const stock = (article?.stock ?? 0) + change.amount;
      next.set(change.name, { name: change.name, price: change.price, stock });
      break;
    }
    case "sold": {
      if (!article || article.stock < change.amount) {
        throw new Error(`not enough ${change.name}`);
      }
      next.set(change.name, { ...article, stock: article.stock - change.amount });
      break;
    }
    case "repriced": {
      if (!article) throw new Error(`no article called ${change.name}`);
      next.set(change.name, { ...article, price: change.price });
      break;
    }
  }
  return next;
}

/** Return what all articles together would sell for. */
export function totalValue(inventory: Inventory): number {
  let total = 0;
  for (const { price, stock } of inventory.values()) total += price * stock;
  return total;
}

/** Return the names of the articles that should be ordered. */
export function runningLow(inventory: Inventory, limit: number): string[] {
  return [...inventory.values()]
    .filter((article) => article.stock < limit)
    .map((article) => article.name)
    .sort();
}

const history: Change[] = [
  { type: "received", name: "tea", amount: 20, price: 300 },
  { type: "received", name: "cups", amount: 4, price: 900 },
  { type: "sold", name: "tea", amount: 5 },
];
const shelves = history.reduce<Inventory>(apply, new Map());
console.assert(totalValue(shelves) === 15 * 300 + 4 * 900);
console.assert(runningLow(shelves, 10).join() === "cups");
