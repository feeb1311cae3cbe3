/** Turns ids into text as they are generated, holding back bytes until they make a whole character. */
export class StreamDecoder {
  readonly #bytes: (ids: ArrayLike<number>) => Uint8Array
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  constructor(bytes: (ids: ArrayLike<number>) => Uint8Array) {
    this.#bytes = bytes
  }

  /** The characters that `ids` complete; often one per token, sometimes none. */
  push(...ids: number[]): string {
    return this.#decoder.decode(this.#bytes(ids), { stream: true })
  }

  /** What is left at the end: U+FFFD for a character that never was completed, else nothing. */
  end(): string {
    return this.#decoder.decode()
  }
}
