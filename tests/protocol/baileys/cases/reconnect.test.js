import assert from 'node:assert/strict'
import { test } from 'node:test'

import { text } from '../support/client.js'
import { linked } from '../support/scene.js'

const LOGGED_OUT = 401
const REPLACED = 440

for (const generation of [7, 6]) {
  test(`Baileys ${generation} comes back with what it stored, and gets what waited for it`, async () => {
    const { network, owner, contact, client } = await linked(`acc_back${generation}`, generation)
    await client.text((await contact.send(owner, 'before')) && 'before')

    await network.fault('drop_connections')
    await client.closed()
    for (const number of [1, 2, 3]) await contact.send(owner, `while away ${number}`)
    client.connect()
    await client.opened()
    const waited = []
    for (const number of [1, 2, 3]) waited.push(await client.text(`while away ${number}`))
    // Stanzas that waited carry their number; the library tells them from new ones by that.
    assert.deepEqual(waited.map(({ how }) => how), ['append', 'append', 'append'])
    const preview = await client.log.take('<ib>', (ib) => ib.content.find(({ tag }) => tag === 'offline_preview'))
    assert.ok(Number(preview.attrs.message) >= 3, JSON.stringify(preview.attrs))
    await client.log.take('<ib>', (ib) => ib.content.find(({ tag }) => tag === 'offline'), 'end of the queue')

    // What it has confirmed does not come again, and the ratchets are those of before.
    for (const { key } of waited) {
      await network.recorded('its receipt', (entry) => entry.whatsapp_id === key.id && entry.delivered === 2)
    }
    await network.fault('drop_connections')
    await client.closed()
    client.connect()
    await client.opened()
    await contact.send(owner, 'after')
    await client.text('after')
    assert.deepEqual(client.log.left('message').filter(({ message }) => text(message)), [])
    await client.send(contact, { text: 'answer' })
    await contact.received('the answer', (entry) => entry.text === 'answer')
    await client.disconnect()
  })
}

test('a client that was replaced or logged out is told so', async () => {
  const { network, client } = await linked('acc_ends')
  await network.fault('replace')
  assert.equal((await client.closed()).output.statusCode, REPLACED)
  client.connect()
  await client.opened()
  await network.fault('log_out')
  assert.equal((await client.closed()).output.statusCode, LOGGED_OUT)
  client.connect()
  assert.equal((await client.closed()).output.statusCode, LOGGED_OUT)
})
