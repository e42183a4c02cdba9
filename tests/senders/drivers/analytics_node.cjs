// @segment/analytics-node under orders: one line of JSON each way.
const readline = require('node:readline')
const { Analytics } = require('@segment/analytics-node')
const { version } = require('@segment/analytics-node/package.json')

const [url, writeKey] = process.argv.slice(2)
const errors = []
const ids = new Set()
const analytics = new Analytics({ writeKey, host: url, flushAt: 4, flushInterval: 100 })
analytics.on('error', (error) => errors.push(String(error.reason ?? error.code ?? error)))
analytics.on('http_request', ({ body }) => {
  for (const event of (typeof body === 'string' ? JSON.parse(body) : body).batch) ids.add(event.messageId)
})

const properties = { revenue: 12.5, currency: 'EUR', products: [{ product_id: 'p', price: 12.5, quantity: 1 }] }
const lines = readline.createInterface({ input: process.stdin })
lines.on('line', (line) => {
  for (let left = Number(line); left > 0; left--) {
    analytics.track({ userId: 'user-1', event: 'Order Completed', properties })
  }
  console.log(JSON.stringify({ ids: [] }))
})
lines.on('close', async () => {
  await analytics.closeAndFlush({ timeout: 60000 })
  console.log(JSON.stringify({ ids: [...ids], errors, version }))
})
