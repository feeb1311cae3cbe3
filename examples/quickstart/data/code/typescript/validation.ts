/** A check returns a message when it finds something wrong. */
export type Check<T> = (value: T) => string | undefined;

/** The checks for each field of a form. */
export type Rules<Form> = { readonly [Field in keyof Form]?: readonly Check<Form[Field]>[] };

/** The problems that were found, by field. */
export type Problems<Form> = { [Field in keyof Form]?: string[] };

export const required: Check<string> = (value) =>
  value.trim() === "" ? "must not be empty" : undefined;

export const atLeast =
  (minimum: number): Check<number> =>
  (value) => (value < minimum ? `must be at least ${minimum}` : undefined);

export const atMost =
  (maximum: number): Check<number> =>
  (value) => (value > maximum ? `must be at most ${maximum}` : undefined);

export const matching =
  (pattern: RegExp, message: string): Check<string> =>
  (value) => (pattern.test(value) ? undefined : message);

/** Run all checks and collect what they say. */
export function validate<Form extends object>(form: Form, rules: Rules<Form>): Problems<Form> {
  const problems: Problems<Form> = {};
  for (const field of Object.keys(rules) as (keyof Form)[]) {
    const messages = (rules[field] ?? [])
      .map((check) => check(form[field]))
      .filter((message): message is string => message !== undefined);
    if (messages.length > 0) problems[field] = messages;
  }
  return problems;
}

export function isValid(problems: object): boolean {
  return Object.keys(problems).length === 0;
}

interface Booking {
  name: string;
  guests: number;
  postcode: string;
}

const bookingRules: Rules<Booking> = {
  name: [required],
  guests: [atLeast(1), atMost(8)],
  postcode: [matching(/^\d{5}$/, "must have five digits")],
};

const good: Booking = { name: "Virtanen", guests: 2, postcode: "00100" };
console.assert(isValid(validate(good, bookingRules)));
console.assert(validate({ ...good, guests: 11 }, bookingRules).guests?.[0] === "must be at most 8");
