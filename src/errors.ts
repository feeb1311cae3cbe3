/** The one error class of the package: a stable code, what was expected, what was found, and what to do about it. */
export interface AuroraErrorDetails {
  /** Stable, `ERR_…`; programs branch on it. */
  code: string
  /** One line, lower case, naming the operation or the file. */
  message: string
  expected?: string
  found?: string
  hint?: string
  cause?: unknown
}

export class AuroraError extends Error {
  override readonly name = 'AuroraError'
  readonly code: string
  readonly expected: string | undefined
  readonly found: string | undefined
  readonly hint: string | undefined

  constructor(details: AuroraErrorDetails) {
    const parts = [details.message]
    if (details.expected !== undefined) parts.push(`expected ${details.expected}`)
    if (details.found !== undefined) parts.push(`found ${details.found}`)
    super(parts.join('; ') + (details.hint ? `. Hint: ${details.hint}` : ''), { cause: details.cause })
    this.code = details.code
    this.expected = details.expected
    this.found = details.found
    this.hint = details.hint
  }
}
