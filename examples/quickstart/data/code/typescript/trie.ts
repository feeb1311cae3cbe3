/** One node of the tree; the edges carry single letters. */
interface TrieNode {
  readonly children: Map<string, TrieNode>;
  isWord: boolean;
}

const newNode = (): TrieNode => ({ children: new Map(), isWord: false });

/** A set of words that can be searched by their beginnings. */
export class Trie {
  private readonly root = newNode();
  private count = 0;

  constructor(words: Iterable<string> = []) {
    for (const word of words) this.add(word);
  }

  /** The number of different words. */
  get size(): number {
    return this.count;
  }

  add(word: string): void {
    let node = this.root;
    for (const letter of word) {
      let child = node.children.get(letter);
      if (!child) {
        child = newNode();
        node.children.set(letter, child);
      }
      node = child;
    }
    if (!node.isWord) {
      node.isWord = true;
      this.count += 1;
    }
  }

  has(word: string): boolean {
    return this.find(word)?.isWord ?? false;
  }

  /** Yield all words with the given beginning. */
  *complete(prefix: string): Generator<string> {
    const node = this.find(prefix);
    if (node) yield* this.walk(node, prefix);
  }

  private find(prefix: string): TrieNode | undefined {
    let node: TrieNode | undefined = this.root;
    for (const letter of prefix) node = node?.children.get(letter);
    return node;
  }

  private *walk(node: TrieNode, word: string): Generator<string> {
    if (node.isWord) yield word;
    for (const [letter, child] of node.children) yield* this.walk(child, word + letter);
  }
}

const birds = new Trie(["swan", "swallow", "swift", "owl"]);
console.assert([...birds.complete("swa")].join() === "swan,swallow");
console.assert(birds.has("owl") && !birds.has("ow"));
