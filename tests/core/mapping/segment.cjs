// Segment's own mapping code: one line of JSON with a case in, one with its answer out, in the words of the golden files.
const readline = require('node:readline')
const NOW = 1718454896789 // the clock of the golden files
const Clock = Date
globalThis.Date = class extends Clock {
  constructor(...parts) {
    super(...(parts.length ? parts : [NOW]))
  }
  static now() {
    return NOW
  }
}

const { Response } = require('cross-fetch')
const sent = []
// The module that requests are made with is one of its own, so that it can be another here.
require(require.resolve('@segment/actions-core').replace(/index\.js$/, 'fetch.js')).default = async (request) => {
  sent.push({ url: request.url, method: request.method, json: JSON.parse(await request.text()) })
  return new Response('{"code":0}', { headers: { 'content-type': 'application/json' } })
}
const { Destination, transform } = require('@segment/actions-core')
const { parseFql, validate } = require('@segment/destination-subscriptions')

const [definitions] = process.argv.slice(2)
const known = {}
function destination(slug) {
  // A name with a blank in it and today's ajv get in each other's way.
  const { default: definition } = require(`${definitions}/${slug}`)
  return (known[slug] ??= { definition, runs: new Destination({ ...definition, name: slug.replace(/-/g, '') }) })
}

function written(value) {
  if (value === undefined) return { $undefined: true }
  if (typeof value === 'function') return { $function: value.name }
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) }
  if (Array.isArray(value)) return Array.from(value, written)
  if (value === null || typeof value !== 'object') return value
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, written(member)]))
}

const ENGINE = [TypeError, RangeError, SyntaxError, ReferenceError]
function told(error) {
  const several = error.name !== 'AggregateAjvError' && typeof error[Symbol.iterator] === 'function' ? [...error] : [error]
  const messages = several.map((one) => one.message)
  return { error: messages.join('\n'), error_kind: ENGINE.some((kind) => error instanceof kind) ? 'engine' : error.name }
}

function directive({ mapping, input }) {
  try {
    const output = transform(mapping, input)
    return output === undefined ? {} : { output: written(output) }
  } catch (error) {
    return told(error)
  }
}

function trigger({ fql, event }) {
  const parsed = parseFql(fql)
  if (parsed.error) return { match: false, parse_error: true }
  try {
    return { match: Boolean(validate(parsed, event)), parse_error: false }
  } catch {
    return { match: false, parse_error: false, runtime_error: true }
  }
}

async function subscription({ destination: slug, settings, subscription: given, input }) {
  const { definition, runs } = destination(slug)
  const partnerAction = 'reportOfflineEvent' in definition.actions ? 'reportOfflineEvent' : Object.keys(definition.actions)[0]
  sent.length = 0
  try {
    await runs.onEvent(input, { ...settings, subscription: { enabled: true, partnerAction, ...given } })
  } catch (error) {
    return { outcome: 'rejected', requests: [], ...told(error) }
  }
  return { outcome: sent.length ? 'sent' : 'not sent', requests: [...sent], error: null }
}

const ANSWERS = { directive, trigger, subscription }
const cases = readline.createInterface({ input: process.stdin })
void (async () => {
  for await (const line of cases) {
    const { kind, ...given } = JSON.parse(line)
    process.stdout.write(`${JSON.stringify(await ANSWERS[kind](given))}\n`)
  }
})()
