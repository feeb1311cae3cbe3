/** A function that can be called but gives nothing back. */
type Action<A extends unknown[]> = (...args: A) => void;

/**
 * Wait until the calls have paused for some time, then act once with
 * the newest arguments. Useful for a search box: search only when the
 * reader has stopped typing.
 */
export function debounce<A extends unknown[]>(
  action: Action<A>,
  milliseconds: number,
): Action<A> & { cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const debounced = (...args: A) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), milliseconds);
  };
  return Object.assign(debounced, { cancel: () => clearTimeout(timer) });
}

/**
 * Act at once, then ignore further calls for some time. Useful for a
 * button that must not be pressed twice in a row.
 */
export function throttle<A extends unknown[]>(
  action: Action<A>,
  milliseconds: number,
  now: () => number = Date.now,
): Action<A> {
  let last = -Infinity;
  return (...args) => {
    if (now() - last >= milliseconds) {
      last = now();
      action(...args);
    }
  };
}

/** Make a function that acts on its first call only. */
export function once<R>(compute: () => R): () => R {
  let memory: { result: R } | undefined;
  return () => {
    memory ??= { result: compute() };
    return memory.result;
  };
}

let clock = 0;
let presses = 0;
const press = throttle(() => (presses += 1), 100, () => clock);
press();
clock = 50;
press(); // too early
clock = 120;
press();
console.assert(presses === 2);

let opened = 0;
const open = once(() => (opened += 1));
open();
console.assert(open() === 1);
