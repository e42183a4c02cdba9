// Segment's own webhook destinations under orders: one line of JSON each way.
// An answer that the framework takes for temporary is tried again, as Segment does; anything else is an error.
const path = require('node:path')
const crypto = require('node:crypto')
const readline = require('node:readline')
const { Destination } = require('@segment/actions-core')

const [modules, url, sharedSecret, token] = process.argv.slice(2)
const destinations = path.join(modules, '..', 'package', 'dist', 'destinations')
const load = (name) => require(path.join(destinations, name)).default
const actions = new Destination(load('webhook'))
// Its schema's key and a name with a blank in it get in each other's way with today's ajv.
const extensible = new Destination({ ...load('webhook-extensible'), name: 'ExtensibleWebhook' })

const errors = []
let deferred = 0
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const event = () => ({
  type: 'track',
  event: 'Order Completed',
  messageId: `ajs-next-${Date.now()}-${crypto.randomUUID()}`,
  userId: 'user-1',
  timestamp: new Date().toISOString(),
  context: { library: { name: 'analytics.js' }, page: { url: 'https://shop.example.com/Zoë?n=1' } },
  properties: { revenue: 12.5, currency: 'EUR', tiny: 1e-7, huge: 1e21, emoji: '😀', products: [] },
  integrations: {}
})
const settingsOf = (method, headers, extra) => ({
  sharedSecret,
  ...extra,
  subscription: {
    enabled: true,
    subscribe: 'type = "track"',
    partnerAction: 'send',
    mapping: { url, method, headers, enable_batching: true, data: { '@path': '$.' } }
  }
})
const bearer = { dynamicAuthSettings: { bearer: { bearerToken: token } } }
const noAuth = { dynamicAuthSettings: { oauth: { type: 'noAuth' } } }
const vouched = { 'X-Relay-Token': token }

// What is sent in a round: [destination, settings, events].
const ROUND = {
  actions_single: [actions, settingsOf('POST'), 1],
  actions_put: [actions, settingsOf('PUT'), 1],
  actions_patch: [actions, settingsOf('PATCH'), 1],
  actions_batch: [actions, settingsOf('POST', vouched), 3],
  actions_batch_of_one: [actions, settingsOf('POST'), -1],
  extensible_single: [extensible, settingsOf('POST', undefined, noAuth), 1],
  extensible_unset: [extensible, settingsOf('POST'), 1],
  extensible_batch: [extensible, settingsOf('POST', vouched, noAuth), 3],
  extensible_bearer_batch: [extensible, settingsOf('POST', undefined, bearer), 3]
}

async function attempt([destination, settings, count], events) {
  const results = count === 1 ? await destination.onEvent(events[0], settings) : await destination.onBatch(events, settings)
  for (const result of results.flat()) {
    const status = result?.multistatus?.find((one) => one.status >= 400)?.status ?? result?.status ?? 200
    if (status >= 400) throw Object.assign(new Error(`multistatus ${status}`), { status })
  }
}

async function insist(name, events) {
  for (;;) {
    try {
      return await attempt(ROUND[name], events)
    } catch (error) {
      const status = error.response?.status ?? error.status
      if (status !== 503) return errors.push(`${name}: ${status} ${error.message}`)
      if (!error.response || Number.isInteger(Number(error.response.headers.get('retry-after')))) deferred += 1
      await sleep(500)
    }
  }
}

const running = []
const lines = readline.createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const ids = {}
  for (const name of Object.keys(ROUND)) {
    const events = Array.from({ length: Math.abs(ROUND[name][2]) }, event)
    ids[name] = events.map((one) => one.messageId)
    running.push(insist(name, events))
  }
  console.log(JSON.stringify({ ids: Object.values(ids).flat() }))
})
lines.on('close', async () => {
  await Promise.all(running)
  const { version } = require(path.join(destinations, '..', '..', 'package.json'))
  console.log(JSON.stringify({ errors, deferred, version }))
})
