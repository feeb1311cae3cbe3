import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { StopScanner } from '../../src/eval/stop-strings.ts'

/** Pushes pieces until a stop; what was shown after each, and the rest. */
function run(stops: string[], pieces: string[]) {
  const scanner = new StopScanner(stops)
  const shown: string[] = []
  let stopped = false
  for (const piece of pieces) {
    stopped = scanner.push(piece)
    shown.push(scanner.take(stopped))
    if (stopped) break
  }
  if (!stopped) shown.push(scanner.take(true))
  return { shown, text: scanner.text, stop: scanner.stop }
}

test('stops inside a piece and across pieces; the first in the text wins', () => {
  assert.equal(run(['END'], ['abENDcd']), { shown: ['ab'], text: 'ab', stop: 'END' })
  assert.equal(run(['END'], ['abE', 'N', 'D', 'cd']), { shown: ['ab', '', ''], text: 'ab', stop: 'END' })
  assert.equal(run(['yy', 'x'], ['a', 'bxyy']).text, 'ab')
  assert.is(run(['yy', 'x'], ['a', 'byyx']).stop, 'yy')
  assert.equal(run(['\ndef', '\n#'], ['\n', '  return', '\n', '\n', 'def']), {
    shown: ['', '\n  return', '', '\n', ''],
    text: '\n  return\n',
    stop: '\ndef',
  })
})

test('nothing is shown that may turn out to begin a stop, and nothing is lost', () => {
  assert.equal(run(['aab'], ['a', 'a', 'a', 'c', 'aa']).shown, ['', '', 'a', 'aac', '', 'aa'])
  assert.equal(run([], ['ab', 'c']), { shown: ['ab', 'c', ''], text: 'abc', stop: undefined })
  assert.equal(run([''], ['ab']).stop, undefined)
  for (const pieces of [['x', 'EN', 'EN', 'DE'], ['E', 'E', 'N', 'N', 'D'], ['ENEND']]) {
    const { shown, text } = run(['END'], pieces)
    assert.is(shown.join(''), text)
    assert.is(text, pieces.join('').split('END')[0])
  }
})

test.run()
