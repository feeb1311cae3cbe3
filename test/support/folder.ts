/** A fresh folder for a test's files, removed when the process ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'aurora-test-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
