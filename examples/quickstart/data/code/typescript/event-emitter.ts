/** A listener for an event that carries a value of type T. */
type Listener<T> = (value: T) => void;

/**
 * An event emitter that knows the type of every event.
 *
 * The type parameter maps the names of the events to what they carry,
 * so a misspelt name or a wrong value is found by the compiler.
 */
export class Emitter<Events extends Record<string, unknown>> {
  private readonly listeners: { [K in keyof Events]?: Set<Listener<Events[K]>> } = {};

  /** Listen to an event. Call the returned function to stop. */
  on<K extends keyof Events>(event: K, listener: Listener<Events[K]>): () => void {
    const set = this.listeners[event] ?? new Set<Listener<Events[K]>>();
    this.listeners[event] = set;
    set.add(listener);
    return () => {
      set.delete(listener);
    };
  }

  /** Listen to the next event only. */
  once<K extends keyof Events>(event: K, listener: Listener<Events[K]>): void {
    const stop = this.on(event, (value) => {
      stop();
      listener(value);
    });
  }

  /** Tell all listeners, and return how many there were. */
  emit<K extends keyof Events>(event: K, value: Events[K]): number {
    const set = [...(this.listeners[event] ?? [])];
    for (const listener of set) listener(value);
    return set.length;
  }
}

type PlayerEvents = {
  play: { title: string };
  stop: number;
};

const player = new Emitter<PlayerEvents>();
const titles: string[] = [];
player.once("play", ({ title }) => titles.push(title));
player.emit("play", { title: "Finlandia" });
player.emit("play", { title: "Peer Gynt" });
console.assert(titles.length === 1);
