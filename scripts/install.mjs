// npm's install script: nothing to do where a prebuild or an earlier build loads; otherwise the add-on is built from source.
// npm_config_build_from_source=true builds in any case.
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildNative } from './build-native.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

function loads() {
  try {
    createRequire(import.meta.url)('node-gyp-build')(root)
    return true
  } catch {
    return false
  }
}

if (process.env.npm_config_build_from_source === 'true' || !loads()) {
  if (!buildNative()) process.exitCode = 1
}
