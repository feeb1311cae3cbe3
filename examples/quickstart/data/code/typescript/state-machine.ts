/** For every state, the events that are allowed and where they lead. */
export type Table<State extends string, Event extends string> = {
  readonly [S in State]: { readonly [E in Event]?: State };
};

/** A machine that is always in exactly one state. */
export class Machine<State extends string, Event extends string> {
  private readonly watchers: ((from: State, to: State) => void)[] = [];

  constructor(
    private current: State,
    private readonly table: Table<State, Event>,
  ) {}

  get state(): State {
    return this.current;
  }

  /** Tell whether an event is allowed now. */
  can(event: Event): boolean {
    return this.table[this.current][event] !== undefined;
  }

  /** Handle an event; throw if it is not allowed. */
  send(event: Event): State {
    const next = this.table[this.current][event];
    if (next === undefined) {
      throw new Error(`"${event}" is not allowed in state "${this.current}"`);
    }
    const previous = this.current;
    this.current = next;
    for (const watcher of this.watchers) watcher(previous, next);
    return next;
  }

  /** Be told about every change of state. */
  watch(watcher: (from: State, to: State) => void): void {
    this.watchers.push(watcher);
  }
}

type ParcelState = "packed" | "travelling" | "delivered" | "lost";
type ParcelEvent = "ship" | "arrive" | "lose" | "find";

const parcelTable: Table<ParcelState, ParcelEvent> = {
  packed: { ship: "travelling" },
  travelling: { arrive: "delivered", lose: "lost" },
  delivered: {},
  lost: { find: "travelling" },
};

const parcel = new Machine<ParcelState, ParcelEvent>("packed", parcelTable);
const log: string[] = [];
parcel.watch((from, to) => log.push(`${from} to ${to}`));
parcel.send("ship");
parcel.send("arrive");
console.assert(log.length === 2 && !parcel.can("lose"));
